"""Pictures in floating point and whole numbers of 32 bits: where white is, and what is brighter.

A TIFF does not say. Values whose mean is above 1 and whose peak is not far above 255 are grey
levels, others light, in which 1 is white. Where light is above 1 the curve of `shoulder` brings it
below: up to `SHOULDER` values stay, so that a picture with a lamp in it keeps its looks. A TIFF's
light has the curve of a screen, sRGB's, a Radiance picture's has none and is given it.

Whole numbers of 32 bits are taken for 16 where none is larger than those; else white is the largest
that there can be, as the format says.
"""

from __future__ import annotations

import numpy as np

#: Value from which on light is compressed.
SHOULDER = 0.8

#: Highest of grey levels: filters go beyond 255.
LEVELS_PEAK = 300

#: How a refusal goes on.
NO_NUMBERS = (
    "has pixels that are NaN or infinite; expected finite numbers. Save it without them, or with "
    "16 bits a channel"
)


def are_levels(peak, mean):
    """Tell whether floats are grey levels, 0 to 255, and not light, 0 to 1 and above.

    Parameters
    ----------
    peak, mean : float
        Of all values.

    Returns
    -------
    bool
    """
    return mean > 1 and peak <= LEVELS_PEAK


def shoulder(light):
    """Compress light above white: ``s + (1 - s) (1 - exp(-(v - s) / (1 - s)))`` above s.

    Parameters
    ----------
    light : ndarray of float32
        Changed in place.

    Returns
    -------
    ndarray
        `light`, up to 1.
    """
    high = light > SHOULDER
    rest = np.float32(1 - SHOULDER)
    light[high] = 1 - rest * np.exp((np.float32(SHOULDER) - light[high]) / rest)
    return light


def tone_mapped(values, peak, mean):
    """Turn floats into grey levels, in place where they are light.

    Parameters
    ----------
    values : ndarray of float32
        Finite.
    peak, mean : float
        Of them.

    Returns
    -------
    ndarray of float32
        0 to 255, but for values below 0 or levels that were larger.
    """
    if are_levels(peak, mean):
        return values
    if peak > 1:
        values = shoulder(values)
    values *= 255
    return values


def white_of_whole(dtype, peak):
    """Return the value of white among whole numbers of more than 8 bits.

    Parameters
    ----------
    dtype : numpy dtype
        Of 16 or 32 bits.
    peak : int
        The largest value.

    Returns
    -------
    int
    """
    return 65535 if peak <= 65535 else int(np.iinfo(dtype).max)
