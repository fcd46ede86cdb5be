"""Schedules: which tiles of a picture are dreamt in a pass, and which of them at the same time.

A pass takes every pixel one step further. It consists of phases. The tiles of a phase change
different pixels, and see the picture as it was before the phase, so that their order, and who
steps on them, does not matter. Everything follows from seed, octave and number of the pass alone.

whole
    One tile, the whole picture: the notebook's step. Its jitter is where the window begins.
shift
    A grid moved by a random amount, up to a whole tile, before every pass. Tiles at a border are
    evened out, none smaller than half a tile. Around a tile the network sees `overlap` pixels more.
    Four phases, as of a chessboard of four colours.
spiral
    Overlapping tiles ring by ring from the centre, kept inside the picture, feathered into each
    other. Later tiles see what the earlier ones dreamt.
random
    Feathered crops, each around one of the places that have been dreamt least, until the picture
    has on average been dreamt once. What a pass covers unevenly the next ones even out.
windows
    Windows at random places, as class drawings take them: changed as a whole, without context or
    feathers, each step measured by the window's own gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.imaging.picture import WRAPS, Window
from dreamlib.tiling.axis import (
    cell_shares,
    cut,
    feathered_tiles,
    place_window,
    ramps,
    touched_cells,
)

#: Schedules by name, and those in which a pass changes a place more than once.
SCHEDULES = ("whole", "shift", "random", "spiral", "windows")
OVERLAPPING = ("random", "spiral", "windows")

#: Side, in pixels, of the cells on which coverage and dependence of tiles are reckoned; less for
#: tiles of less than two cells.
CELL = 32

#: Places whose coverage differs by less than this count as dreamt equally often.
COVERAGE_TIE = 0.1

#: Crops around that place to choose among: more make the coverage more even and less random.
CANDIDATES = 8


class Tile(NamedTuple):
    """A part of the picture, and what the network sees of it."""

    window: Window  #: what the network sees
    interior: Window  #: the part of `window` that is changed
    pixels: int  #: its share of the pass's pixel-steps
    row_weight: np.ndarray | None = None  #: of each row of the interior in the result; None is 1
    column_weight: np.ndarray | None = None


def interior_slices(tile):
    """Return the rows and the columns of a tile's window that are its interior.

    Parameters
    ----------
    tile : Tile

    Returns
    -------
    (slice, slice)
    """
    top, left = tile.interior.top - tile.window.top, tile.interior.left - tile.window.left
    return slice(top, top + tile.interior.height), slice(left, left + tile.interior.width)


def interior_of(image, tile):
    """View the interior of a window's picture (..., h, w).

    Parameters
    ----------
    image : (..., h, w) ndarray or tensor
    tile : Tile

    Returns
    -------
    (..., interior height, interior width) view
    """
    return image[(..., *interior_slices(tile))]


class Schedule:
    """The passes over one octave.

    Parameters
    ----------
    kind : {'whole', 'shift', 'random', 'spiral', 'windows'}
    size : (height, width)
        Of the octave.
    tile_size : int
        Largest side of a tile, without overlap. `whole` needs neither this nor the next.
    overlap : int
        Pixels around a tile of `shift`; width of the feathered band of `spiral` and `random`; not
        used by `windows`. At most half a tile.
    wrap : {'none', 'horizontal', 'both'}
    jitter : int
        Largest random displacement of the window where the tile itself cannot move: of a whole
        picture, and at borders.
    seed, octave : int
    steps_before : int
        Steps on all earlier octaves: the notebook's random numbers are counted through.

    Attributes
    ----------
    kind, size
        As given.
    """

    def __init__(
        self, kind, size, tile_size=512, overlap=32, wrap="none", jitter=32, seed=0, octave=0,
        steps_before=0,
    ):  # fmt: skip
        self.kind, self.size = kind, size
        self._tile, self._overlap, self._jitter = tile_size, overlap, jitter
        self._closed = WRAPS[wrap]
        self._seed, self._octave, self._steps_before = seed, octave, steps_before
        if kind == "whole":
            self._tile = max(size)
        if kind in ("whole", "windows"):
            self._overlap = 0
        self._cell = max(1, min(CELL, min(self._tile, *size) // 2))
        self._coverage = None
        self._covered_passes = []

    def phases(self, number):
        """Return a pass: a list of phases, each a list of `Tile`.

        Parameters
        ----------
        number : int
            Of the pass, from 0.

        Returns
        -------
        list of list of Tile
        """
        random = np.random.RandomState([self._seed, self._octave, number])
        if self.kind in ("whole", "shift"):
            return self._shifted(random, number)
        if self.kind == "spiral":
            return self._spiral(random)
        if self.kind == "windows":
            return self._windows(random, number)
        while len(self._covered_passes) <= number:  # each depends on the coverage so far
            self._covered_passes.append(self._crops(len(self._covered_passes)))
        return self._covered_passes[number]

    def measures_itself(self, phases):
        """Tell whether each tile of a pass is measured by its own gradient, not the picture's.

        Parameters
        ----------
        phases : list of list of Tile

        Returns
        -------
        bool
        """
        return self.kind == "windows" or len(phases) == len(phases[0]) == 1

    # -- whole, shift -----------------------------------------------------------------------------

    def _shifted(self, random, number):
        offsets = random.randint(0, self._tile, 2)
        slack = random.randint(0, self._jitter + 1, 2)
        if self.kind == "whole":
            offsets = -self._notebook_jitter(number)[::-1]
        axes = [
            [
                place_window(
                    start, length, side, closed, self._tile, self._overlap, near, self._jitter
                )
                for start, length in cut(side, self._tile, offset, closed)
            ]
            for side, offset, near, closed in zip(self.size, offsets, slack, self._closed)
        ]
        phases = {}
        for i, (row, rows) in enumerate(axes[0]):
            for j, (column, columns) in enumerate(axes[1]):
                window = Window(rows[0], columns[0], rows[1], columns[1])
                interior = Window(row[0], column[0], row[1], column[1])
                tile = Tile(window, interior, interior.height * interior.width)
                phases.setdefault((i % 2, j % 2), []).append(tile)
        return list(phases.values())

    def _notebook_jitter(self, number):
        """Return the numbers (to the right, downwards) that the notebook draws for this step."""
        step = self._steps_before + number
        random = np.random.RandomState(self._seed)
        return random.randint(-self._jitter, self._jitter + 1, (step + 1, 2))[step]

    # -- spiral -----------------------------------------------------------------------------------

    def _spiral(self, random):
        tile = min(self._tile, *self.size)
        overlap = min(self._overlap, tile // 2)
        axes = [
            feathered_tiles(side, tile, overlap, closed, random)
            for side, closed in zip(self.size, self._closed)
        ]
        places = [
            (max(abs(2 * i - len(axes[0]) + 1), abs(2 * j - len(axes[1]) + 1)), i % 2, j % 2, i, j)
            for i in range(len(axes[0]))
            for j in range(len(axes[1]))
        ]
        tiles = []
        for *_, i, j in sorted(places):
            (top, row_weight), (left, column_weight) = axes[0][i], axes[1][j]
            tiles.append((Window(top, left, tile, tile), row_weight, column_weight))
        return self._levels(self._feathered_tiles(tiles, random))

    # -- windows ----------------------------------------------------------------------------------

    def _windows(self, random, number):
        sides = [min(self._tile, side) for side in self.size]
        pixels, seen = self.size[0] * self.size[1], sides[0] * sides[1]
        # A pixel takes one step on average: what is left of a window is made up for in later
        # passes.
        count = -(-(number + 1) * pixels // seen) + (-number * pixels // seen)
        tiles = []
        for index in range(count):
            top, left = (
                self._window_place(random, side, length, closed)
                for side, length, closed in zip(self.size, sides, self._closed)
            )
            window = Window(top, left, *sides)
            share = (index + 1) * pixels // count - index * pixels // count
            tiles.append(Tile(window, window, share))
        return self._levels(tiles)

    def _window_place(self, random, side, length, closed):
        """Return where a window begins on an axis.

        Windows are drawn beyond the ends and moved inside, else the pixels near the ends would
        hardly ever be seen. One that cannot move is rolled by the jitter where the axis is closed,
        else the network's strides would draw a lattice.
        """
        free = side - length
        if not free:
            return int(random.randint(-self._jitter, self._jitter + 1)) if closed else 0
        beyond = min(free, length) // 4
        return int(np.clip(random.randint(-beyond, free + beyond + 1), 0, free))

    # -- random -----------------------------------------------------------------------------------

    def _crops(self, number):
        random = np.random.RandomState([self._seed, self._octave, number])
        tile = min(self._tile, *self.size)
        ramp = min(self._overlap, tile // 2)
        if self._coverage is None:
            self._coverage = np.zeros([-(-side // self._cell) for side in self.size])
        tiles = []
        while self._coverage.mean() < number + 1:
            place = self._least_covered(random, tile, ramp)
            weights = [
                ramps(tile, ramp if closed or start > 0 else 0,
                       ramp if closed or start + tile < side else 0)
                for start, side, closed in zip(place, self.size, self._closed)
            ]  # fmt: skip
            cells, shares = zip(
                *(
                    cell_shares(start, weight, side, self._cell)
                    for start, weight, side in zip(place, weights, self.size)
                )
            )
            self._coverage[np.ix_(*cells)] += np.multiply.outer(*shares)
            tiles.append((Window(*place, tile, tile), *weights))
        return self._levels(self._feathered_tiles(tiles, random))

    def _least_covered(self, random, tile, ramp):
        """Choose where a crop begins: around a place dreamt least, and least around it too."""
        lowest = np.flatnonzero(self._coverage < self._coverage.min() + COVERAGE_TIE)
        cell = np.unravel_index(lowest[random.randint(len(lowest))], self._coverage.shape)
        places = []
        for _ in range(CANDIDATES):
            place, cells = [], []
            for index, side, closed in zip(cell, self.size, self._closed):
                # The cell lies where the crop has its full weight, if there is room; a crop too
                # small for that may begin anywhere in the cell or a little before.
                nearest, farthest = sorted((ramp, tile - ramp - self._cell))
                start = int(index * self._cell - random.randint(nearest, farthest + 1))
                place.append(start % side if closed else min(max(start, 0), side - tile))
                cells.append(touched_cells(place[-1], tile, side, self._cell))
            places.append((self._coverage[np.ix_(*cells)].mean(), place))
        return min(places)[1]

    def _feathered_tiles(self, tiles, random):
        """Make tiles of (window, weights), which share the pass's pixel-steps by their weights.

        Windows stick out as in `place_window`, by the same number of pixels all around, so that all
        have one shape.
        """
        areas = np.array([rows.sum() * columns.sum() for _, rows, columns in tiles])
        ends = np.rint(np.cumsum(areas) / areas.sum() * (self.size[0] * self.size[1]))
        shares = np.diff(ends, prepend=0).astype(int)
        made = []
        for (interior, rows, columns), share in zip(tiles, shares):
            up, left = (int(number) for number in random.randint(0, self._jitter + 1, 2))
            window = Window(
                interior.top - up, interior.left - left,
                interior.height + self._jitter, interior.width + self._jitter,
            )  # fmt: skip
            made.append(Tile(window, interior, int(share), rows, columns))
        return made

    def _levels(self, tiles):
        """Put each tile of a sequence into the first phase after all whose pixels it sees."""
        done = np.zeros([-(-side // self._cell) for side in self.size], int)
        phases = []
        for tile in tiles:
            level = int(done[self._area(tile.window)].max())
            done[self._area(tile.interior)] = level + 1
            if level == len(phases):
                phases.append([])
            phases[level].append(tile)
        return phases

    def _area(self, window):
        """Return the index of the cells that a window touches."""
        axes = []
        for start, length, side, closed in zip(window[:2], window[2:], self.size, self._closed):
            stop = start + length
            if not closed:
                start, stop = max(start, 0), min(stop, side)
            axes.append(touched_cells(start, stop - start, side, self._cell))
        return np.ix_(*axes)
