"""Colour of whole pictures, by blocks of rows, in place.

What is done to the dreamt picture in the end (the undreamt one's colours, or a share of it), and
brightness and contrast that stay put over a film. Each frame of a zoom is the dream of the last
one; a dream makes a picture a little brighter or darker, and more contrasted, each time, which over
hundreds of frames ends in glare.

Pictures are (H, W, 3) arrays, RGB: uint8, uint16, or floating point from 0 to 255. The depths of
two pictures may differ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import to_levels, white_of
from dreamlib.imaging.resample import strips

#: Share of red, green and blue in luminance (ITU-R BT.601, what YUV and JPEG have).
RED, GREEN, BLUE = np.float32([0.299, 0.587, 0.114])

#: Differences that are none: of means, in parts of white, and of deviations, as a ratio. Above what
#: sums in another order differ by, below what can be seen over any number of frames.
SAME_MEAN, SAME_RATIO = 1e-6, 1e-5

#: Contrast changes by no more than this factor in one frame.
MOST_GAIN = 1.25


def luminance_of(rows):
    """Return the luminance of pixels, in their units.

    Parameters
    ----------
    rows : (..., 3) ndarray of float32

    Returns
    -------
    (...) ndarray of float32
    """
    # Not a matrix product, whose last bit would depend on where the pixel lies in the block.
    luminance = rows[..., 0] * RED
    luminance += rows[..., 1] * GREEN
    luminance += rows[..., 2] * BLUE
    return luminance


def keep_colour(dreamt, undreamt):
    """Give the dreamt picture's luminance the undreamt one's colours, in place.

    In YUV a colour is its luminance plus a chroma; the chroma is kept. Where the sum is no colour
    that can be shown the chroma is made smaller, all of it by one factor: hue and luminance stay,
    saturation goes.

    Parameters
    ----------
    dreamt : (H, W, 3) ndarray of uint8, uint16 or floating point
        Changed in place; scratch of a few blocks.
    undreamt : (H, W, 3) ndarray of uint8, uint16 or floating point
        Not changed.
    """
    white = white_of(dreamt.dtype)
    for part, rows in _blocks(dreamt, np.float32):
        colours = _in_units_of(dreamt, undreamt[part])
        luminance = np.clip(luminance_of(rows), 0, white)
        colours -= luminance_of(colours)[..., None]
        highest = np.maximum(np.maximum(colours[..., 0], colours[..., 1]), colours[..., 2])
        lowest = np.minimum(np.minimum(colours[..., 0], colours[..., 1]), colours[..., 2])
        room = white - luminance
        kept = np.ones_like(luminance)
        np.divide(room, highest, out=kept, where=highest > room)
        share = np.ones_like(luminance)
        np.divide(luminance, -lowest, out=share, where=-lowest > luminance)
        np.minimum(kept, share, out=kept)
        colours *= kept[..., None]
        colours += luminance[..., None]
        to_levels(colours, out=dreamt[part])


def blend_undreamt(dreamt, undreamt, strength):
    """Make the dreamt picture ``undreamt + strength * (dreamt - undreamt)``, in place.

    Parameters
    ----------
    dreamt : (H, W, 3) ndarray of uint8, uint16 or floating point
        Changed in place; scratch of a few blocks. Whole numbers are rounded and kept in range.
    undreamt : (H, W, 3) ndarray of uint8, uint16 or floating point
        Not changed.
    strength : float or (H, W) ndarray of float32
        1 leaves the dreamt pixel as it is, 0 puts the undreamt one in its place.
    """
    each = np.ndim(strength) == 2
    for part, rows in _blocks(dreamt, np.float32):
        base = _in_units_of(dreamt, undreamt[part])
        rows -= base
        rows *= strength[part][..., None] if each else np.float32(strength)
        rows += base
        to_levels(rows, out=dreamt[part])


class Statistics(NamedTuple):
    """Brightness and contrast of a picture."""

    mean: np.ndarray  #: (3,) float64, of each channel in grey levels, whatever the depth
    deviation: np.ndarray  #: the same


def measure(picture):
    """Measure a picture's brightness and contrast.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8, uint16 or floating point
        Not changed; scratch of a few blocks.

    Returns
    -------
    Statistics
    """
    middle = white_of(picture.dtype) / 2  # about it, so that large sums do not cancel
    total, squares = np.zeros(3), np.zeros(3)
    for _, rows in _blocks(picture, np.float64):
        rows -= middle
        total += rows.sum((0, 1))
        rows *= rows
        squares += rows.sum((0, 1))
    count = picture.shape[0] * picture.shape[1]
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    units = white_of(picture.dtype) / 255
    return Statistics((mean + middle) / units, deviation / units)


def match(picture, wanted, strength=0.5):
    """Lead a picture's brightness and contrast back to what they were, in place.

    Each channel's mean and deviation go `strength` of the way to those of `wanted`, by one factor
    and one summand for the whole channel, as in Reinhard et al., "Color transfer between images"
    (2001). Where they agree already no number is touched. If every frame moves a mean by d, the
    film settles at ``d * (1 - strength) / strength`` from where it began; whole numbers are
    rounded, so there it may be a level or two more.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8, uint16 or floating point
        Changed in place; whole numbers are rounded and kept in range. Scratch of a few blocks.
    wanted : Statistics
        From `measure`: of the first frame, as a rule.
    strength : float
        0 to 1; 1 is all the way, which shows as a flicker where the content changes suddenly.

    Returns
    -------
    bool
        Whether anything was changed.
    """
    now = measure(picture)
    gain = np.ones(3)
    np.divide(wanted.deviation, now.deviation, out=gain, where=now.deviation > 0)
    gain[np.abs(gain - 1) < SAME_RATIO] = 1
    gain = np.clip(1 + strength * (gain - 1), 1 / MOST_GAIN, MOST_GAIN)
    shift = wanted.mean - now.mean
    shift[np.abs(shift) < SAME_MEAN * 255] = 0
    shift *= strength
    if np.all(gain == 1) and np.all(shift == 0):
        return False
    # (value - mean) * gain + mean + shift, in the picture's units.
    summand = (now.mean * (1 - gain) + shift) * (white_of(picture.dtype) / 255)
    for part, rows in _blocks(picture, np.float64):
        rows *= gain
        rows += summand
        to_levels(rows, out=picture[part])
    return True


def _blocks(picture, dtype):
    """Yield the blocks of a picture's rows: a slice, and a copy in floating point."""
    pixels = 4 * BLOCK // (3 * np.dtype(dtype).itemsize)
    for top, bottom in strips(*picture.shape[:2], pixels, 1):
        yield slice(top, bottom), picture[top:bottom].astype(dtype)


def _in_units_of(picture, rows):
    """Copy rows of another picture as float32, in the units of this one."""
    copy, units = rows.astype(np.float32), white_of(picture.dtype) / white_of(rows.dtype)
    if units != 1:
        copy *= np.float32(units)
    return copy
