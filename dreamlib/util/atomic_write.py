"""Files that are written whole or not at all, and are on the disk when they are said to be."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.util.own_folder import sync


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
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=suffix)
    os.close(handle)
    try:
        yield temporary
        _permit_as_before(temporary, target)
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
