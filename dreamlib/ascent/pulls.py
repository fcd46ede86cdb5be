"""Forces that hold a dream back: against noise, against glare, towards the undreamt picture.

Each is the downhill gradient of what it keeps small, added to the ascent's. They are written with
operators and slices that NumPy's arrays and PyTorch's tensors share.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips


def pull_to_smooth(gradient, image, weight, softness):
    """Add the pull towards less total variation, which evens out noise and leaves edges, in place.

    Total variation is the sum over pixels and channels of ``sqrt(dx**2 + dy**2 + softness**2)``,
    dx and dy being the differences to the next pixel and the next row (Rudin, Osher and Fatemi
    1992).

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a few blocks.
    image : (C, h, w) ndarray or tensor of float32
        Not changed; must not overlap `gradient`.
    weight : float
        What is added is at most four times as large; where pixels of noise differ by much more
        than `softness`, about once.
    softness : float
        Differences below this, in the units of `image`, are evened out in proportion.
    """
    height, width = image.shape[1:]
    pixels = BLOCK if isinstance(image, np.ndarray) else height * width
    for plane, target in zip(image, gradient):
        for top, bottom in strips(height, width, pixels, 1):
            first = max(top - 1, 0)  # what enters the strip's first row comes from the one above
            down, right = _flow(plane[first : bottom + 1], softness)
            down *= weight
            right *= weight
            # The divergence: what leaves a pixel for the next one, less what enters it.
            part, above = target[top:bottom], top - first
            leaving = down[above:]  # nothing leaves the picture's last row
            part[: len(leaving)] += leaving
            part[1 - above :] -= down[: bottom - top - (1 - above)]
            part[:, :-1] += right[above : above + bottom - top]
            part[:, 1:] -= right[above : above + bottom - top]


def pull_to_mean(gradient, image, weight):
    """Add the pull towards the mean colour, which keeps a dream from glaring, in place.

    Downhill of half the square of `image`, as the network's values are 0 at its mean colour: the L2
    decay of Yosinski et al. 2015.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a plane.
    image : (C, h, w) ndarray or tensor of float32
        Not changed.
    weight : float
    """
    for plane, target in zip(image, gradient):
        target -= plane * weight


def pull_to_base(gradient, image, base, weight):
    """Add the pull towards the undreamt picture, in place.

    Downhill of half the square of ``image - base``.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a plane.
    image, base : (C, h, w) ndarray or tensor of float32
        Not changed.
    weight : float
    """
    for plane, undreamt, target in zip(image, base, gradient):
        away = plane - undreamt
        away *= weight
        target -= away
        del away  # before there is the next one


def _flow(rows, softness):
    """Return the normalised differences downwards (n - 1, w) and to the right (n, w - 1)."""
    down, right = rows[1:] - rows[:-1], rows[:, 1:] - rows[:, :-1]
    length = rows * 0
    length += softness**2
    length[:-1] += down * down
    length[:, :-1] += right * right
    length **= 0.5
    down /= length[:-1]
    right /= length[:, :-1]
    return down, right
