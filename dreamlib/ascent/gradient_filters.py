"""Smoother dreams: the gradient blurred, or its bands of detail made equally strong, before a step.

Everything here is written with operators and slices that NumPy's arrays and PyTorch's tensors
share, so that a tile's gradient is shaped where it lies, be it on a GPU. Beyond its borders a
gradient goes on mirrored. What a tile does not see of the picture matters less the farther it is
away; beyond four sigmas, or ``4 * (2 ** levels - 1)`` pixels, it does not matter at all.
"""

from __future__ import annotations

import math

from dreamlib.imaging.filters import blur, gaussian_taps

#: Half of the low pass between two bands: binomial, its middle first. It is what the 5-tap kernel
#: of a pyramid, once to shrink and once to grow again, comes to.
BINOMIAL = tuple(math.comb(8, 4 + k) / 256 for k in range(5))

#: A band whose deviation is less than this share of the gradient's is rounding, and is left out.
SILENT = 1e-6


def smooth_gaussian(gradient, sigmas):
    """Replace a gradient by the mean of its Gaussian blurs, in place.

    Low frequencies are in all of the blurs, high ones in few: the dream gets coarser and softer.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of two planes.
    sigmas : sequence of float
        In pixels; 0 stands for the gradient as it is. Where empty nothing is changed.
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


def normalise_laplacian(gradient, levels, deviations=None, core=None):
    """Split a gradient into bands of detail, an octave each, and make all equally strong, in place.

    The idea is that of the Laplacian pyramid in TensorFlow's DeepDream tutorial of 2015. Its bands
    are kept at full size here, `a trous
    <https://en.wikipedia.org/wiki/Stationary_wavelet_transform>`_, so that a tile's result does not
    depend on whether its window begins at an even pixel.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of twice its size and a plane.
    levels : int
        Bands to split off, the finest first; what remains is one more. With 0 nothing is changed.
    deviations : sequence of levels + 1 floats, optional
        Root mean square of each band that it is divided by: the whole picture's for a tile, see
        `dreamlib.tiling.gradient_scale.RunningDeviations`. By default the gradient's own, over
        `core`.
    core : (slice, slice), optional
        Rows and columns that are measured; by default all.

    Returns
    -------
    list of levels + 1 scalars
        Sum of squares of each band before normalisation, over `core` and the channels. On a
        tensor's device; empty where `levels` is 0.
    """
    if not levels:
        return []
    core = core or (slice(None), slice(None))
    rest, low = gradient + 0, gradient + 0
    if deviations is None:
        silent = SILENT * _root_mean_square(rest, core)
    else:
        silent = SILENT * math.sqrt(sum(deviation**2 for deviation in deviations))
    gradient[:] = 0
    squares = []
    for level in range(levels + 1):
        if level < levels:
            for plane, target in zip(rest, low):
                blur(plane, BINOMIAL, target, spacing=2**level)
            rest -= low
        squares.append(_sum_squares(rest, core))
        deviation = _root_mean_square(rest, core) if deviations is None else deviations[level]
        # Nothing is asked of a tensor here: a GPU goes on without waiting for the host.
        rest *= (deviation > silent) / (deviation + 1e-30)
        gradient += rest
        rest, low = low, rest
    return squares


def _sum_squares(image, core):
    parts = [plane[core] for plane in image]
    return sum((part * part).sum() for part in parts)


def _root_mean_square(image, core):
    height, width = image[0][core].shape
    return (_sum_squares(image, core) / (len(image) * height * width)) ** 0.5
