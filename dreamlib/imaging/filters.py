"""The separable Gaussian, on NumPy's arrays and PyTorch's tensors alike.

Written with operators and slices that both share, so that a picture is blurred where it lies, be it
on a GPU. Beyond its borders a picture is mirrored. On a CPU it works by strips that stay in a
core's cache, and takes about half of the time of scipy's.
"""

from __future__ import annotations

import math

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips

#: Where a Gaussian is cut off, in sigmas.
TRUNCATE = 4.0


def gaussian_blur(image, sigma):
    """Blur a picture with a Gaussian, in place.

    Parameters
    ----------
    image : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a plane. Need not be contiguous.
    sigma : float
        In pixels; 0 changes nothing.
    """
    if sigma <= 0:
        return
    taps, blurred = gaussian_taps(sigma), image[0] + 0
    for plane in image:
        blur(plane, taps, blurred)
        plane[:] = blurred


def gaussian_taps(sigma):
    """Sample half a Gaussian.

    Parameters
    ----------
    sigma : float
        In pixels, above 0.

    Returns
    -------
    list of float
        The middle first; the whole adds up to 1.
    """
    reach = int(TRUNCATE * sigma + 0.5)
    taps = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(reach + 1)]
    total = taps[0] + 2 * sum(taps[1:])
    return [tap / total for tap in taps]


def blur(plane, taps, out, spacing=1):
    """Filter a plane along both axes, mirrored beyond its borders.

    Parameters
    ----------
    plane : (h, w) ndarray or tensor of float32
        Not changed.
    taps : sequence of float
        Weight of the pixel itself, of those at `spacing`, of those at twice `spacing`...
    out : (h, w) ndarray or tensor of float32
        Overwritten; must not overlap `plane`.
    spacing : int
        Pixels between taps.
    """
    height, width = plane.shape
    reach = spacing * (len(taps) - 1)
    columns = _mirrored(-reach, width + reach, width)
    # Strips that stay in a core's cache; a GPU is faster the more it is given at once.
    pixels = BLOCK if isinstance(plane, np.ndarray) else height * width
    for top, bottom in strips(height, width, pixels, 1):
        rows = plane[_mirrored(top - reach, bottom + reach, height)]
        rows = _weighted(rows, taps, spacing, 0)
        out[top:bottom] = _weighted(rows[:, columns], taps, spacing, 1)


def _weighted(padded, taps, spacing, axis):
    """Filter along one axis; what comes back is shorter by the padding."""
    reach = spacing * (len(taps) - 1)
    length = padded.shape[axis] - 2 * reach

    def moved(distance):
        part = slice(reach + distance, reach + distance + length)
        return padded[part] if axis == 0 else padded[:, part]

    total = moved(0) * taps[0]
    for number, tap in enumerate(taps[1:], start=1):
        pair = moved(-number * spacing) + moved(number * spacing)
        pair *= tap
        total += pair
    return total


def _mirrored(start, stop, length):
    """Return the indices from `start` to `stop` on an axis that is mirrored at its ends: a list."""
    places = np.arange(start, stop) % (2 * length)
    return np.minimum(places, 2 * length - 1 - places).tolist()
