"""Checksums of canvases in files, by blocks: what was cut, lost or altered is found at resuming."""

from __future__ import annotations

import os
import zlib

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import Canvas
from dreamlib.util.own_folder import FLAGS

#: Side of a block in pixels: small beside a picture, and not many of them in a journal.
BLOCK = 512


def checksum(canvas, window):
    """Return the CRC-32 of a window's pixels.

    Parameters
    ----------
    canvas : dreamlib.tiling.canvas.Canvas
    window : Window

    Returns
    -------
    int
    """
    return zlib.crc32(canvas.read(window))


class Checksums:
    """The checksums of a canvas's blocks; computed when they are asked for, of what has changed.

    Parameters
    ----------
    height, width : int
    dtype : numpy dtype
    known : list of int, optional
        Row by row; by default none is.
    """

    def __init__(self, height, width, dtype, known=None):
        self._shape = height, width, np.dtype(dtype)
        self._blocks = [
            Window(top, left, min(BLOCK, height - top), min(BLOCK, width - left))
            for top in range(0, height, BLOCK)
            for left in range(0, width, BLOCK)
        ]
        self._across = -(-width // BLOCK)
        self._known = known or [None] * len(self._blocks)

    @classmethod
    def from_dict(cls, values):
        """Make them of what `to_dict` gave."""
        return cls(values["height"], values["width"], values["dtype"], values["crc32"])

    def to_dict(self, path):
        """Return all of them, those of changed blocks by reading the file.

        Parameters
        ----------
        path : str or Path
            Of the canvas.

        Returns
        -------
        dict
            Of what JSON knows.
        """
        if None in self._known:
            canvas = self._opened(path)
            for number, block in enumerate(self._blocks):
                if self._known[number] is None:
                    self._known[number] = checksum(canvas, block)
            canvas.close()
        height, width, dtype = self._shape
        return {"height": height, "width": width, "dtype": dtype.name, "crc32": self._known}

    def change(self, windows):
        """Note that pixels have changed.

        Parameters
        ----------
        windows : iterable of Window
            They may pass borders of a closed canvas.
        """
        for number in self._touched(windows):
            self._known[number] = None

    def beside(self, path, windows):
        """Return the checksums of the blocks that some windows touch, without what is in those.

        Parameters
        ----------
        path : str or Path
            Of the canvas.
        windows : iterable of Window
            They may pass borders of a closed canvas.

        Returns
        -------
        dict of int -> int
            By the blocks' numbers.
        """
        touching = {}
        for window in windows:
            for number in self._touched([window]):
                touching.setdefault(number, []).append(window)
        canvas = self._opened(path)
        try:
            return {
                number: self._beside(canvas, self._blocks[number], its)
                for number, its in touching.items()
            }
        finally:
            canvas.close()

    def _beside(self, canvas, block, windows):
        pixels, (height, width, _) = canvas.read(block), self._shape
        for window in windows:
            for top in range(window.top % height - height, block.top + block.height, height):
                for left in range(window.left % width - width, block.left + block.width, width):
                    first, last = max(0, top - block.top), top + window.height - block.top
                    start, stop = max(0, left - block.left), left + window.width - block.left
                    pixels[first : max(0, last), start : max(0, stop)] = 0
        return zlib.crc32(pixels)

    def fault(self, path, changing=(), beside=None):
        """Say what is wrong with a file.

        Parameters
        ----------
        path : str or Path
        changing : iterable of Window
            Where nothing is expected.
        beside : dict of int -> int
            What `beside` gave for these.

        Returns
        -------
        str or None
            None where all is as it was.
        """
        if not os.path.lexists(path):
            return "is missing"
        try:
            canvas = self._opened(path)
        except DreamError as error:
            return f"is not what it was: {error}"
        touched = self._touched(changing)
        try:
            for number, (block, known) in enumerate(zip(self._blocks, self._known)):
                if number not in touched and checksum(canvas, block) != known:
                    return _altered(block)
        finally:
            canvas.close()
        if touched:
            now = self.beside(path, changing)
            for number in touched:
                if now[number] != beside.get(number):
                    return _altered(self._blocks[number])
        return None

    def _opened(self, path):
        return Canvas(*self._shape, "none", path, os.O_RDONLY | FLAGS)

    def _touched(self, windows):
        """Return the numbers of the blocks that some windows touch: a set."""
        height, width, _ = self._shape
        touched = set()
        for window in windows:
            rows = _blocks(window.top, window.height, height)
            columns = _blocks(window.left, window.width, width)
            touched |= {row * self._across + column for row in rows for column in columns}
        return touched


def _altered(block):
    rows = f"rows {block.top} to {block.top + block.height - 1}"
    columns = f"columns {block.left} to {block.left + block.width - 1}"
    return f"was altered, in {rows}, {columns}"


def _blocks(start, length, size):
    """Return the numbers of the blocks that a stretch of a closed axis touches: a set."""
    count = -(-size // BLOCK)
    first, last = start % size // BLOCK, (start + length - 1) % size // BLOCK
    if length >= size:
        return set(range(count))
    if start // size == (start + length - 1) // size:
        return set(range(first, last + 1))
    return {*range(last + 1), *range(first, count)}
