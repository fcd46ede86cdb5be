"""What is transparent: colours that nobody sees, and pictures that are laid on white.

Programs leave anything under an alpha of 0: black, an older picture, noise. The network would see
it, and a format without alpha would show it. So it gives way to the colours around it, by push and
pull (Gortler et al., "The Lumigraph", 1996) from the means of small blocks, which strips suffice
for; visible pixels stay as they are.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import to_levels, white_of
from dreamlib.imaging.resample import STRIP

#: Pixels along the side of a block, at least; and blocks of a picture, at most.
SIDE, MOST_BLOCKS = 8, 1 << 18


class Surroundings:
    """The colours around hidden pixels, of a picture that is seen once by strips.

    Parameters
    ----------
    height, width : int
        Of the picture.
    """

    def __init__(self, height, width):
        self._side = SIDE
        while -(-height // self._side) * -(-width // self._side) > MOST_BLOCKS:
            self._side *= 2
        blocks = -(-height // self._side), -(-width // self._side)
        self._sums = np.zeros((*blocks, 4), np.float32)  # red, green, blue times alpha; alpha
        self._width, self._hidden, self._colours = width, False, None

    def see(self, top, pixels, alpha):
        """Look at a strip.

        Parameters
        ----------
        top : int
        pixels : (h, W, 3) ndarray
        alpha : (h, W) ndarray of uint8 or uint16
        """
        self._hidden = self._hidden or not alpha.all()
        columns = np.arange(0, self._width, self._side)
        for first, rows in self._pieces(top, len(pixels)):
            opaque = np.float32(alpha[rows]) / white_of(alpha.dtype)
            sums = self._sums[(top + first) // self._side]
            sums[:, 3] += np.add.reduceat(opaque.sum(0), columns)
            for channel in range(3):
                seen = (pixels[rows, :, channel] * opaque).sum(0)
                sums[:, channel] += np.add.reduceat(seen, columns)

    def fill(self, top, pixels, alpha):
        """Replace the hidden colours of a strip, in place, once all strips have been seen.

        Where all of the picture is hidden they stay.

        Parameters
        ----------
        top : int
        pixels : (h, W, 3) ndarray
            Changed in place.
        alpha : (h, W) ndarray
        """
        if not self._hidden or not self._sums[..., 3].any():
            return
        if self._colours is None:
            self._colours = _spread(self._sums)
        columns = (np.arange(self._width) + 0.5) / self._side - 0.5
        for first, rows in self._pieces(top, len(pixels)):
            hidden = alpha[rows] == 0
            if hidden.any():
                below = np.arange(top + first, top + first + len(hidden))
                colours = _between(self._colours, (below + 0.5) / self._side - 0.5, columns)
                pixels[rows][hidden] = np.rint(colours[hidden])

    def _pieces(self, top, height):
        """Cut a strip where blocks begin: first row of each piece, and its slice."""
        first = 0
        while first < height:
            stop = min(height, first + self._side - (top + first) % self._side)
            yield first, slice(first, stop)
            first = stop


def _spread(sums):
    """Turn sums of colours and alpha into colours, (h, w, 3); where there is none, of afar."""
    weights = sums[..., 3:]
    known = weights > 0
    colours = np.divide(sums[..., :3], weights, out=np.zeros_like(sums[..., :3]), where=known)
    if not known.all():
        height, width = known.shape[:2]
        even = np.pad(sums, ((0, height % 2), (0, width % 2), (0, 0)))
        coarse = even.reshape(len(even) // 2, 2, -1, 2, 4).sum((1, 3))
        places = [(np.arange(side) + 0.5) / 2 - 0.5 for side in (height, width)]
        np.copyto(colours, _between(_spread(coarse), *places), where=~known)
    return colours


def _between(grid, rows, columns):
    """Interpolate a grid linearly, evenly beyond its ends: (rows, columns, 3) float32."""
    for axis, places in enumerate((rows, columns)):
        places = np.clip(places, 0, grid.shape[axis] - 1)
        before = places.astype(np.intp)
        after = np.minimum(before + 1, grid.shape[axis] - 1)
        share = np.float32(places - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        first = np.take(grid, before, axis)
        grid = first + share * (np.take(grid, after, axis) - first)
    return grid


def filled(pixels, alpha):
    """Replace the hidden colours of a picture, in place.

    Parameters
    ----------
    pixels : (H, W, 3) ndarray
        Changed in place where `alpha` is 0.
    alpha : (H, W) ndarray of uint8 or uint16
    """
    if not alpha.all():
        around = Surroundings(*alpha.shape)
        around.see(0, pixels, alpha)
        around.fill(0, pixels, alpha)


def lay(pixels, alpha, level=1.0):
    """Lay a picture on grey, in place: what formats without alpha show.

    Parameters
    ----------
    pixels : (H, W, 3) ndarray of uint8, uint16 or float32
        Changed in place; whole numbers are rounded. Scratch is a few blocks of rows.
    alpha : (H, W) ndarray of uint8 or uint16
    level : float
        0 is black, 1 white.
    """
    ground, rows = level * white_of(pixels.dtype), max(1, BLOCK // max(1, pixels[:1].size))
    for top in range(0, len(pixels), rows):
        part = pixels[top : top + rows]
        opaque = np.float32(alpha[top : top + rows, :, None]) / white_of(alpha.dtype)
        to_levels(np.float32(ground) + opaque * (part - np.float32(ground)), out=part)


def laid_strips(picture, rows, level=1.0):
    """Give a picture from top to bottom, laid on grey where it is transparent.

    Parameters
    ----------
    picture : picture
        See `dreamlib.imaging.picture`.
    rows : int
        Height of a strip; the last may be lower.
    level : float
        0 is black, 1 white.

    Yields
    ------
    top : int
    pixels : (h, W, 3) ndarray
        The caller's own where the picture is transparent.
    """
    if not picture.has_alpha:
        yield from picture.strips(rows)
        return
    for top, pixels, alpha in picture.layers(rows):
        pixels = pixels.copy()
        lay(pixels, alpha, level)
        yield top, pixels


def shrunken_alpha(picture, side, window):
    """Average the alpha of a part of a picture down, to lay small copies on white.

    Parameters
    ----------
    picture : picture
        See `dreamlib.imaging.picture`.
    side : int
        The longer one of the result, at most.
    window : dreamlib.imaging.picture.Window
        The part.

    Returns
    -------
    (h, w) ndarray of uint8, or None
        None of an opaque picture.
    """
    if not picture.has_alpha:
        return None
    factor = max(1, -(-max(window.height, window.width) // side))
    rows, columns = max(1, window.height // factor), max(1, window.width // factor)
    sums = np.zeros((rows, columns), np.float32)
    for top, _, alpha in picture.layers(max(1, STRIP // picture.width)):
        first, stop = max(top, window.top), min(top + len(alpha), window.top + rows * factor)
        if first < stop:
            part = alpha[first - top : stop - top, window.left : window.left + columns * factor]
            across = part.reshape(len(part), columns, -1).sum(2, dtype=np.float32)
            np.add.at(sums, (np.arange(first, stop) - window.top) // factor, across)
            white = white_of(alpha.dtype)
    return np.uint8(np.rint(sums * np.float32(255 / white / (factor * factor))))
