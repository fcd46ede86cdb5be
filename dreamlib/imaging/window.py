"""Windows on a picture, and what they find beyond its borders."""

from __future__ import annotations

from typing import NamedTuple

#: Axes (rows, columns) along which a picture closes in itself. The others are mirrored beyond its
#: borders, so that a window sees neither the opposite border nor an edge.
WRAPS = {"none": (False, False), "horizontal": (False, True), "both": (True, True)}


class Window(NamedTuple):
    """A rectangle of pixels; parts of it may lie beyond the picture."""

    top: int
    left: int
    height: int
    width: int


class Run(NamedTuple):
    """A stretch of a window's axis that follows the picture's pixels, or runs against them."""

    there: slice  #: in the window
    here: slice  #: in the picture
    step: int  #: 1, or -1 where mirrored


def runs_of(start, length, size, closed):
    """Cut a window's axis into stretches that lie within the picture.

    Parameters
    ----------
    start, length : int
        Of the window, in pixels; `start` may be negative.
    size : int
        Of the picture.
    closed : bool
        Whether the axis closes in itself; else it is mirrored.

    Yields
    ------
    Run
    """
    position = start
    while position < start + length:
        lap, place = divmod(position, size)
        count = min(size - place, start + length - position)
        there = slice(position - start, position - start + count)
        if closed or lap % 2 == 0:
            yield Run(there, slice(place, place + count), 1)
        else:
            yield Run(there, slice(size - place - count, size - place), -1)
        position += count
