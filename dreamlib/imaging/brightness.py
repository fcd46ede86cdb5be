"""Brightness and contrast that stay put over hundreds of frames.

Each frame of a zoom is the dream of the last one. A dream makes a picture a little brighter or
darker, and more contrasted, each time; over hundreds of frames that ends in glare. Here each
frame's channels are led back towards the mean and deviation that the first one had.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.imaging.color import white_of
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips

#: Differences that are none: of means, in parts of white, and of deviations, as a ratio. Above what
#: sums in another order differ by, below what can be seen over any number of frames.
SAME_MEAN, SAME_RATIO = 1e-6, 1e-5

#: Contrast changes by no more than this factor in one frame.
MOST_GAIN = 1.25


class Tone(NamedTuple):
    """What `keep_tone` keeps.

    Attributes
    ----------
    mean, deviation : (3,) ndarray of float64
        Of each channel, in grey levels from 0 to 255 whatever the picture's depth.
    """

    mean: np.ndarray
    deviation: np.ndarray


def measure_tone(picture):
    """Measure a picture's brightness and contrast.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8, uint16 or floating point
        Floating point is 0 to 255. Not changed; scratch of a few blocks.

    Returns
    -------
    Tone
    """
    middle = white_of(picture.dtype) / 2  # about it, so that large sums do not cancel
    total, squares = np.zeros(3), np.zeros(3)
    for rows in _blocks(picture):
        rows -= middle
        total += rows.sum((0, 1))
        rows *= rows
        squares += rows.sum((0, 1))
    count = picture.shape[0] * picture.shape[1]
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    units = white_of(picture.dtype) / 255
    return Tone((mean + middle) / units, deviation / units)


def keep_tone(picture, tone, strength=0.5):
    """Lead a picture's brightness and contrast back to what they were, in place.

    Each channel's mean and deviation go `strength` of the way to those of `tone`, by one factor and
    one summand for the whole channel. Where they agree already no number is touched. If every frame
    moves a mean by d, the film settles at ``d * (1 - strength) / strength`` from where it began;
    whole numbers are rounded, so there it may be a level or two more.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8, uint16 or floating point
        Floating point is 0 to 255. Changed in place; whole numbers are rounded and kept in range.
        Scratch of a few blocks.
    tone : Tone
        From `measure_tone`: of the first frame, as a rule.
    strength : float
        0 to 1; 1 is all the way, which shows as a flicker where the content changes suddenly.

    Returns
    -------
    bool
        Whether anything was changed.
    """
    white = white_of(picture.dtype)
    units = white / 255
    now = measure_tone(picture)
    gain = np.ones(3)
    np.divide(tone.deviation, now.deviation, out=gain, where=now.deviation > 0)
    gain[np.abs(gain - 1) < SAME_RATIO] = 1
    gain = np.clip(1 + strength * (gain - 1), 1 / MOST_GAIN, MOST_GAIN)
    shift = tone.mean - now.mean
    shift[np.abs(shift) < SAME_MEAN * 255] = 0
    shift *= strength
    if np.all(gain == 1) and np.all(shift == 0):
        return False
    # (value - mean) * gain + mean + shift, in the picture's units.
    summand = (now.mean * (1 - gain) + shift) * units
    top = 0
    for rows in _blocks(picture):
        rows *= gain
        rows += summand
        if picture.dtype.kind == "u":
            np.rint(rows, out=rows)
            np.clip(rows, 0, white, out=rows)
        picture[top : top + len(rows)] = rows
        top += len(rows)
    return True


def _blocks(picture):
    """Yield copies of blocks of rows, as float64."""
    height, width = picture.shape[:2]
    for top, bottom in strips(height, width, BLOCK // 6, 1):
        yield picture[top:bottom].astype(np.float64)
