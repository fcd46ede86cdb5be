"""Files that somebody hands in, opened in one place: regular ones, of a size that is expected.

A FIFO would never answer, a device never end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dreamlib.errors import DreamError

#: Bytes of a name in a folder, and of a path: what Linux takes, and other systems nearly so.
NAME_BYTES, PATH_BYTES = 255, 4095

#: Bytes of a text: settings, labels, the definition of a network.
TEXT_BYTES = 1 << 24

#: Bytes of weights: protocol buffers, which they come in, hold no more.
WEIGHTS_BYTES = (1 << 31) - 1


def check_path(path):
    """Refuse what no file can be called.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DreamError
        Empty, with a zero byte or half a character, or longer than a path or a name may be.
    """
    text = os.fspath(path)
    if not text:
        raise DreamError("the name of a file is empty; expected a path")
    if "\0" in text:
        raise DreamError(f"{text!r} has a zero byte in it, which no file's name can have")
    try:
        spelt = os.fsencode(text)
    except UnicodeEncodeError as error:
        raise DreamError(
            f"{text!r} has half a character in it, which no file's name has"
        ) from error
    longest = max(map(len, spelt.split(os.fsencode(os.sep))))
    if longest > NAME_BYTES or len(spelt) > PATH_BYTES:
        raise DreamError(
            f"{text} is no path: a name in it has {longest} bytes, all of it {len(spelt)}; "
            f"expected {NAME_BYTES} at most in a name and {PATH_BYTES} in a path"
        )


def check_file(path):
    """Refuse what is no regular file, without opening it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    DreamError
        A folder, a FIFO, a device, nothing, or without permission.
    """
    check_path(path)
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise DreamError(f"{path}: there is no such file") from error
    except OSError as error:
        raise DreamError(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(found.st_mode):
        raise DreamError(f"{path} is a folder; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        kind = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
        what = kind.get(stat.S_IFMT(found.st_mode), "a device")
        raise DreamError(f"{path} is {what}; expected a file: save what it gives into one")
    if not os.access(path, os.R_OK):
        raise DreamError(f"{path} cannot be read: Permission denied (ls -l shows whose it is)")
    return found.st_size


def read_bytes(path, most=TEXT_BYTES):
    """Read a whole file.

    Parameters
    ----------
    path : str or Path
    most : int
        Bytes that it may have.

    Returns
    -------
    bytes

    Raises
    ------
    DreamError
        As for `check_file`, or it is larger.
    """
    size = check_file(path)
    if size > most:
        raise DreamError(f"{path} has {size} bytes; expected {most} at most")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DreamError(f"{path} cannot be read: {error.strerror}") from error


def read_text(path, what):
    """Read a whole text in UTF-8; a byte-order mark before it is left out.

    Parameters
    ----------
    path : str or Path
    what : str
        The file is to be, for errors: "TOML".

    Returns
    -------
    str

    Raises
    ------
    DreamError
        As for `read_bytes`, or it holds binary data.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DreamError(
            f"{path} is not {what}: it holds binary data; expected a text in UTF-8"
        ) from error
