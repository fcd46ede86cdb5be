"""Files that are written whole or not at all, and are on the disk when they are said to be."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import zlib
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.util.own_folder import FLAGS, sync


@contextlib.contextmanager
def replacing(path, suffix=""):
    """Give a temporary path beside `path`, which becomes `path` once the block has ended well.

    Parameters
    ----------
    path : str or Path
        A link stays, and what it points to is written. So do the permissions of what was there.
    suffix : str
        Of the temporary path, where it decides the format; without one nobody takes it for a
        finished file.

    Yields
    ------
    str
        Of an empty file; gone if the block raises.
    """
    target = Path(os.path.realpath(path))
    prefix = part_of(target)
    handle, temporary = tempfile.mkstemp(suffix, prefix, target.parent)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield temporary
        _permit_as_before(temporary, target)
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def check_place(path):
    """Refuse a place where no file can be made, before hours are spent on one: it is tried.

    Parameters
    ----------
    path : str or Path
        Of the file.

    Raises
    ------
    DreamError
        There is something else, or no folder, or one that takes no files.
    """
    target = Path(os.path.realpath(path))  # where a link leads
    folder = target.parent
    if target.is_dir():
        raise DreamError(f"{path} is a folder; name a file in it")
    if not folder.is_dir():
        raise DreamError(f"{path}: there is no folder {folder}; make it first")
    if target.exists() and not target.is_file():
        raise DreamError(f"{path} is no regular file; name another output")
    if not os.access(folder, os.W_OK):
        raise DreamError(f"{path}: the folder {folder} is not writable")
    try:
        handle, temporary = tempfile.mkstemp(target.suffix, part_of(target), folder)
        os.close(handle)
        os.unlink(temporary)
    except OSError as error:
        raise DreamError(
            f"{path} cannot be written: {error.strerror}; name another output"
        ) from error


def part_of(target):
    """Return how the names of what is to become a file begin; what the killed have left is removed.

    Whoever writes holds a lock, so that what others are at work on is left alone.

    Parameters
    ----------
    target : Path
        The file.

    Returns
    -------
    str
    """
    prefix = f".part-{zlib.crc32(os.fsencode(target.name)):08x}-"
    with contextlib.suppress(FileNotFoundError):  # the folder's, or another's who removes it too
        for name in os.listdir(target.parent):
            if name.startswith(prefix):
                _remove_unless_locked(target.parent / name)
    return prefix


def _remove_unless_locked(path):
    handle = os.open(path, os.O_RDONLY | FLAGS)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except BlockingIOError:
        pass
    finally:
        os.close(handle)


@contextlib.contextmanager
def written_whole(path):
    """Do what `replacing` does, with the suffix of `path`, and say in words what goes wrong.

    Every OSError of the block becomes a `DreamError`: disk full, folder not writable...

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    str
        The temporary path.
    """
    try:
        with replacing(path, Path(path).suffix) as temporary:
            yield temporary
    except OSError as error:
        raise DreamError(f"{path} cannot be written: {error}") from error


def _permit_as_before(temporary, target):
    """Give a new file owner, group and permissions of the one that it replaces."""
    try:
        before = os.stat(target)
    except FileNotFoundError:
        os.chmod(temporary, 0o666 & ~_umask())
        return
    with contextlib.suppress(PermissionError):  # only root may give files away
        os.chown(temporary, before.st_uid, before.st_gid)
    os.chmod(temporary, stat.S_IMODE(before.st_mode) & 0o777)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
