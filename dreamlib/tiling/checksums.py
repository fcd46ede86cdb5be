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

    def fault(self, path, besides=()):
        """Say what is wrong with a file.

        Parameters
        ----------
        path : str or Path
        besides : iterable of Window
            Where nothing is expected.

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
        besides = self._touched(besides)
        try:
            for number, (block, known) in enumerate(zip(self._blocks, self._known)):
                if number not in besides and checksum(canvas, block) != known:
                    rows = f"rows {block.top} to {block.top + block.height - 1}"
                    columns = f"columns {block.left} to {block.left + block.width - 1}"
                    return f"was altered, in {rows}, {columns}"
        finally:
            canvas.close()
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


def _blocks(start, length, size):
    """Return the numbers of the blocks that a stretch of a closed axis touches: a set."""
    count = -(-size // BLOCK)
    first, last = start % size // BLOCK, (start + length - 1) % size // BLOCK
    if length >= size:
        return set(range(count))
    if start // size == (start + length - 1) // size:
        return set(range(first, last + 1))
    return {*range(last + 1), *range(first, count)}
