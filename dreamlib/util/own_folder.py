"""Folders that a program works in, resumes from and deletes from: locked, and nobody else's.

A folder beside a user's output may be in a place that others write to. What another user planted
there, or a link that leads elsewhere, is refused; and only what was made here is ever deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
from pathlib import Path

from dreamlib.errors import DreamError

#: How a file in such a folder is opened: never through a link, nor waiting for a pipe's other end.
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def check_owner(path):
    """Refuse a file or folder that is another user's, or behind another user's link.

    Parameters
    ----------
    path : str or Path
        Of what is there.

    Raises
    ------
    DreamError
        Names the user.
    OSError
    """
    for status in (os.lstat(path), os.stat(path)):
        if status.st_uid != os.geteuid():
            raise DreamError(
                f"{path} belongs to {_name(status.st_uid)}, not to {_name(os.geteuid())}, who runs "
                "this; remove it or name another place"
            )


def _name(user):
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # as in containers
        return f"user {user}"


def lock(path):
    """Take a lock that no other process has.

    Parameters
    ----------
    path : Path
        Of the file that is locked; made if it is not there.

    Returns
    -------
    int or None
        The descriptor that holds it until it is closed, or the process ends; None where another
        process has it.

    Raises
    ------
    OSError
        It is a link, or cannot be made.
    """
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT | FLAGS, 0o666)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(held).st_ino == os.stat(path).st_ino:
                return held
        except FileNotFoundError:  # whoever had it has just removed it
            pass
        except BlockingIOError:
            os.close(held)
            return None
        except BaseException:
            os.close(held)
            raise
        os.close(held)


@contextlib.contextmanager
def locked(folder):
    """Hold a lock on a folder that was just made, while the block lasts."""
    handle = os.open(folder, os.O_RDONLY | FLAGS)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def sync(path):
    """Return when a file's contents, or the names in a folder, are safe from a power cut.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    OSError
        The disk failed, or was full after all.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(path):
    """Delete a file, a link as such, if it is there.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DreamError
        It is a folder, which was not made here, or cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DreamError(
            f"{path} cannot be removed: {error.strerror}; move it away, or name another place"
        ) from error


def remove(folder, names):
    """Delete files of a folder, links as such; and the folder if nothing else is in it.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Those that are not there are passed over.
    """
    for name in names:
        discard(Path(folder, name))
    # Something else may be in it, or it is a link, or the root of a disk, which cannot be removed.
    with contextlib.suppress(OSError):
        Path(folder).rmdir()
