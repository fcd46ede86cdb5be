"""Formats of picture files; checks of inputs and outputs before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from dreamlib.errors import DreamError
from dreamlib.util.atomic_write import check_place
from dreamlib.util.input_file import check_file, check_path

#: Pixels that a byte of a file may stand for: the most of a PNG or a JPEG of one colour, and more
#: than any photograph; and pixels up to which nobody minds.
MOST_PIXELS_A_BYTE, UNCHECKED = 8500, 1 << 24


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
    """Refuse a file that cannot be read at all: see `dreamlib.util.input_file.check_file`.

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
        It is no regular file, or empty.
    """
    size = check_file(path)
    if not size:
        raise DreamError(f"{path} is empty (0 bytes)")
    return size


def check_claim(path, width, height):
    """Refuse a picture that by its header is larger than its file can hold, before it is decoded.

    A few hundred bytes may claim gigapixels, which libraries take minutes to fill with grey.

    Parameters
    ----------
    path : str
    width, height : int
        In pixels, as the header says.

    Raises
    ------
    DreamError
    """
    pixels, size = width * height, os.path.getsize(path)
    if pixels > UNCHECKED and pixels > MOST_PIXELS_A_BYTE * size:
        raise DreamError(
            f"{path} is damaged, or made to do harm: by its header it has {width} x {height} "
            f"pixels, in a file of {size} bytes; expected one byte for {MOST_PIXELS_A_BYTE} pixels "
            "or fewer. Save it anew from where it came"
        )


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
    check_path(path)
    path = Path(path)
    if not format_of(path):
        raise DreamError(f"{path}: pictures are written as {', '.join(FORMATS)}; name one of these")
    check_place(path)
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
