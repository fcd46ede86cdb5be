"""What PyTorch has no operator for, at the speed of memory: maxima with small winners, LRN, signs.

Compiled by numba when first used, and kept on disk. Kernels take channels-last arrays, (N, H, W, C)
of float32, or of bfloat16 seen as int16, and work on a range of rows: `by_rows` gives each thread a
part, and results do not depend on the parts. They are no OpenMP's, whose threads are PyTorch's.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from dreamlib.util.memory import give_back_code

#: Values below which a second thread costs more than it does.
ALONE = 1 << 15

#: Values whose signs lie in one block of bytes: see `limited`.
BLOCK, BYTES = 512, 64


def compiled(function=None, **options):
    """Compile a function for the types that it is called with; keep that where there is room.

    Parameters
    ----------
    function : callable
    **options
        Of ``numba.njit``; then it decorates.

    Returns
    -------
    callable
    """
    if function is None:
        return lambda function: compiled(function, **options)
    how = {"nogil": True, "boundscheck": False, "error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **how)(function)
    except RuntimeError:  # no folder can be written to
        return numba.njit(**how)(function)


def rows_of(tensor):
    """View a tensor as (N, H, W, C), contiguous: a copy where it does not lie so.

    Parameters
    ----------
    tensor : (N, C, H, W) Tensor

    Returns
    -------
    ndarray of float32, or of int16 for bfloat16
    """
    tensor = tensor.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    return _values(tensor)


class Inside(NamedTuple):
    """Which values of a tensor lay within limits, a bit each."""

    bits: np.ndarray
    layout: torch.memory_format  #: in whose order


def rectify(x, room):
    """Set the negative values of a tensor to zero, in place.

    Parameters
    ----------
    x : Tensor
        Changed; without gaps, in the usual order or channels-last.
    room : callable
        Given a number of bytes, returns them.

    Returns
    -------
    Inside
        What was above zero.
    """
    bits = x.view(torch.int16 if x.dtype == torch.bfloat16 else torch.int32)
    return _inside(rectified, bits, room, -(0x80 if x.dtype == torch.bfloat16 else 0x800000))


def limit(x, top, low, high, room):
    """Limit a tensor's values.

    Parameters
    ----------
    x : Tensor
        Without gaps, in the usual order or channels-last.
    top : Tensor
        Written to; it lies as `x` does.
    low, high : float
    room : callable
        As for `rectify`.

    Returns
    -------
    Inside
        What lay from `low` to `high`.
    """
    limits = np.float32(low), np.float32(high)
    return _inside(limited, x, room, *limits, _flat(top, _layout(x)))


def _inside(kernel, x, room, *arguments):
    """Run a kernel on a tensor's blocks, and return its bits."""
    layout = _layout(x)
    values = _flat(x, layout)
    bits = room(-(-values.size // BLOCK) * BYTES)
    by_rows(kernel, len(bits) // BYTES, values.size, values, bits, *arguments)
    return Inside(bits, layout)


def _layout(x):
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def pass_inside(diff, inside):
    """Keep a gradient where values lay inside; elsewhere it is zero.

    Parameters
    ----------
    diff : Tensor
        Changed, if it lies in the order of `inside`.
    inside : Inside

    Returns
    -------
    Tensor
        `diff`, or a copy in that order.
    """
    diff = diff.contiguous(memory_format=inside.layout)
    values = _flat(diff, inside.layout)
    by_rows(passed, len(inside.bits) // BYTES, values.size, values, inside.bits)
    return diff


def _flat(tensor, layout):
    if layout == torch.channels_last:
        return rows_of(tensor).reshape(-1)
    return _values(tensor.view(-1))


def _values(tensor):
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def by_rows(kernel, rows, values, *arguments):
    """Run ``kernel(start, stop, *arguments)`` on all rows, by as many threads as PyTorch has.

    Parameters
    ----------
    kernel : callable
        It lets other threads run.
    rows : int
    values : int
        That it handles in all.
    *arguments
    """
    threads = min(torch.get_num_threads(), rows, 1 + values // ALONE)
    known = len(kernel.overloads)
    if threads < 2:
        kernel(0, rows, *arguments)
    else:
        edges = [rows * part // threads for part in range(threads + 1)]
        others = [
            _threads().submit(kernel, start, stop, *arguments)
            for start, stop in zip(edges[1:], edges[2:])
        ]
        kernel(0, edges[1], *arguments)
        for other in others:
            other.result()
    if len(kernel.overloads) > known:  # the compiler has done its work
        give_back_code("libllvmlite")


@functools.cache
def _threads():
    return ThreadPoolExecutor(64, "kernels")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of these threads


@intrinsic
def _as_float(context, word):
    """See a uint32 as the float32 that it is."""
    return types.float32(types.uint32), _bits_as(ir.FloatType())


@intrinsic
def _as_word(context, value):
    """See a float32 as a uint32."""
    return types.uint32(types.float32), _bits_as(ir.IntType(32))


def _bits_as(kind):
    return lambda context, builder, signature, values: builder.bitcast(values[0], kind)


def _get(row, c):
    """Read a value of a row as float32."""


@overload(_get)
def _get_compiled(row, c):
    if isinstance(row.dtype, types.Float):
        return lambda row, c: row[c]
    # A bfloat16 is the upper half of a float32.
    return lambda row, c: _as_float(np.uint32(np.uint16(row[c])) << np.uint32(16))


def _put(row, c, value):
    """Write a float32 into a row; bfloat16s are rounded to the nearest, or to even."""


@overload(_put)
def _put_compiled(row, c, value):
    if isinstance(row.dtype, types.Float):

        def put(row, c, value):
            row[c] = value
    else:

        def put(row, c, value):
            word = _as_word(value)
            odd = (word >> np.uint32(16)) & np.uint32(1)
            row[c] = np.int16((word + np.uint32(0x7FFF) + odd) >> np.uint32(16))

    return put


@compiled
def maxima(start, stop, x, top, winner, kernel, stride, pad):
    """Max pooling of the output's rows, N x h: writes `top` and which tap of the window won.

    `winner` (N, h, w, C) is of uint8: taps are counted row by row; of equal ones the first wins.
    """
    height, width, channels = x.shape[1:]
    best, won = np.empty(channels, np.float32), np.empty(channels, np.int32)
    for row in range(start, stop):
        n, i = row // top.shape[1], row % top.shape[1]
        above = i * stride[0] - pad[0]
        for j in range(top.shape[2]):
            beside = j * stride[1] - pad[1]
            first = True
            for y in range(max(above, 0), min(above + kernel[0], height)):
                for z in range(max(beside, 0), min(beside + kernel[1], width)):
                    tap = np.int32((y - above) * kernel[1] + z - beside)
                    seen = x[n, y, z]
                    if first:
                        for c in range(channels):
                            best[c] = _get(seen, c)
                            won[c] = tap
                        first = False
                        continue
                    for c in range(channels):
                        value = _get(seen, c)
                        more = value > best[c]
                        best[c] = value if more else best[c]
                        won[c] = tap if more else won[c]
            highest, taps = top[n, i, j], winner[n, i, j]
            for c in range(channels):
                _put(highest, c, best[c])
            for c in range(channels):
                taps[c] = won[c]


@compiled
def maxima_gradient(start, stop, diff, winner, gradient, kernel, stride, pad):
    """Gather the gradient of max pooling for the input's rows, N x H."""
    height, width, channels = gradient.shape[1:]
    total = np.empty(channels, np.float32)
    for row in range(start, stop):
        n, y = row // height, row % height
        first_i = max(0, (y + pad[0] - kernel[0]) // stride[0] + 1)
        last_i = min(diff.shape[1] - 1, (y + pad[0]) // stride[0])
        for z in range(width):
            first_j = max(0, (z + pad[1] - kernel[1]) // stride[1] + 1)
            last_j = min(diff.shape[2] - 1, (z + pad[1]) // stride[1])
            for c in range(channels):
                total[c] = 0
            for i in range(first_i, last_i + 1):
                for j in range(first_j, last_j + 1):
                    down = y + pad[0] - i * stride[0]
                    tap = np.uint8(down * kernel[1] + z + pad[1] - j * stride[1])
                    won, given = winner[n, i, j], diff[n, i, j]
                    for c in range(channels):
                        value = _get(given, c)
                        total[c] += value if won[c] == tap else np.float32(0)
            result = gradient[n, y, z]
            for c in range(channels):
                _put(result, c, total[c])


#: What may be rounded otherwise: reciprocals and roots are estimated, then made exact to the last
#: bits. What is no number stays so.
ROUNDED = {"fastmath": {"afn", "arcp", "contract", "nsz", "reassoc"}}


@compiled(**ROUNDED)
def normalise(start, stop, x, top, alpha, k):
    """LRN across 5 channels with beta 0.75, of the pixels of (P, C) arrays: writes `top`.

    `alpha` is what a square is multiplied by; it and `k` are float32.
    """
    squares = np.zeros(x.shape[1] + 4, np.float32)
    a, b, d, e = squares[1:], squares[2:], squares[3:], squares[4:]
    for pixel in range(start, stop):
        values, result = x[pixel], top[pixel]
        for c in range(values.size):
            b[c] = alpha * _get(values, c) * _get(values, c)
        for c in range(values.size):
            scale = k + ((squares[c] + a[c]) + (b[c] + (d[c] + e[c])))
            root = np.float32(1) / np.sqrt(scale)
            _put(result, c, _get(values, c) * root * np.sqrt(root))


@compiled(**ROUNDED)
def normalise_gradient(start, stop, x, diff, gradient, alpha, k):
    """Gradient of `normalise`: writes `gradient`, (P, C), which may be `diff`.

    d/dx_i sum_j y_j dy_j = dy_i s_i^-b - 2ab/n x_i sum_(j near i) x_j dy_j s_j^(-b-1)
    """
    squares, direct = np.zeros(x.shape[1] + 4, np.float32), np.empty(x.shape[1], np.float32)
    a, b, d, e = squares[1:], squares[2:], squares[3:], squares[4:]
    shared = np.zeros_like(squares)
    p, q, r, s = shared[1:], shared[2:], shared[3:], shared[4:]
    factor = np.float32(1.5) * alpha
    for pixel in range(start, stop):
        values, given, result = x[pixel], diff[pixel], gradient[pixel]
        for c in range(values.size):
            b[c] = alpha * _get(values, c) * _get(values, c)
        for c in range(values.size):
            scale = k + ((squares[c] + a[c]) + (b[c] + (d[c] + e[c])))
            root = np.float32(1) / np.sqrt(scale)
            power = _get(given, c) * root * np.sqrt(root)
            direct[c] = power
            q[c] = _get(values, c) * power * root * root
        for c in range(values.size):
            total = (shared[c] + p[c]) + (q[c] + (r[c] + s[c]))
            _put(result, c, direct[c] - factor * _get(values, c) * total)


@compiled
def rectified(start, stop, x, inside, lowest):
    """ReLU in place on blocks of a flat array; a bit of `inside` for each value above zero.

    `x` are the bits of floats: as integers they are above zero where the floats are, and above
    `lowest`, those of minus infinity, if they are NaN. Byte l of a block's 64 has the bits of its
    values l, l + 64 ...; so many are handled at once.
    """
    for block in range(start, stop):
        values, own = x[block * BLOCK : (block + 1) * BLOCK], inside[block * BYTES :]
        for lane in range(BYTES):
            own[lane] = 0
        for bit in range(8):
            part = values[bit * BYTES : (bit + 1) * BYTES]
            for lane in range(part.size):
                value = part[lane]
                own[lane] |= np.uint8(value > 0) << np.uint8(bit)
                part[lane] = value if value > lowest else 0


@compiled
def limited(start, stop, x, inside, low, high, top):
    """Limit blocks of a flat array: writes `top`; the bits are as those of `rectified`."""
    for block in range(start, stop):
        values, made = x[block * BLOCK : (block + 1) * BLOCK], top[block * BLOCK :]
        own = inside[block * BYTES :]
        for lane in range(BYTES):
            own[lane] = 0
        for bit in range(8):
            part, to = values[bit * BYTES : (bit + 1) * BYTES], made[bit * BYTES :]
            for lane in range(part.size):
                value = _get(part, lane)
                own[lane] |= np.uint8(not ((value < low) | (value > high))) << np.uint8(bit)
                value = low if value < low else value
                value = high if value > high else value
                _put(to, lane, value)


@compiled
def passed(start, stop, diff, inside):
    """Set to zero, in place, what lay outside for `limited`."""
    for block in range(start, stop):
        values, own = diff[block * BLOCK : (block + 1) * BLOCK], inside[block * BYTES :]
        for bit in range(8):
            part = values[bit * BYTES : (bit + 1) * BYTES]
            for lane in range(part.size):
                value = part[lane]
                part[lane] = value if own[lane] & (np.uint8(1) << np.uint8(bit)) else 0


def compile_all():
    """Compile every kernel for both types, at set-up, so that no dream has to wait for it."""
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(1, 8, 4, 4, dtype=dtype).contiguous(memory_format=torch.channels_last)
        pass_inside(x, rectify(x, _fresh))
        pass_inside(x, limit(x, x, 0, 6, _fresh))
        values, pixels = rows_of(x), rows_of(x).reshape(-1, 8)
        winner, how = _fresh(x.numel()).reshape(values.shape), ((1, 1), (1, 1), (0, 0))
        maxima(0, 4, values, values, winner, *how)
        maxima_gradient(0, 4, values, winner, values, *how)
        factors = np.float32(1), np.float32(1)
        normalise(0, 16, pixels, pixels, *factors)
        normalise_gradient(0, 16, pixels, pixels, pixels, *factors)


def _fresh(count):
    return np.empty(count, np.uint8)
