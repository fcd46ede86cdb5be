"""Schedules: which windows of a picture are dreamt in a pass, and which of them at the same time.

A pass takes every pixel one step further. It consists of phases. The visits of a phase change
different pixels, and see the picture as it was before the phase, so that their order, and who makes
them, does not matter. Everything follows from seed, octave and number of the pass alone.

whole
    One visit of the whole picture: the notebook's step. Its jitter is where the window begins.
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
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.imaging.window import WRAPS, Window

SCHEDULES = ("whole", "shift", "random", "spiral")

#: Side, in pixels, of the cells on which coverage and dependence of tiles are reckoned; less for
#: tiles of less than two cells.
CELL = 32

#: Places whose coverage differs by less than this count as dreamt equally often.
COVERAGE_TIE = 0.1

#: Crops around that place to choose among: more make the coverage more even and less random.
CANDIDATES = 8


class Visit(NamedTuple):
    """One tile's turn."""

    window: Window  #: what the network sees
    core: Window  #: what is changed, within `window`
    pixels: int  #: its share of the pass's pixel-steps
    row_weight: np.ndarray | None = None  #: of each row of the core in what it becomes; None is 1
    column_weight: np.ndarray | None = None


class Schedule:
    """The passes over one octave.

    Parameters
    ----------
    kind : {'whole', 'shift', 'random', 'spiral'}
    size : (height, width)
        Of the octave.
    tile_size : int
        Largest side of a tile, without overlap. This and the next do not matter to `whole`.
    overlap : int
        Pixels around a tile of `shift`; width of the feathered band of `spiral` and `random`. At
        most half a tile.
    wrap : {'none', 'horizontal', 'both'}
    jitter : int
        Largest random displacement of the window where the tile itself cannot move: of a whole
        picture, and at borders.
    seed, octave : int
    iterations : int
        Passes on each octave.
    """

    def __init__(
        self, kind, size, tile_size=512, overlap=32, wrap="none", jitter=32, seed=0, octave=0,
        iterations=10,
    ):  # fmt: skip
        self.kind, self.size = kind, size
        self._tile, self._overlap, self._jitter = tile_size, overlap, jitter
        self._closed = WRAPS[wrap]
        self._seed, self._octave, self._iterations = seed, octave, iterations
        if kind == "whole":
            self._tile, self._overlap = max(size), 0
        self._cell = max(1, min(CELL, min(self._tile, *size) // 2))
        self._coverage = None
        self._covered_passes = []

    def phases(self, turn):
        """Return pass number `turn` (from 0): a list of phases, each a list of `Visit`."""
        random = np.random.RandomState([self._seed, self._octave, turn])
        if self.kind in ("whole", "shift"):
            return self._shifted(random, turn)
        if self.kind == "spiral":
            return self._spiral(random)
        while len(self._covered_passes) <= turn:  # each depends on the coverage so far
            self._covered_passes.append(self._crops(len(self._covered_passes)))
        return self._covered_passes[turn]

    # -- whole, shift -----------------------------------------------------------------------------

    def _shifted(self, random, turn):
        offsets = random.randint(0, self._tile, 2)
        slack = random.randint(0, self._jitter + 1, 2)
        if self.kind == "whole":
            offsets = -self._notebook_jitter(turn)[::-1]
        axes = [
            [
                _place(start, length, side, closed, self._tile, self._overlap, near, self._jitter)
                for start, length in _cut(side, self._tile, offset, closed)
            ]
            for side, offset, near, closed in zip(self.size, offsets, slack, self._closed)
        ]
        phases = {}
        for i, (row, rows) in enumerate(axes[0]):
            for j, (column, columns) in enumerate(axes[1]):
                window = Window(rows[0], columns[0], rows[1], columns[1])
                core = Window(row[0], column[0], row[1], column[1])
                visit = Visit(window, core, core.height * core.width)
                phases.setdefault((i % 2, j % 2), []).append(visit)
        return list(phases.values())

    def _notebook_jitter(self, turn):
        """Return the numbers (to the right, downwards) that the notebook draws for this step."""
        step = self._octave * self._iterations + turn
        random = np.random.RandomState(self._seed)
        return random.randint(-self._jitter, self._jitter + 1, (step + 1, 2))[step]

    # -- spiral -----------------------------------------------------------------------------------

    def _spiral(self, random):
        tile = min(self._tile, *self.size)
        overlap = min(self._overlap, tile // 2)
        axes = [
            _feathered(side, tile, overlap, closed, random)
            for side, closed in zip(self.size, self._closed)
        ]
        places = [
            (max(abs(2 * i - len(axes[0]) + 1), abs(2 * j - len(axes[1]) + 1)), i % 2, j % 2, i, j)
            for i in range(len(axes[0]))
            for j in range(len(axes[1]))
        ]
        visits = []
        for *_, i, j in sorted(places):
            (top, row_weight), (left, column_weight) = axes[0][i], axes[1][j]
            visits.append((Window(top, left, tile, tile), row_weight, column_weight))
        return self._levels(self._feathered_visits(visits, random))

    # -- random -----------------------------------------------------------------------------------

    def _crops(self, turn):
        random = np.random.RandomState([self._seed, self._octave, turn])
        tile = min(self._tile, *self.size)
        ramp = min(self._overlap, tile // 2)
        if self._coverage is None:
            self._coverage = np.zeros([-(-side // self._cell) for side in self.size])
        visits = []
        while self._coverage.mean() < turn + 1:
            place = self._least_covered(random, tile, ramp)
            weights = [
                _ramps(tile, ramp if closed or start > 0 else 0,
                       ramp if closed or start + tile < side else 0)
                for start, side, closed in zip(place, self.size, self._closed)
            ]  # fmt: skip
            cells, shares = zip(
                *(
                    _cell_shares(start, weight, side, self._cell)
                    for start, weight, side in zip(place, weights, self.size)
                )
            )
            self._coverage[np.ix_(*cells)] += np.multiply.outer(*shares)
            visits.append((Window(*place, tile, tile), *weights))
        return self._levels(self._feathered_visits(visits, random))

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
                cells.append(_cells(place[-1], tile, side, self._cell))
            places.append((self._coverage[np.ix_(*cells)].mean(), place))
        return min(places)[1]

    def _feathered_visits(self, visits, random):
        """Make visits of (core, weights), which share the pass's pixel-steps by their weights.

        Windows stick out as in `_place`, by the same number of pixels all around, so that all have
        one shape.
        """
        areas = np.array([rows.sum() * columns.sum() for _, rows, columns in visits])
        ends = np.rint(np.cumsum(areas) / areas.sum() * (self.size[0] * self.size[1]))
        shares = np.diff(ends, prepend=0).astype(int)
        made = []
        for (core, rows, columns), share in zip(visits, shares):
            up, left = (int(number) for number in random.randint(0, self._jitter + 1, 2))
            window = Window(
                core.top - up, core.left - left,
                core.height + self._jitter, core.width + self._jitter,
            )  # fmt: skip
            made.append(Visit(window, core, int(share), rows, columns))
        return made

    def _levels(self, visits):
        """Put each visit of a sequence into the first phase after all whose pixels it sees."""
        painted = np.zeros([-(-side // self._cell) for side in self.size], int)
        phases = []
        for visit in visits:
            level = int(painted[self._area(visit.window)].max())
            painted[self._area(visit.core)] = level + 1
            if level == len(phases):
                phases.append([])
            phases[level].append(visit)
        return phases

    def _area(self, window):
        """Return the index of the cells that a window touches."""
        axes = []
        for start, length, side, closed in zip(window[:2], window[2:], self.size, self._closed):
            stop = start + length
            if not closed:
                start, stop = max(start, 0), min(stop, side)
            axes.append(_cells(start, stop - start, side, self._cell))
        return np.ix_(*axes)


def _cells(start, length, side, cell):
    """Indices of the cells that a stretch of an axis touches."""
    if length >= side:
        return np.arange(-(-side // cell))
    start %= side
    first, last = start // cell * cell, start + length - 1
    inside = np.r_[start, np.arange(first + cell, last + 1, cell), last]
    return np.unique(inside % side // cell)


def _cell_shares(start, weights, side, cell):
    """Return the cells that a tile touches on an axis, and the mean weight over each."""
    place = np.arange(start, start + len(weights)) % side // cell
    cells = np.unique(place)
    sums = np.zeros(cells[-1] + 1)
    np.add.at(sums, place, weights)
    return cells, sums[cells] / np.minimum(cell, side - cells * cell)


def _cut(side, tile, offset, closed):
    """Cut an axis into tiles, (start, length) each, from `offset` on."""
    if closed:
        # An even number, so that neighbours have different colours around the ring too.
        count = 1 if side <= tile else 2 * -(-side // (2 * tile))
        edges = [offset + side * index // count for index in range(count + 1)]
    elif side <= tile:
        edges = [0, side]
    else:
        # A piece of less than half a tile at either border shares evenly with its neighbour.
        cuts = range(offset or tile, side, tile)
        coarse = [0, *(cut for cut in cuts if 2 * min(cut, side - cut) >= tile), side]
        halves = [(a + b) // 2 for a, b in zip(coarse, coarse[1:]) if b - a > tile]
        edges = sorted(coarse + halves)
    return [(int(start), int(stop - start)) for start, stop in zip(edges, edges[1:])]


def _place(start, length, side, closed, tile, overlap, near, jitter):
    """Return a tile's core and the window around it, (start, length) each, on one axis.

    Windows have two lengths only, for whole tiles and for the shorter ones at borders: a network
    takes a shape that it has met before much faster, and in the memory it has. What a core does not
    fill is more context.

    Beyond a border that is not closed there is nothing to see. There the window sticks out by up to
    `jitter` mirrored pixels, another number in each pass, lest the network's strides meet the same
    pixels every time.
    """
    if closed:
        return (start, length), (start - overlap, length + 2 * overlap)
    seen = (tile if 4 * length > 3 * tile else 3 * tile // 4) + 2 * overlap
    first, last = -near, side + jitter - near
    if length == side or seen >= last - first:
        return (start, length), (first, last - first)
    middle = start + length // 2
    return (start, length), (min(max(middle - seen // 2, first), last - seen), seen)


def _feathered(side, tile, overlap, closed, random):
    """Tiles on one axis, (start, weights) each: they overlap, and their weights add up to 1."""
    if side == tile:
        return [(0, np.ones(tile, np.float32))]
    pitch = tile - overlap
    if closed:
        count = -(-side // pitch)
        starts = (random.randint(0, side) + np.arange(count) * side // count) % side
    else:
        count = -(-(side - overlap) // pitch)
        starts = np.arange(count) * (side - tile) / (count - 1)
        # What the tiles overlap more than they must is how far the inner ones may move.
        play = pitch - (side - tile) / (count - 1)
        starts[1:-1] += (random.rand() - 0.5) * play
        starts = np.floor(starts).astype(int)
    weights = [
        _ramps(tile, overlap if closed or start > 0 else 0,
               overlap if closed or start + tile < side else 0)
        for start in starts
    ]  # fmt: skip
    total = np.zeros(side, np.float32)
    for start, weight in zip(starts, weights):
        np.add.at(total, np.arange(start, start + tile) % side, weight)
    return [
        (int(start), weight / total[np.arange(start, start + tile) % side])
        for start, weight in zip(starts, weights)
    ]


def _ramps(length, rise, fall):
    """Weights that rise from 0 to 1 over the first pixels, and fall over the last ones."""
    weights = np.ones(length, np.float32)
    if rise:
        weights[:rise] = (np.arange(rise) + 0.5) / rise
    if fall:
        weights[-fall:] *= (np.arange(fall)[::-1] + 0.5) / fall
    return weights
