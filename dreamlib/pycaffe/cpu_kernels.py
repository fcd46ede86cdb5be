"""Max pooling and LRN on the CPU: numba's kernels on tensors, called as `gpu_kernels`."""

from __future__ import annotations

import math

import numpy as np
import torch

from dreamlib.pycaffe import kernels
from dreamlib.pycaffe.layers import unwritten


def maxima(x, size, windows, room):
    """Take the maximum of windows, which the picture's borders clip.

    Parameters
    ----------
    x : (N, C, H, W) Tensor
    size : tuple of int
        (h, w), the windows down and across; each of them meets the picture.
    windows : tuple
        Their kernel, stride and padding, each (down, across); 256 taps at most.
    room : callable
        Given a number of bytes, returns them: `winner` lies there.

    Returns
    -------
    top : (N, C, h, w) Tensor
    winner : (N, h, w, C) ndarray of uint8
        Which tap won: they are counted row by row, and of equal ones the first wins.
    """
    top = unwritten((*x.shape[:2], *size), x)
    winner = room(top.numel()).reshape(len(x), *size, x.shape[1])
    kernels.by_rows(
        kernels.maxima, len(x) * size[0], top.numel() * math.prod(windows[0]),
        kernels.rows_of(x), kernels.rows_of(top), winner, *windows,
    )  # fmt: skip
    return top, winner


def maxima_gradient(diff, winner, shape, windows):
    """Return the gradient of `maxima` with respect to `x`.

    Parameters
    ----------
    diff : (N, C, h, w) Tensor
        Gradient with respect to `top`.
    winner : (N, h, w, C) ndarray of uint8
    shape : tuple of int
        Of `x`.
    windows : tuple

    Returns
    -------
    (N, C, H, W) Tensor
    """
    gradient = unwritten(shape, diff)
    kernels.by_rows(
        kernels.maxima_gradient, shape[0] * shape[2], gradient.numel(),
        kernels.rows_of(diff), winner, kernels.rows_of(gradient), *windows,
    )  # fmt: skip
    return gradient


def normalises(n, beta):
    """Tell whether `normalise` knows this LRN: Krizhevsky's, and everybody's.

    Parameters
    ----------
    n : int
        Channels of a sum.
    beta : float
        The power.

    Returns
    -------
    bool
    """
    return (n, beta) == (5, 0.75)


def normalise(x, n, alpha, beta, k):
    """Normalise each value by its neighbours across channels: ``x / (k + alpha/n sum x^2)^beta``.

    Parameters
    ----------
    x : (N, C, H, W) Tensor
    n : int
    alpha, beta, k : float

    Returns
    -------
    (N, C, H, W) Tensor
    """
    top = unwritten(x.shape, x)
    _by_pixels(kernels.normalise, (x, top), alpha / n, k)
    return top


def normalise_gradient(x, diff, n, alpha, beta, k):
    """Return the gradient of `normalise` with respect to `x`.

    Parameters
    ----------
    x : (N, C, H, W) Tensor
    diff : (N, C, H, W) Tensor
        Written into, if it lies channels-last.
    n, alpha, beta, k
        As for `normalise`.

    Returns
    -------
    (N, C, H, W) Tensor
    """
    diff = diff.contiguous(memory_format=torch.channels_last)
    _by_pixels(kernels.normalise_gradient, (x, diff, diff), alpha / n, k)
    return diff


def _by_pixels(kernel, tensors, *factors):
    rows = [kernels.rows_of(tensor).reshape(-1, tensor.shape[1]) for tensor in tensors]
    kernels.by_rows(kernel, len(rows[0]), rows[0].size, *rows, *map(np.float32, factors))
