"""Animated WebP, written frame by frame.

Pillow holds every frame it is given until the last one has come, and the whole file besides. Here
it compresses one frame at a time, as a picture of its own, and the chunks around the frames are
written as the container's specification says. Frames of an animated WebP never refer to each
other, so nothing is lost by that.
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.video.films.changes import changed_window

#: Ticks of delay in a second, and how many a viewer needs: with fewer it takes its time.
TICKS, LEAST = 1000, 11

MOST_SIDE = 16383
MOST_BYTES = (1 << 32) - 2


class WebpFilm:
    """An animated WebP being written.

    Parameters
    ----------
    file : binary file
        That can seek: its length goes into its head.
    height, width : int
    loop : int
        Times to play; 0 is for ever.
    quality : int
        100 is lossless.
    """

    def __init__(self, file, height, width, loop, quality):
        if max(height, width) > MOST_SIDE:
            raise DreamError(
                f"a WebP has sides of up to {MOST_SIDE} pixels, not {width} x {height}; "
                "dream smaller, or name an .mp4"
            )
        self._file, self._before = file, None
        self._options = {"lossless": True} if quality >= 100 else {"quality": quality}
        file.write(b"RIFF\0\0\0\0WEBP")
        animated = 1 << 1
        _write_chunk(file, b"VP8X", struct.pack("<I", animated) + _three(width - 1, height - 1))
        background = b"\xff\xff\xff\xff"
        _write_chunk(file, b"ANIM", background + struct.pack("<H", min(loop, 65535)))

    def add(self, pixels, ticks):
        """Write a frame.

        Parameters
        ----------
        pixels : (H, W, 3) ndarray of uint8
        ticks : int
            How long it stays, in milliseconds.
        """
        from PIL import Image

        top, left, height, width = changed_window(self._before, pixels, even=True)
        self._before = pixels
        part = np.ascontiguousarray(pixels[top : top + height, left : left + width])
        alone = BytesIO()
        Image.fromarray(part).save(alone, "WEBP", **self._options)
        bitstream = _bitstream(alone.getvalue())
        opaque = 1 << 1  # drawn over what was there, which stays
        head = _three(left // 2, top // 2, width - 1, height - 1, ticks) + bytes([opaque])
        _write_chunk(self._file, b"ANMF", head + bitstream)
        if self._file.tell() > MOST_BYTES:
            raise DreamError("a WebP has up to 4 GB, and this one has more; name an .mp4")

    def close(self):
        """Write the file's length into its head."""
        length = self._file.tell() - 8
        self._file.seek(4)
        self._file.write(struct.pack("<I", length))


def _three(*numbers):
    """Return whole numbers as three bytes each."""
    return b"".join(struct.pack("<I", number)[:3] for number in numbers)


def _write_chunk(file, name, content):
    file.write(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2))


def _bitstream(data):
    """Return the chunk of a still WebP that has the pixels, name and length included."""
    start = 12
    while start < len(data):
        name, length = struct.unpack_from("<4sI", data, start)
        stop = start + 8 + length + length % 2
        if name in (b"VP8 ", b"VP8L"):
            return data[start:stop]
        start = stop
    raise ValueError("no picture in what Pillow compressed")
