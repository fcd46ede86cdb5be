"""Views: random looks at a picture, and the way of their gradients back onto it.

Whoever judges a picture by one fixed look at it is pleased by patterns that no one else sees. A
view is moved, turned, nearer or farther, tinted and noisy, so that what pleases in all of them is a
shape. All is written with operators that NumPy's arrays and PyTorch's tensors share.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dreamlib.imaging.filters import mirrored

#: Share of a view's side by which places are drawn beyond the borders, and then moved inside: else
#: what lies near them would hardly ever be seen.
BEYOND = 0.25

#: How far the places that are seen less are helped: 0 not at all, 1 to equal strength. And the
#: least share of the most seen place's coverage that is reckoned with.
HELP, LEAST_SEEN = 0.7, 0.05

#: Sides and places that the mean coverage is reckoned from.
SIDES, PLACES = 8, 64


class Viewing(NamedTuple):
    """How views are drawn."""

    nearest: float  #: side of a view of the picture, relative to the network's input
    farthest: float
    turn: float  #: largest angle, in degrees
    tint: float  #: largest change of each colour, in grey levels
    noise: float  #: added to every value, from 0 to this, in grey levels


class View(NamedTuple):
    """One look at a picture: what a network is shown of it."""

    middle: tuple  #: (row, column) of its centre, in pixels
    scale: float  #: pixels of the picture to one of the main network's input
    angle: float  #: in radians
    gain: np.ndarray  #: (3,) float32, factors of red, green and blue
    shift: np.ndarray  #: (3,) float32, then added, in grey levels
    noise: float
    seed: int  #: of the noise

    def noise_of(self, grid):
        """Return the view's noise on a grid.

        Parameters
        ----------
        grid : (rows, columns)

        Returns
        -------
        (3, rows, columns) ndarray of float32
            From 0 to `noise`, for red, green and blue.
        """
        noise = np.random.RandomState(self.seed).random_sample((3, *grid)).astype(np.float32)
        noise *= self.noise
        return noise


def draw_view(random, viewing, shape, side):
    """Draw a view.

    Parameters
    ----------
    random : numpy.random.RandomState
    viewing : Viewing
    shape : (height, width)
        Of the picture.
    side : int
        Of the main network's input, in pixels.

    Returns
    -------
    View
    """
    scale = random.uniform(viewing.nearest, viewing.farthest)
    middle = tuple(
        _start(random.uniform(), length, scale * side) + (scale * side - 1) / 2 for length in shape
    )
    tint = viewing.tint / 255
    return View(
        middle,
        scale,
        math.radians(random.uniform(-viewing.turn, viewing.turn)),
        np.exp(random.uniform(-2 * tint, 2 * tint, 3)).astype(np.float32),
        random.uniform(-viewing.tint, viewing.tint, 3).astype(np.float32),
        viewing.noise,
        int(random.randint(2**31)),
    )


def _start(share, length, side):
    """Return where a view of a side begins on an axis, for a `share`, 0 to 1, of the places.

    An axis shorter than that is in its middle.
    """
    free = length - side
    if free <= 0:
        return free / 2
    beyond = min(free, BEYOND * side)
    return min(max(share * (free + 2 * beyond) - beyond, 0), free)


def coverage(viewing, shape, side):
    """Return how much each place is to be helped for being seen less than others.

    Parameters
    ----------
    viewing, shape, side
        As for `draw_view`.

    Returns
    -------
    (height, width) ndarray of float32
        Factors; 1 where views are densest.
    """
    seen = np.zeros(shape, np.float32)
    for number in range(SIDES):
        share = (number + 0.5) / SIDES
        view = (viewing.nearest + (viewing.farthest - viewing.nearest) * share) * side
        rows, columns = (_seen(length, view) for length in shape)
        seen += np.multiply.outer(rows, columns)
    seen /= seen.max()
    np.maximum(seen, LEAST_SEEN, out=seen)
    return seen**-HELP


def _seen(length, side):
    """Return the share of views of a side that see each pixel of an axis."""
    changes = np.zeros(length + 1, np.float32)
    for number in range(PLACES):
        start = _start((number + 0.5) / PLACES, length, side)
        changes[max(0, round(start))] += 1 / PLACES
        changes[min(length, round(start + side))] -= 1 / PLACES
    return np.cumsum(changes[:-1])


class Look:
    """The pixels of a picture that make a view on a grid, and their shares: linear both ways.

    Parameters
    ----------
    view : View
    shape : (height, width)
        Of the picture, which is mirrored beyond its borders.
    grid : (rows, columns)
        Of the network's input.
    side : int
        Of the main network's input: `grid` shows the same.
    on_device : callable
        Puts an array where the picture is.
    """

    def __init__(self, view, shape, grid, side, on_device):
        self._grid = grid
        step = view.scale * side / max(grid)
        down, right = (
            (np.arange(count, dtype=np.float32) - (count - 1) / 2) * step for count in grid
        )
        cos, sin = math.cos(view.angle), math.sin(view.angle)
        rows = view.middle[0] + cos * down[:, None] + sin * right
        columns = view.middle[1] - sin * down[:, None] + cos * right
        row, column = np.floor(rows), np.floor(columns)
        low, after = rows - row, columns - column
        row, column = row.astype(np.int64), column.astype(np.int64)
        up, left = (
            (mirrored(first, side), mirrored(first + 1, side))
            for first, side in ((row, shape[0]), (column, shape[1]))
        )
        # Only the part of the picture that is seen is gone over.
        self._part = tuple(
            slice(min(a.min(), b.min()), max(a.max(), b.max()) + 1) for a, b in (up, left)
        )
        top, first = (part.start for part in self._part)
        self._across = self._part[1].stop - first
        places = [(a - top) * self._across + (b - first) for a in up for b in left]
        shares = [a * b for a in (1 - low, low) for b in (1 - after, after)]
        self._places = on_device(np.stack(places))
        self._shares = on_device(np.stack(shares).astype(np.float32))

    def at(self, picture):
        """Return what the view shows.

        Parameters
        ----------
        picture : (C, h, w) ndarray or tensor of float32

        Returns
        -------
        (C, rows, columns) of float32
            A new one.
        """
        seen = _empty_like(picture, (len(picture), *self._grid))
        for plane, out in zip(picture, seen):
            values = plane[self._part].reshape(-1)[self._places]
            values *= self._shares
            out[:] = values.sum(0)
        return seen

    def put_back(self, gradient, picture):
        """Add the gradient at a view to that at the picture, in place: the transpose of `at`.

        Parameters
        ----------
        gradient : (3, rows, columns) ndarray or tensor of float32
        picture : (3, h, w) ndarray or tensor of float32
            Changed.
        """
        places = self._places.reshape(-1)
        for plane, target in zip(gradient, picture):
            part = target[self._part]
            values = (self._shares * plane).reshape(-1)
            part += _gathered(places, values, part.shape[0] * self._across).reshape(part.shape)


def _empty_like(picture, shape):
    if isinstance(picture, np.ndarray):
        return np.empty(shape, np.float32)
    return picture.new_empty(shape)


def _gathered(places, values, count):
    """Add up the values of each place: (count,) of float32."""
    if isinstance(values, np.ndarray):
        return np.bincount(places, values, count).astype(np.float32)
    return values.new_zeros(count).index_add_(0, places, values)
