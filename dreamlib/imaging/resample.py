"""Linear resampling between octaves, and their sizes.

The corners of both grids are aligned: the arithmetic, to the bit, of the notebook's
``scipy.ndimage.zoom(..., order=1)``, but by strips of rows, so that it needs no temporaries of the
picture's size and can shrink a picture within its own buffer.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK

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
    rows = Taps(plane.shape[0], size[0], top, bottom)
    columns = Taps(plane.shape[1], size[1])
    return resample_window(
        plane[rows.first : rows.stop, columns.first : columns.stop], rows, columns
    )


def resample_window(window, rows, columns):
    """Resample a part of a plane.

    Parameters
    ----------
    window : (h, w) ndarray
        The rows and columns from ``first`` to ``stop`` of the taps. Not changed.
    rows, columns : Taps

    Returns
    -------
    ndarray of float64
        A row and a column for each of the taps.
    """
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


def strips(height, width, pixels=STRIP, least=STRIP_ROWS):
    """Cut a picture into strips of rows.

    Parameters
    ----------
    height, width : int
        Of the picture.
    pixels : int
        In a strip, at most.
    least : int
        Rows of a strip, even where these are more pixels.

    Yields
    ------
    (top, bottom) : (int, int)
    """
    rows = max(least, pixels // max(1, width))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


class Taps:
    """The two old samples, and their weights, that each of the new samples lies between.

    Parameters
    ----------
    length, new_length : int
        Samples on the axis.
    start, stop : int
        The new samples; by default all.

    Attributes
    ----------
    before, after : (stop - start,) ndarray of int
    first, stop : int
        The old samples that are needed.
    """

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
        """Return old samples and their weights: those before, those after."""
        return (self.before, self.weight_before), (self.after, self.weight_after)


class RingTaps(Taps):
    """The same on an axis that closes in itself: nothing is beyond its ends.

    Samples are as far apart from the last to the first as everywhere. Indices may lie beyond the
    ends, as those of a `dreamlib.imaging.picture.Window`.
    """

    def __init__(self, length, new_length, start=0, stop=None):
        stop = new_length if stop is None else stop
        position = (np.arange(start, stop) + RING_ORIGIN) * (length / new_length) - RING_ORIGIN
        self.before = np.floor(position).astype(np.intp)
        self.after = self.before + 1
        self.weight_after = position - self.before
        self.weight_before = 1.0 - self.weight_after
        self.first, self.stop = int(self.before[0]), int(self.after[-1]) + 1
