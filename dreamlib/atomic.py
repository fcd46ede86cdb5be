"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .errors import DreamError


@contextlib.contextmanager
def written_whole(path):
    """Give a temporary path beside `path`, which becomes `path` once the block has ended well.

    Parameters
    ----------
    path : str or Path
        A link stays, and what it points to is written.

    Yields
    ------
    str
        Of an empty file with the same suffix; gone if the block raises.

    Raises
    ------
    DreamError
        For every OSError of the block: disk full, folder not writable...
    """
    target = Path(os.path.realpath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
        os.close(handle)
    except OSError as error:
        raise DreamError(f"{path} cannot be written: {error}") from error
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise DreamError(f"{path} cannot be written: {error}") from error
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
