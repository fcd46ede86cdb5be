"""Formats of picture files; checks of inputs and outputs before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from dreamlib.errors import DreamError


class Format(NamedTuple):
    """What a format can hold, and whether libvips writes it."""

    name: str
    alpha: bool = False
    deep: bool = False  #: 16 bits a channel
    limit: int | None = None  #: pixels to a side
    libvips: bool = True


# libjpeg stops a little before the format's own 65535.
JPEG, TIFF = Format("JPEG", limit=65500), Format("TIFF", alpha=True, deep=True)
DEEP_ZOOM = Format("Deep Zoom")

#: By suffix.
FORMATS = {
    ".png": Format("PNG", alpha=True, deep=True),
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".webp": Format("WebP", alpha=True, limit=16383),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": Format("BMP", libvips=False),
    ".dzi": DEEP_ZOOM,
}


def format_of(path):
    """Look up a format.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Format or None
        By the suffix; None where it is unknown.
    """
    return FORMATS.get(Path(path).suffix.lower())


def check_source(path):
    """Refuse a file that cannot be read at all.

    Parameters
    ----------
    path : str

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    DreamError
        A folder, nothing, empty, or without permission.
    """
    if os.path.isdir(path):
        raise DreamError(f"{path} is a folder; name a picture in it")
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError as error:
        raise DreamError(f"{path}: there is no such file") from error
    except OSError as error:
        raise DreamError(f"{path} cannot be read: {error.strerror}") from error
    if not size:
        raise DreamError(f"{path} is empty (0 bytes)")
    return size


def check_output(path, source=None):
    """Refuse an output that could not be written, before hours are spent on it.

    Parameters
    ----------
    path : str
    source : str, optional
        The input, which is not to be overwritten.

    Raises
    ------
    DreamError
        The suffix is of no format, the folder is not there or not writable...
    """
    path = Path(path)
    if not format_of(path):
        raise DreamError(f"{path}: pictures are written as {', '.join(FORMATS)}; name one of these")
    if path.is_dir():
        raise DreamError(f"{path} is a folder; name a file in it")
    folder = Path(os.path.realpath(path)).parent  # where a link leads
    if not folder.is_dir():
        raise DreamError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise DreamError(f"{path}: the folder {folder} is not writable")
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise DreamError(f"{path} is the input; name another output")


def check_size(path, width, height):
    """Refuse an output that its format cannot hold, before hours are spent on it.

    Parameters
    ----------
    path : str
    width, height : int
        In pixels.

    Raises
    ------
    DreamError
        The picture is too large for the format, or where a Deep Zoom's tiles would go there is
        another folder.
    """
    path = Path(path)
    kind = format_of(path)
    if kind.limit and max(width, height) > kind.limit:
        raise DreamError(
            f"{path}: {kind.name} holds at most {kind.limit} pixels to a side, the picture has "
            f"{width}x{height}; write .tif, .png or .dzi"
        )
    if kind is DEEP_ZOOM and tiles_of(path).exists() and not path.exists():
        raise DreamError(
            f"{path}: its tiles would go to {tiles_of(path)}, which is there without {path.name}; "
            "move it away or name another output"
        )


def tiles_of(path):
    """Name the folder of a Deep Zoom's tiles.

    Parameters
    ----------
    path : Path
        ``NAME.dzi``.

    Returns
    -------
    Path
    """
    return path.with_name(path.stem + "_files")


def loses_alpha(picture, output):
    """Tell whether a picture is transparent in places, and the output's format cannot be.

    Parameters
    ----------
    picture : see `dreamlib.imaging.picture`
    output : str

    Returns
    -------
    bool
    """
    return picture.has_alpha and not format_of(output).alpha
