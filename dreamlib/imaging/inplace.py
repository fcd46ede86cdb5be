"""Arithmetic on a picture in the buffer where it lies.

numpy writes the notebook's step with temporaries as large as the picture: two copies for each
``np.roll`` pair, one for ``np.abs``, one for the scaled gradient, one for ``np.clip``. Here every
operation works on the caller's array with scratch of bounded size, and gives the same bits.
"""

from __future__ import annotations

import ctypes

import numpy as np

#: Elements of scratch in blockwise arithmetic: 256 KB of float32, which stays in a core's cache.
BLOCK = 1 << 16

#: Rows or columns that one pass of `roll` sets aside.
ROLL_SCRATCH = 64


def roll(image, dx, dy):
    """Roll a picture cyclically, in place: the jitter of the ascent.

    The same permutation as ``np.roll(np.roll(image, dx, -1), dy, -2)``. What leaves at one side is
    set aside, the rest moves in a single ``memmove`` (numpy would first copy an overlapping slice),
    and what was set aside enters at the other side.

    Parameters
    ----------
    image : (C, H, W) ndarray
        C-contiguous, any dtype. Changed in place.
    dx, dy : int
        Shift to the right and downwards in pixels; any sign and size.

    Notes
    -----
    Scratch is at most `ROLL_SCRATCH` rows and as many columns: longer shifts take several passes.
    """
    if not image.flags.c_contiguous or image.ndim != 3:
        raise ValueError(f"roll needs a C-contiguous (C, H, W) array, got shape {image.shape}")
    _, height, width = image.shape
    if image.size == 0:
        return
    dx, dy = _shorter_way(int(dx), width), _shorter_way(int(dy), height)
    while dx or dy:
        sx, sy = _within(dx, ROLL_SCRATCH), _within(dy, ROLL_SCRATCH)
        _roll_once(image, sx, sy)
        dx, dy = dx - sx, dy - sy


def _shorter_way(shift, length):
    """Return the smallest shift equal to `shift` modulo `length`."""
    shift %= length
    return shift - length if shift > length // 2 else shift


def _within(shift, limit):
    return max(-limit, min(limit, shift))


def _roll_once(image, dx, dy):
    height, width = image.shape[1:]
    # Python's slices: the rows and columns that leave, and where they and the others arrive.
    rows_out = slice(height - dy, height) if dy > 0 else slice(0, -dy)
    rows_in = slice(0, dy) if dy > 0 else slice(height + dy, height)
    rows_kept = slice(dy, height) if dy > 0 else slice(0, height + dy)
    cols_out = slice(width - dx, width) if dx > 0 else slice(0, -dx)
    cols_in = slice(0, dx) if dx > 0 else slice(width + dx, width)
    cols_kept = slice(dx, width) if dx > 0 else slice(0, width + dx)
    rows_moved = slice(0, height - dy) if dy > 0 else slice(-dy, height)
    cols_moved = slice(0, width - dx) if dx > 0 else slice(-dx, width)

    leaving_rows = image[:, rows_out, :].copy()
    leaving_cols = image[:, rows_moved, cols_out].copy()
    # In flat memory (y, x) -> (y + dy, x + dx) is one shift; only what wraps lands wrongly.
    offset = dy * width + dx
    count = (image.size - abs(offset)) * image.itemsize
    start = image.ctypes.data
    target, source = (
        start + max(offset, 0) * image.itemsize,
        start - min(offset, 0) * image.itemsize,
    )
    if count > 0:
        ctypes.memmove(target, source, count)
    image[:, rows_kept, cols_in] = leaving_cols
    image[:, rows_in, cols_kept] = leaving_rows[:, :, cols_moved]
    image[:, rows_in, cols_in] = leaving_rows[:, :, cols_out]


def mean_abs(array):
    """Mean of the absolute values, bit for bit ``np.abs(array).mean()``.

    A dream amplifies the last bit: a gradient scaled by another rounding of its mean flips a ReLU
    here and there, and after a few octaves the pictures differ. So the sum is taken in the order of
    the numpy that runs, with the absolute values made block by block.

    Parameters
    ----------
    array : ndarray
        C-contiguous and floating point. Not changed.

    Returns
    -------
    numpy floating scalar of the array's dtype
    """
    flat = array.reshape(-1)
    if not np.shares_memory(flat, array):
        raise ValueError("mean_abs needs a C-contiguous array")
    if _NUMPY_SUMS_BUFFERS:
        total = _buffered_abs_sum(flat)
    else:
        total = _pairwise_abs_sum(flat, np.empty(min(BLOCK, flat.size), flat.dtype))
    return total.dtype.type(total / flat.size)


#: Until 2.2 numpy adds up the sums of its iterator's buffers; since 2.3 it halves the whole array.
_NUMPY_SUMS_BUFFERS = tuple(int(part) for part in np.__version__.split(".")[:2]) < (2, 3)


def _buffered_abs_sum(flat):
    buffer = np.empty(min(np.getbufsize(), flat.size), flat.dtype)
    total = flat.dtype.type(0)
    for start in range(0, flat.size, buffer.size):
        values = flat[start : start + buffer.size]
        total += np.add.reduce(np.abs(values, out=buffer[: values.size]))
    return total


def _pairwise_abs_sum(flat, scratch):
    """Halve at multiples of eight, as numpy does, down to what fits the scratch."""
    if flat.size <= scratch.size:
        return np.add.reduce(np.abs(flat, out=scratch[: flat.size]))
    half = flat.size // 2
    half -= half % 8
    return _pairwise_abs_sum(flat[:half], scratch) + _pairwise_abs_sum(flat[half:], scratch)


def add_scaled(target, source, scale):
    """``target += scale * source``, block by block.

    Parameters
    ----------
    target, source : ndarray
        C-contiguous, of the same size. `target` is changed in place, `source` is not.
    scale : float
    """
    flat, addend = target.reshape(-1), source.reshape(-1)
    if not np.shares_memory(flat, target):
        raise ValueError("add_scaled needs a C-contiguous target")
    scratch = np.empty(min(BLOCK, flat.size), flat.dtype)
    for start in range(0, flat.size, BLOCK):
        stop = min(start + BLOCK, flat.size)
        block = np.multiply(addend[start:stop], scale, out=scratch[: stop - start])
        flat[start:stop] += block


def clip(image, low, high):
    """Limit each channel of a picture, in place.

    Parameters
    ----------
    image : (C, H, W) ndarray
        Changed in place.
    low, high : (C,) array_like
        Limits of each channel, in the units of `image`.
    """
    for plane, lo, hi in zip(image, low, high):
        np.clip(plane, lo, hi, out=plane)
