"""Radiance pictures (.hdr): light of any strength, four bytes a pixel.

The format is Greg Ward's, in Graphics Gems II (1991): mantissas of red, green and blue and one
exponent, in rows whose four planes are run-length encoded each.
"""

from __future__ import annotations

import re

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.floats import shoulder
from dreamlib.imaging.formats import check_claim
from dreamlib.imaging.picture import Picture
from dreamlib.util.input_file import read_bytes

#: How a file begins; bytes that are read of one, the most of its header, and pixels of a picture.
MARK, MOST_BYTES, HEADER, MOST_PIXELS = b"#?", 1 << 30, 1 << 16, 1 << 28

_SIZE = re.compile(rb"\n\n-Y ([0-9]{1,6}) \+X ([0-9]{1,6})\n")

#: Widths of rows that may be run-length encoded.
ENCODED = range(8, 1 << 15)


def is_radiance(path):
    """Tell by its first bytes whether a file is a Radiance picture.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool
    """
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK


def radiance_size(path):
    """Return height and width of a Radiance picture by its header; (0, 0) if it has none.

    Parameters
    ----------
    path : str

    Returns
    -------
    (int, int)
    """
    with open(path, "rb") as file:
        found = _SIZE.search(file.read(HEADER))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def load_radiance(path):
    """Read a Radiance picture as a screen shows it: see `dreamlib.imaging.floats`.

    Parameters
    ----------
    path : str

    Returns
    -------
    Picture
        float32, 0 to 255.

    Raises
    ------
    DreamError
        It is cut off or damaged, or lies another way than rows from top to bottom.
    """
    content = read_bytes(path, MOST_BYTES)
    found = _SIZE.search(content, 0, HEADER)
    if not found or b"\nFORMAT=32-bit_rle_rgbe" not in content[: found.start() + 1]:
        raise DreamError(
            f"{path} is no Radiance picture that is read; expected 32-bit_rle_rgbe with rows from "
            "top to bottom (-Y HEIGHT +X WIDTH): save it so, or as a TIFF"
        )
    height, width = int(found[1]), int(found[2])
    check_claim(path, width, height)
    if not 0 < height * width <= MOST_PIXELS:
        raise DreamError(
            f"{path} has {width} x {height} pixels; expected 1 to {MOST_PIXELS} of a Radiance "
            "picture: save a larger one as a TIFF"
        )
    pixels, place = np.empty((height, width, 3), np.float32), found.end()
    try:
        for row in pixels:
            planes, place = _row(content, place, width)
            # A mantissa is of 256; the exponent is 128 more than it says.
            scale = np.ldexp(np.float32(1), planes[3].astype(int) - 136)
            row[:] = (planes[:3] * np.where(planes[3], scale, 0)).T
    except (IndexError, ValueError) as error:
        raise DreamError(f"{path} cannot be read, it may be truncated: {error}") from error
    return Picture(_shown(pixels))


def _row(content, place, width):
    """Read a row: (4, width) ndarray of uint8, and where the next begins."""
    encoded = content[place : place + 2] == b"\x02\x02" and width in ENCODED
    if not encoded:
        end = place + 4 * width
        row = np.frombuffer(content[place:end], np.uint8).reshape(width, 4)
        return row.T, end
    if content[place + 2] << 8 | content[place + 3] != width:
        raise ValueError(f"a row says that it has another width than {width}")
    planes, place = np.empty((4, width), np.uint8), place + 4
    for plane in planes:
        column = 0
        while column < width:
            count = content[place]
            run = count > 128
            count -= 128 * run
            if not 0 < count <= width - column:
                raise ValueError("a run goes beyond its row")
            there = content[place + 1 : place + 2 + (0 if run else count - 1)]
            plane[column : column + count] = np.frombuffer(there, np.uint8)
            place, column = place + 1 + len(there), column + count
    return planes, place


def _shown(light):
    """Bring light below white and give it sRGB's curve, in place; return levels, 0 to 255."""
    bright = light.max() > 1
    for row in light:  # in place, of little scratch
        if bright:
            shoulder(row)
        dark = row <= 0.0031308
        row[:] = np.where(dark, row * 12.92, 1.055 * np.maximum(row, 0) ** (1 / 2.4) - 0.055)
        row *= 255
    return light
