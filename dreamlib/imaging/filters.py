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

#: Right half of a pyramid's kernel, from its middle: a Gaussian of sigma 1.
PYRAMID = (6 / 16, 4 / 16, 1 / 16)

#: Pixels of the longest wave that `emphasise` tells from a constant: what a network can see.
LONGEST_WAVE = 320


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
    return mirrored(np.arange(start, stop), length).tolist()


def mirrored(places, length):
    """Return places on an axis that is mirrored at its ends.

    Parameters
    ----------
    places : ndarray of int
    length : int
        Of the axis.

    Returns
    -------
    ndarray of int
        From 0 to ``length - 1``.
    """
    places = places % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)


def halve(plane):
    """Make a plane of half the size: smoothed, then the mean of every two rows and columns.

    Parameters
    ----------
    plane : (h, w) ndarray or tensor of float32
        Not changed; scratch of as much.

    Returns
    -------
    (ceil(h / 2), ceil(w / 2)) ndarray or tensor of float32
    """
    height, width = plane.shape
    smoothed = plane + 0
    blur(plane, PYRAMID, smoothed)
    rows, columns = (
        _mirrored(0, height + height % 2, height),
        _mirrored(0, width + width % 2, width),
    )
    small = smoothed[rows[::2]] + smoothed[rows[1::2]]
    small = small[:, columns[::2]] + small[:, columns[1::2]]
    small *= 0.25
    return small


def double(plane, out):
    """Bring what `halve` made back to its size, linearly.

    Parameters
    ----------
    plane : (ceil(h / 2), ceil(w / 2)) ndarray or tensor of float32
    out : (h, w) ndarray or tensor of float32
        Overwritten; must not overlap `plane`.
    """
    rows, columns = plane.shape
    width = out.shape[1]
    for first, near in ((0, _mirrored(-1, rows - 1, rows)), (1, _mirrored(1, rows + 1, rows))):
        mixed = 0.75 * plane + 0.25 * plane[near]
        left = 0.75 * mixed + 0.25 * mixed[:, _mirrored(-1, columns - 1, columns)]
        right = 0.75 * mixed + 0.25 * mixed[:, _mirrored(1, columns + 1, columns)]
        target = out[first::2]
        count = target.shape[0]
        target[:, ::2] = left[:count]
        target[:, 1::2] = right[:count, : width // 2]


def low_pass(image, sigma):
    """Blur a picture by a wide Gaussian, in place, on a smaller copy.

    The work of a pixel does not grow with sigma. A Gaussian to within a hundredth of the picture's
    contrast, or a fiftieth where a side is short; up to a sigma of 4 pixels exactly.

    Parameters
    ----------
    image : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of two planes.
    sigma : float
        In pixels; 0 changes nothing.
    """
    height, width = image[0].shape
    halvings = 0
    # Halving smooths by a variance of 5/4, and doubling by 3/4, in pixels of the larger size.
    while sigma > 2 ** (halvings + 2) and min(height, width) >> halvings > 8:
        halvings += 1
    done = sum(2 * 4**level for level in range(halvings))
    left = math.sqrt(max(sigma**2 - done, 0)) / 2**halvings
    for plane in image:
        sizes, small = [], plane
        for _ in range(halvings):
            sizes.append(small)
            small = halve(small)
        blurred = small[None] + 0
        gaussian_blur(blurred, left)
        small = blurred[0]
        for larger in sizes[:0:-1]:
            double(small, larger)
            small = larger
        if halvings:
            double(small, plane)
        else:
            plane[:] = small


def emphasise(image, exponent):
    """Multiply a picture's spectrum by about 1/k**exponent, k its cycles per pixel, in place.

    The sum of the picture at one size after the other, each half of the one before and
    ``2**exponent`` times as strong: what gradient ascent does to a picture for each size, all of
    them added up (Fort and Whitaker, "Direct Ascent Synthesis", 2025).

    Parameters
    ----------
    image : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of two planes and a third.
    exponent : float
        0 changes nothing but the strength.
    """
    side = min(*image[0].shape, LONGEST_WAVE)
    levels = max(0, round(math.log2(side)) - 1)
    for plane in image:
        sizes = [plane]
        for _ in range(levels):
            sizes.append(halve(sizes[-1]))
        total = sizes[-1]
        for level in range(levels - 1, -1, -1):
            # The finer level is done with once it is added.
            wider = sizes[level] + 0
            double(total, wider)
            wider *= 2**exponent
            sizes[level] += wider
            total = sizes[level]
