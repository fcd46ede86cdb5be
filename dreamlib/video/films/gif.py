"""GIF, written frame by frame.

Pillow holds all frames of an animation before it writes the first. Here it compresses one frame at
a time, as a GIF of its own, of which the picture's block goes into the film. The blocks around it
are few: see the GIF89a specification.
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.video.films.changes import changed_window

#: Ticks of delay in a second, and how many a viewer needs: with fewer it takes its time.
TICKS, LEAST = 100, 2

#: Sides in pixels are 16-bit numbers.
MOST_SIDE = 65535


class GifFilm:
    """A GIF being written.

    Parameters
    ----------
    file : binary file
    height, width : int
    palette : Palette
    loop : int
        Times to play; 0 is for ever.
    """

    def __init__(self, file, height, width, palette, loop):
        if max(height, width) > MOST_SIDE:
            raise DreamError(
                f"a GIF has sides of up to {MOST_SIDE} pixels, not {width} x {height}; "
                "dream smaller, or name an .mp4"
            )
        self._file, self._palette = file, palette
        self._before = None
        # 0xF7: a palette for all frames, of 2 ** (7 + 1) colours, 8 bits each.
        file.write(struct.pack("<6sHHBBB", b"GIF89a", width, height, 0xF7, 0, 0))
        file.write(palette.colours.tobytes())
        if loop != 1:  # what is counted here is repetitions; without the block it plays once
            repetitions = min(max(loop - 1, 0), 65535)
            file.write(b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, repetitions, 0))

    def add(self, pixels, ticks):
        """Write a frame.

        Parameters
        ----------
        pixels : (H, W, 3) ndarray of uint8
        ticks : int
            How long it stays, in hundredths of a second.
        """
        indices = self._palette.indices(pixels)
        top, left, height, width = changed_window(self._before, indices)
        part = indices[top : top + height, left : left + width]
        self._before = indices
        # Disposal 1: the frame stays, and the next one is drawn over it.
        self._file.write(struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 1 << 2, ticks, 0, 0))
        self._file.write(struct.pack("<BHHHHB", 0x2C, left, top, width, height, 0))
        self._file.write(_compressed(part))

    def close(self):
        """Write what ends the film."""
        self._file.write(b"\x3b")


def _compressed(indices):
    """Compress a frame: bits of the first code, blocks of codes, and the empty block at the end."""
    from PIL import Image

    alone = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(indices))
    # As grey, whose palette is the identity: Pillow then leaves the indices alone.
    image.save(alone, "GIF", optimize=False, interlace=0)
    data = alone.getvalue()
    start = 13 + _palette_bytes(data[10])
    while data[start] == 0x21:  # an extension: its name, then blocks that begin with their lengths
        start += 2
        while data[start]:
            start += 1 + data[start]
        start += 1
    if data[start] != 0x2C:
        raise ValueError("no picture in what Pillow compressed")
    start += 10 + _palette_bytes(data[start + 9])
    return data[start:-1]


def _palette_bytes(flags):
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
