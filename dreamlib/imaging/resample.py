"""The pyramid of the dream: sizes of the octaves, and pictures carried between them.

Resampling is linear, with the corners of both grids aligned: the arithmetic, to the bit, of the
notebook's ``scipy.ndimage.zoom(..., order=1)``, but by strips of rows, so that it needs no
temporaries of the picture's size and can shrink a picture within its own buffer.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.window import Window

#: Pixels of a strip of a chained picture, and its least height: rows at its edges are made twice.
STRIP, STRIP_ROWS = 1 << 19, 16

#: Where on a ring the octaves' grids meet, in pixels from the first one. Interpolation is softest
#: there and sharpest half a pixel on; so it meets where the closing seam is as soft as the mean.
RING_ORIGIN = -0.375


def octave_sizes(height, width, octave_n=4, octave_scale=1.4):
    """Sizes of the octaves, smallest first; the last is the picture's own.

    Each is the next larger one divided by `octave_scale` and rounded, as in the notebook, so
    rounding adds up from octave to octave.

    Parameters
    ----------
    height, width : int
        Size of the picture in pixels.
    octave_n : int
        Number of octaves, at least 1.
    octave_scale : float
        Ratio between neighbouring octaves, above 1.

    Returns
    -------
    list of (height, width)
    """
    sizes = [(int(height), int(width))]
    for _ in range(octave_n - 1):
        sizes.append(tuple(round(side * (1.0 / octave_scale)) for side in sizes[-1]))
    return sizes[::-1]


def resize(image, out):
    """Resample a picture into another buffer.

    Parameters
    ----------
    image : (C, H, W) ndarray of float32
        Not changed.
    out : (C, h, w) ndarray of float32
        Overwritten; must not overlap `image`, but see `shrink_in_place`.
    """
    for plane, target in zip(image, out):
        for top, bottom in strips(*target.shape, BLOCK, 1):
            target[top:bottom] = _resized_rows(plane, target.shape, top, bottom)


def shrink_in_place(buffer, channels, size, new_size):
    """Shrink the picture that lies at the start of a buffer, within that buffer.

    The shrunk rows are written behind the read ones: a row of the result never lies beyond the rows
    of the source that later strips still read.

    Parameters
    ----------
    buffer : (N,) ndarray of float32
        Holds a contiguous ``(channels, *size)`` picture at its start; on return a contiguous
        ``(channels, *new_size)`` picture.
    channels : int
    size, new_size : (height, width)
        `new_size` no larger than `size`, in either direction.

    Returns
    -------
    (channels, *new_size) ndarray
        A view of the start of `buffer`.
    """
    if new_size[0] > size[0] or new_size[1] > size[1]:
        raise ValueError(f"shrinking {size} cannot give {new_size}")
    small = as_picture(buffer, channels, new_size)
    resize(as_picture(buffer, channels, size), small)
    return small


def as_picture(buffer, channels, size):
    """View the start of a flat buffer as a picture.

    Parameters
    ----------
    buffer : (N,) ndarray
    channels : int
    size : (height, width)

    Returns
    -------
    (channels, height, width) ndarray
    """
    height, width = size
    return buffer[: channels * height * width].reshape(channels, height, width)


def _resized_rows(plane, size, top, bottom):
    """Rows `top` to `bottom` of a plane resampled to `size`, as a new float64 array."""
    rows = _Taps(plane.shape[0], size[0], top, bottom)
    columns = _Taps(plane.shape[1], size[1])
    return _between(plane[rows.first : rows.stop, columns.first : columns.stop], rows, columns)


def _between(window, rows, columns):
    """Resample a window of a plane, which begins at the first taps; gives float64."""
    window = window.astype(np.float64)
    # In scipy's order: each value times its row's weight, then its column's, summed row by row.
    total = np.zeros((len(rows.before), len(columns.before)))
    for row, row_weight in rows.pairs():
        weighted = window[row - rows.first]
        weighted *= row_weight[:, None]
        for column, column_weight in columns.pairs():
            term = weighted[:, column - columns.first]
            term *= column_weight
            total += term
    return total


# Pictures of any size, made part by part when they are asked for: an object with a `size` (height,
# width) and a method `rows(top, bottom, left=0, right=None)`, which gives a (3, bottom - top,
# right - left) ndarray of float32. Chained, they hold a strip each, never a picture.


class Stored:
    """The picture on a canvas, in the network's values.

    Parameters
    ----------
    canvas : dreamlib.tiling.canvas.Canvas
    encoding : dreamlib.tiling.quantize.Encoding
    size : (height, width), optional
        Of the picture of which the canvas is a part; by default it is all of it.
    corner : (top, left)
        Where in the picture the canvas lies.
    """

    def __init__(self, canvas, encoding, size=None, corner=(0, 0)):
        self.size = size or canvas.shape[:2]
        self.canvas, self._encoding, self._corner = canvas, encoding, corner

    def rows(self, top, bottom, left=0, right=None):
        """Read and decode a part."""
        right = self.size[1] if right is None else right
        there = Window(top - self._corner[0], left - self._corner[1], bottom - top, right - left)
        out = np.empty((3, there.height, there.width), np.float32)
        return self._encoding.decode(self.canvas.read(there), out)


class Resized:
    """Another such picture resampled.

    Parameters
    ----------
    picture : Stored, Resized or Combined
    size : (height, width)
    closed : (bool, bool)
        Axes that close in themselves: there the first pixel follows the last one, and a part may
        lie beyond the borders.
    """

    def __init__(self, picture, size, closed=(False, False)):
        self.size = size
        self._picture, self._closed = picture, closed

    def rows(self, top, bottom, left=0, right=None):
        """Resample a part."""
        rows, columns = (
            (_RingTaps if closed else _Taps)(*ends)
            for closed, *ends in zip(
                self._closed, self._picture.size, self.size, (top, left), (bottom, right)
            )
        )
        window = self._picture.rows(rows.first, rows.stop, columns.first, columns.stop)
        out = np.empty((3, len(rows.before), len(columns.before)), np.float32)
        for plane, target in zip(window, out):
            target[:] = _between(plane, rows, columns)
        return out


class Combined:
    """Two such pictures of one size, added or subtracted (`combine`: np.add, np.subtract)."""

    def __init__(self, combine, first, second):
        self.size = first.size
        self._combine, self._pictures = combine, (first, second)

    def rows(self, top, bottom, left=0, right=None):
        """Combine a part."""
        first, second = (picture.rows(top, bottom, left, right) for picture in self._pictures)
        return self._combine(first, second, out=first)


def octave_base(source, sizes, closed=(False, False)):
    """An octave of the undreamt picture, by the notebook's chain of reductions.

    Parameters
    ----------
    source : Stored
    sizes : list of (height, width)
        From the octave's own up to the source's.
    closed : (bool, bool)
        See `Resized`.
    """
    for size in sizes[-2::-1]:
        source = Resized(source, size, closed)
    return source


def carry_up(dreamt, source, sizes, closed=(False, False)):
    """An octave to be dreamt: its own base, and the detail dreamt on the one before.

    Parameters
    ----------
    dreamt : Stored
        The octave before.
    source : Stored
        The undreamt picture.
    sizes : list of (height, width)
        From the size of `dreamt` on to that of `source`.
    closed : (bool, bool)
        See `Resized`.
    """
    detail = Combined(np.subtract, dreamt, octave_base(source, sizes, closed))
    base = octave_base(source, sizes[1:], closed)
    return Combined(np.add, Resized(detail, sizes[1], closed), base)


def strips(height, width, pixels=STRIP, least=STRIP_ROWS):
    """Cut a picture into strips of rows.

    Parameters
    ----------
    height, width : int
        Of the picture.
    pixels : int
        In a strip, at most.
    least : int
        Rows of a strip all the same.

    Yields
    ------
    (top, bottom) : (int, int)
    """
    rows = max(least, pixels // max(1, width))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


class _Taps:
    """The two old samples, and their weights, that each of the new samples lies between."""

    def __init__(self, length, new_length, start=0, stop=None):
        stop = new_length if stop is None else stop
        spacing = (length - 1) / (new_length - 1) if new_length > 1 else 1.0
        position = np.arange(start, stop) * spacing
        before = np.floor(position)
        weight = 1.0 - (position - before)
        # Rounding can push the last sample an ulp beyond the edge. scipy then takes it for outside
        # and gives 0, the mean colour; so must we, to reproduce the notebook's pictures.
        inside = position <= length - 1
        self.before = np.minimum(before.astype(np.intp), length - 1)
        self.after = np.minimum(self.before + 1, length - 1)
        self.weight_before = weight * inside
        self.weight_after = (1.0 - weight) * inside
        self.first, self.stop = int(self.before[0]), int(self.after[-1]) + 1

    def pairs(self):
        return (self.before, self.weight_before), (self.after, self.weight_after)


class _RingTaps(_Taps):
    """The same on an axis that closes in itself: nothing is beyond its ends.

    Samples are as far apart from the last to the first as everywhere. Indices go on beyond the
    ends; whoever holds the pixels knows where they are.
    """

    def __init__(self, length, new_length, start=0, stop=None):
        stop = new_length if stop is None else stop
        position = (np.arange(start, stop) + RING_ORIGIN) * (length / new_length) - RING_ORIGIN
        self.before = np.floor(position).astype(np.intp)
        self.after = self.before + 1
        self.weight_after = position - self.before
        self.weight_before = 1.0 - self.weight_after
        self.first, self.stop = int(self.before[0]), int(self.after[-1]) + 1
