"""Tiles on one axis of a picture: where they begin, what they see, how they are weighted."""

from __future__ import annotations

import numpy as np


def touched_cells(start, length, side, cell):
    """Indices of the cells that a stretch of an axis touches.

    Parameters
    ----------
    start, length : int
        The stretch, in pixels; on a closed axis it may pass the end.
    side : int
        Pixels of the axis.
    cell : int
        Pixels of a cell.

    Returns
    -------
    ndarray of int
    """
    if length >= side:
        return np.arange(-(-side // cell))
    start %= side
    first, last = start // cell * cell, start + length - 1
    inside = np.r_[start, np.arange(first + cell, last + 1, cell), last]
    return np.unique(inside % side // cell)


def cell_shares(start, weights, side, cell):
    """Return the cells that a tile touches on an axis, and the mean weight over each.

    Parameters
    ----------
    start : int
    weights : (n,) ndarray
        Of the tile's pixels.
    side, cell : int
        Pixels of the axis, and of a cell.

    Returns
    -------
    cells : ndarray of int
    shares : ndarray of float64
    """
    place = np.arange(start, start + len(weights)) % side // cell
    cells = np.unique(place)
    sums = np.zeros(cells[-1] + 1)
    np.add.at(sums, place, weights)
    return cells, sums[cells] / np.minimum(cell, side - cells * cell)


def cut(side, tile, offset, closed):
    """Cut an axis into tiles, (start, length) each, from `offset` on.

    Parameters
    ----------
    side, tile : int
        Pixels of the axis, and of a tile at most.
    offset : int
        Where the grid begins.
    closed : bool

    Returns
    -------
    list of (int, int)
    """
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


def place_window(start, length, side, closed, tile, overlap, near, jitter):
    """Return a tile's interior and the window around it, (start, length) each, on one axis.

    Windows have two lengths only, for whole tiles and for the shorter ones at borders: a network
    takes a shape that it has met before much faster, and in the memory it has. What an interior
    does not fill is more context.

    Beyond a border that is not closed there is nothing to see. There the window sticks out by up to
    `jitter` mirrored pixels, another number in each pass, lest the network's strides meet the same
    pixels every time.

    Parameters
    ----------
    start, length : int
        Of the tile.
    side : int
        Pixels of the axis.
    closed : bool
    tile, overlap : int
        See `Schedule`.
    near, jitter : int
        Pixels that the window sticks out here, and at both ends together.

    Returns
    -------
    interior, window : (int, int)
    """
    if closed:
        return (start, length), (start - overlap, length + 2 * overlap)
    seen = (tile if 4 * length > 3 * tile else 3 * tile // 4) + 2 * overlap
    first, last = -near, side + jitter - near
    if length == side or seen >= last - first:
        return (start, length), (first, last - first)
    middle = start + length // 2
    return (start, length), (min(max(middle - seen // 2, first), last - seen), seen)


def feathered_tiles(side, tile, overlap, closed, random):
    """Tiles on one axis, (start, weights) each: they overlap, and their weights add up to 1.

    Parameters
    ----------
    side, tile, overlap : int
        Pixels of the axis, of a tile, and of the feathered band.
    closed : bool
    random : np.random.RandomState

    Returns
    -------
    list of (int, (tile,) ndarray of float32)
    """
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
        ramps(tile, overlap if closed or start > 0 else 0,
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


def ramps(length, rise, fall):
    """Weights that rise from 0 to 1 over the first pixels, and fall over the last ones.

    Parameters
    ----------
    length, rise, fall : int

    Returns
    -------
    (length,) ndarray of float32
    """
    weights = np.ones(length, np.float32)
    if rise:
        weights[:rise] = (np.arange(rise) + 0.5) / rise
    if fall:
        weights[-fall:] *= (np.arange(fall)[::-1] + 0.5) / fall
    return weights
