"""A mask: how much each place is dreamt, from a grey picture of any size."""

from __future__ import annotations

import math

import numpy as np

from dreamlib.imaging.alpha import laid_strips
from dreamlib.imaging.color import luminance_of
from dreamlib.imaging.filters import mirrored
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import WRAPS, to_levels, white_of

#: Most pixels of a mask in memory, a byte each; a larger file is made smaller as it is read.
MOST_PIXELS = 1 << 24

#: Pixels of the file read at a time.
STRIP = 1 << 19


class Mask:
    """A grey picture, stretched over the picture that is dreamt: white is 1, black 0.

    Parameters
    ----------
    grey : (H, W) ndarray of uint8
    """

    def __init__(self, grey):
        self._grey = grey

    @classmethod
    def read(cls, path, most_pixels=MOST_PIXELS):
        """Read a mask from a picture file: its luminance; what is transparent is black.

        Parameters
        ----------
        path : str
        most_pixels : int

        Returns
        -------
        Mask

        Raises
        ------
        DreamError
            There is no picture, with the reason.
        """
        return cls(_as_grey(open_picture(str(path), 0, "", "strip"), most_pixels))

    def part(self, window, size, wrap="none"):
        """Resample a part of the mask, linearly.

        Parameters
        ----------
        window : dreamlib.imaging.picture.Window
            Within the picture or its octave; beyond borders as in a canvas.
        size : (height, width)
            Of the picture or octave.
        wrap : {'none', 'horizontal', 'both'}

        Returns
        -------
        (window.height, window.width) ndarray of float32
            From 0 to 1.
        """
        rows, columns = (
            _taps(start, length, side, own_side, closed)
            for start, length, side, own_side, closed in zip(
                window[:2], window[2:], size, self._grey.shape, WRAPS[wrap]
            )
        )
        # Only what the window needs becomes floating point, its rows first.
        first, last = min(columns[0].min(), columns[1].min()), columns[1].max() + 1
        before, after, share = rows
        narrow = self._grey[before, first:last].astype(np.float32)
        narrow += share[:, None] * (self._grey[after, first:last] - narrow)
        before, after, share = columns
        part = narrow[:, before - first]
        part += share * (narrow[:, after - first] - part)
        part /= 255
        return part


def over_grid(part, grid):
    """Average a mask's part over the places of a layer.

    Parameters
    ----------
    part : (h, w) ndarray of float32
    grid : (rows, columns)
        Of the layer: its places divide the part evenly.

    Returns
    -------
    (rows, columns) ndarray of float32
    """
    for axis, (side, count) in enumerate(zip(part.shape, grid)):
        starts = np.arange(count) * side // count
        # Where the layer is finer than the picture several of its places have one pixel.
        sizes = np.maximum(1, np.diff(starts, append=side)).astype(np.float32)
        part = np.add.reduceat(part, starts, axis=axis)
        part /= sizes[:, None] if axis == 0 else sizes
    return part


def _taps(start, length, side, own_side, closed):
    """Return, for each pixel of an axis, the mask's pixels on either side and the latter's share.

    Pixels of both are areas; the mask covers the whole picture and continues evenly at its ends.
    """
    place = np.arange(start, start + length)
    if closed:
        place %= side
    else:
        place = mirrored(place, side)
    position = np.clip((place + 0.5) * (own_side / side) - 0.5, 0, own_side - 1)
    before = position.astype(np.intp)
    after = np.minimum(before + 1, own_side - 1)
    return before, after, (position - before).astype(np.float32)


def _as_grey(picture, most_pixels):
    """Make a picture grey, of at most `most_pixels` pixels, each the mean of a square: uint8."""
    height, width, black = picture.height, picture.width, 0
    factor = max(1, math.ceil(math.sqrt(height * width / most_pixels)))
    grey = np.empty((-(-height // factor), -(-width // factor)), np.uint8)
    starts = [np.arange(0, side, factor) for side in (height, width)]
    counts = [np.diff(edges, append=side) for edges, side in zip(starts, (height, width))]
    rows = factor * max(1, STRIP // (factor * width))
    for top, pixels in laid_strips(picture, rows, black):
        luminance = luminance_of(pixels.astype(np.float32))
        luminance *= 255 / white_of(picture.dtype)
        if factor > 1:
            rows = np.arange(0, len(pixels), factor)
            luminance = np.add.reduceat(luminance, rows, axis=0)
            luminance = np.add.reduceat(luminance, starts[1], axis=1)
            luminance /= counts[1]
            luminance /= counts[0][top // factor :][: len(rows), None]
        to_levels(luminance, out=grey[top // factor :][: len(luminance)])
    return grey
