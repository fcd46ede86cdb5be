"""Smoother dreams: the gradient blurred, or its bands of detail made equally strong, before a step.

All is written with operators and slices that NumPy's arrays and PyTorch's tensors share, so that a
tile's gradient is filtered where it lies, be it on a GPU. Beyond its borders a gradient is
mirrored. A pixel depends on the gradient up to four sigmas, or ``4 * (2 ** levels - 1)`` pixels,
away, and the less the farther.
"""

from __future__ import annotations

import math

from dreamlib.imaging.filters import blur, gaussian_taps

#: Right half of the low pass between two bands, from its middle: a pyramid's 5-tap kernel, applied
#: twice, once to shrink and once to grow again.
BINOMIAL = tuple(math.comb(8, 4 + k) / 256 for k in range(5))

#: A band whose deviation is less than this share of the gradient's is rounding, and is left out.
SILENT = 1e-6


def smooth_gaussian(gradient, sigmas):
    """Replace a gradient by the mean of its Gaussian blurs, in place.

    All of the blurs keep low frequencies and few of them high ones: the dream gets coarser.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of two planes.
    sigmas : sequence of float
        In pixels; 0 is the gradient as it is. If empty, nothing is changed.
    """
    if not sigmas:
        return
    blurred, total = gradient[0] + 0, gradient[0] + 0
    for plane in gradient:
        total[:] = 0
        for sigma in sigmas:
            if sigma > 0:
                blur(plane, gaussian_taps(sigma), blurred)
            total += blurred if sigma > 0 else plane
        total *= 1 / len(sigmas)
        plane[:] = total


def normalise_laplacian(gradient, levels, deviations=None, interior=None):
    """Split a gradient into bands of detail, an octave each, and make all equally strong, in place.

    After the Laplacian pyramid in TensorFlow's DeepDream tutorial of 2015, with bands of full size
    (`a trous <https://en.wikipedia.org/wiki/Stationary_wavelet_transform>`_), so that a tile's
    result does not depend on whether its window begins at an even pixel.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of twice its size and a plane.
    levels : int
        Bands to split off, the finest first; the rest is one more. With 0 nothing is changed.
    deviations : sequence of levels + 1 floats, optional
        Divisor of each band, its root mean square: a tile is given the whole picture's. By default
        the gradient's own, over `interior`.
    interior : (slice, slice), optional
        Rows and columns that are measured; by default all.

    Returns
    -------
    list of levels + 1 scalars
        Sum of squares of each band before normalisation, over `interior` and the channels. On a
        tensor's device; empty where `levels` is 0.
    """
    if not levels:
        return []
    interior = interior or (slice(None), slice(None))
    rest, low = gradient + 0, gradient + 0
    if deviations is None:
        silent = SILENT * _root_mean_square(rest, interior)
    else:
        silent = SILENT * math.sqrt(sum(deviation**2 for deviation in deviations))
    gradient[:] = 0
    squares = []
    for level in range(levels + 1):
        if level < levels:
            for plane, target in zip(rest, low):
                blur(plane, BINOMIAL, target, spacing=2**level)
            rest -= low
        squares.append(_sum_squares(rest, interior))
        deviation = _root_mean_square(rest, interior) if deviations is None else deviations[level]
        # No value of a tensor is asked for, so that the host need not wait for a GPU.
        rest *= (deviation > silent) / (deviation + 1e-30)
        gradient += rest
        rest, low = low, rest
    return squares


def _sum_squares(image, interior):
    parts = [plane[interior] for plane in image]
    return sum((part * part).sum() for part in parts)


def _root_mean_square(image, interior):
    height, width = image[0][interior].shape
    return (_sum_squares(image, interior) / (len(image) * height * width)) ** 0.5
