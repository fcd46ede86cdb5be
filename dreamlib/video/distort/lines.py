"""Rows or columns of a picture, some at a time, as contiguous lines."""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK

#: How an axis is written.
AXES = ("rows", "cols")


def lines_of(picture, axis):
    """Yield the rows or columns of a picture; what is changed in them changes in the picture.

    Parameters
    ----------
    picture : (H, W, 3) ndarray
    axis : {'rows', 'cols'}

    Yields
    ------
    first : int
        Number of the first line.
    lines : (n, length, 3) ndarray
        Rows as they lie; columns as a copy of bounded size, that is written back when the next are
        asked for: memory is walked along its rows, not column by column.
    """
    across = picture if axis == "rows" else picture.transpose(1, 0, 2)
    count = max(1, BLOCK // max(1, across.shape[1]))
    for first in range(0, across.shape[0], count):
        there = across[first : first + count]
        if axis == "rows":
            yield first, there
        else:
            lines = np.ascontiguousarray(there)
            yield first, lines
            there[:] = lines
