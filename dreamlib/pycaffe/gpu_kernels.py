"""Max pooling and LRN on a GPU: Triton's kernels as operators of PyTorch, called as `cpu_kernels`.

The first use of a kernel compiles it. Later ones neither wait for the GPU nor take memory beyond
their results, so that a CUDA graph may hold them. On ``meta`` operators tell their results' shapes.
"""

from __future__ import annotations

import subprocess

import torch
import triton

from dreamlib.errors import CaffeError
from dreamlib.pycaffe import triton_kernels
from dreamlib.pycaffe.device import PLAIN
from dreamlib.pycaffe.layers import unwritten

#: What a kernel that cannot be compiled, kept or launched raises.
TROUBLE = (OSError, RuntimeError, subprocess.SubprocessError, triton.TritonError)

#: Values that a program handles; and channels of them in pooling: two lines of a GPU's cache.
BLOCK, LINE = 1024, 64

#: The widest LRN: its gradient is compiled with n^2 sums' terms one after the other.
WIDEST = 11


def maxima(x, size, windows, room):
    """Do as `cpu_kernels.maxima`; `winner` is an (N, C, h, w) Tensor, `room` is not asked."""
    return _maxima_operator(_channels_last(x), size, *windows)


def maxima_gradient(diff, winner, shape, windows):
    """Do as `cpu_kernels.maxima_gradient`."""
    return _maxima_gradient_operator(_channels_last(diff), winner, shape, *windows)


def normalises(n, beta):
    """Tell whether `normalise` knows this LRN: as `cpu_kernels.normalises`."""
    return n <= WIDEST


def normalise(x, n, alpha, beta, k):
    """Do as `cpu_kernels.normalise`, for any odd `n` up to `WIDEST` and any `beta`."""
    return _normalise_operator(_channels_last(x), n, alpha, beta, k)


def normalise_gradient(x, diff, n, alpha, beta, k):
    """Do as `cpu_kernels.normalise_gradient`; `diff` is left as it was."""
    return _normalise_gradient_operator(_channels_last(x), _channels_last(diff), n, alpha, beta, k)


def _channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last)


# -- the operators --------------------------------------------------------------------------------

_library = torch.library.Library("dreamlib", "FRAGMENT")

#: What runs each operator on a GPU, by its name.
RUN = {}


def _operator(schema, make, write):
    """Register an operator of PyTorch; return it.

    Parameters
    ----------
    schema : str
    make : callable
        Given the operator's arguments, returns its results, unwritten: all there is on ``meta``.
    write : callable
        Writes them, given them and the arguments.

    Returns
    -------
    callable
    """
    name = schema.partition("(")[0]

    def run(first, *others):
        results = make(first, *others)
        with torch.cuda.device_of(first):
            try:
                write(results, first, *others)
            except TROUBLE as error:
                raise CaffeError(
                    f"Triton's kernel {name!r} does not run on this GPU ({error}); set {PLAIN}=1 "
                    "in the environment, and PyTorch's own operators do"
                ) from error
        return results

    RUN[name] = run
    _library.define(schema)
    _library.impl(name, make, "Meta")
    _library.impl(name, run, "CUDA")
    return getattr(torch.ops.dreamlib, name).default


def _make_maxima(x, size, kernel, stride, pad):
    shape = (*x.shape[:2], *size)
    return unwritten(shape, x), unwritten(shape, x, torch.uint8)


def _write_maxima(results, x, size, kernel, stride, pad):
    top, winner = results
    grid, block = _rows(top)
    sizes = *x.shape[2:], *size, x.shape[1]
    triton_kernels.maxima[grid](x, top, winner, *sizes, *kernel, *stride, *pad, *block)


def _make_maxima_gradient(diff, winner, shape, kernel, stride, pad):
    return unwritten(shape, diff)


def _write_maxima_gradient(gradient, diff, winner, shape, kernel, stride, pad):
    grid, block = _rows(gradient)
    sizes = *shape[2:], *diff.shape[2:], diff.shape[1]
    triton_kernels.maxima_gradient[grid](
        diff, winner, gradient, *sizes, *kernel, *stride, *pad, *block
    )


def _rows(written):
    """Return the programs that write a tensor, row by row, and the columns and channels of each."""
    n, channels, height, width = written.shape
    line = min(triton.next_power_of_2(channels), LINE)
    columns = min(triton.next_power_of_2(width), BLOCK // line)
    return (n * height, triton.cdiv(width, columns), triton.cdiv(channels, line)), (columns, line)


def _make_normalised(x, *others):
    return unwritten(x.shape, x)


def _write_normalise(top, x, n, alpha, beta, k):
    triton_kernels.normalise[_blocks(x)](x, top, *_factors(x, n, alpha, beta, k))


def _write_normalise_gradient(gradient, x, diff, n, alpha, beta, k):
    triton_kernels.normalise_gradient[_blocks(x)](
        x, diff, gradient, *_factors(x, n, alpha, beta, k)
    )


def _blocks(x):
    return (triton.cdiv(x.numel(), BLOCK),)


def _factors(x, n, alpha, beta, k):
    return x.numel(), x.shape[1], alpha / n, beta, k, n // 2, beta == 0.75, BLOCK


_WINDOWS = "int[2] kernel, int[2] stride, int[2] pad"
_LRN = "int n, float alpha, float beta, float k"
_maxima_operator = _operator(
    f"maxima(Tensor x, int[2] size, {_WINDOWS}) -> (Tensor, Tensor)", _make_maxima, _write_maxima
)
_maxima_gradient_operator = _operator(
    f"maxima_gradient(Tensor diff, Tensor winner, int[4] shape, {_WINDOWS}) -> Tensor",
    _make_maxima_gradient,
    _write_maxima_gradient,
)
_normalise_operator = _operator(
    f"normalise(Tensor x, {_LRN}) -> Tensor", _make_normalised, _write_normalise
)
_normalise_gradient_operator = _operator(
    f"normalise_gradient(Tensor x, Tensor diff, {_LRN}) -> Tensor",
    _make_normalised,
    _write_normalise_gradient,
)
