"""Windows bitmaps out, by strips: as Pillow writes them, but for memory."""

from __future__ import annotations

import struct

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import to_levels, white_of

#: Bytes before the pixels: the file's header and the bitmap's; and the most that a file may have.
HEADERS, MOST = 14 + 40, (1 << 32) - 1

PER_METRE = 3780  #: pixels: 96 to the inch

#: Bytes of pixels that are turned at a time.
STRIP = 1 << 22


def write_bmp(file, strips, height, width):
    """Write a bitmap of 24 bits.

    Parameters
    ----------
    file : binary file
        Open for writing.
    strips : callable
        Given first and last row of some, it returns them: (h, W, 3) of whole or floating numbers.
    height, width : int

    Raises
    ------
    DreamError
        The format cannot hold as much.
    """
    line = -(-3 * width // 4) * 4
    size = HEADERS + line * height
    if size > MOST:
        raise DreamError(
            f"a BMP holds at most 4 GB, and {width} x {height} pixels take {size / 1e9:.1f}; write "
            ".tif or .png"
        )
    file.write(b"BM" + struct.pack("<LHHL", size, 0, 0, HEADERS))
    bitmap = (40, width, height, 1, 24, 0, line * height, PER_METRE, PER_METRE, 0, 0)
    file.write(struct.pack("<LllHHLLllLL", *bitmap))
    rows = max(1, STRIP // line)
    for bottom in range(height, 0, -rows):  # the last row comes first, and blue before red
        part = strips(max(0, bottom - rows), bottom)
        lines = np.zeros((len(part), line), np.uint8)
        pixels = lines[:, : 3 * width].reshape(len(part), width, 3)
        pixels[:] = to_levels(part, np.uint8, 255 / white_of(part.dtype))[::-1, :, ::-1]
        file.write(lines)
