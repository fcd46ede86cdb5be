"""What is done to the dreamt picture in the end: the undreamt one's colours, or a share of it.

Rows of pixels (h, w, 3), RGB, of any depth: whole numbers are 8 or 16 bits of grey, floating point
is 0 to 255. The two pictures' depths may differ. Worked on in blocks of rows, in place.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips

#: Share of red, green and blue in luminance (ITU-R BT.601, what YUV and JPEG have).
RED, GREEN, BLUE = np.float32([0.299, 0.587, 0.114])


def keep_colour(dreamt, undreamt):
    """Give the dreamt picture's luminance the undreamt one's colours, in place.

    In YUV a colour is its luminance plus a chroma; the chroma is kept. Where the sum is no colour
    that can be shown the chroma is made smaller, all of it by one factor: hue and luminance stay,
    saturation goes.

    Parameters
    ----------
    dreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
        Changed in place; scratch of a few blocks.
    undreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
        Not changed.
    """
    for rows, colours in _blocks(dreamt, undreamt):
        white = white_of(dreamt.dtype)
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
        rows[:] = colours


def blend_undreamt(dreamt, undreamt, strength):
    """Make the dreamt picture ``undreamt + strength * (dreamt - undreamt)``, in place.

    Parameters
    ----------
    dreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
        Changed in place; scratch of a few blocks. Whole numbers are rounded and kept in range.
    undreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
        Not changed.
    strength : float or (h, w) ndarray
        1 leaves the dreamt pixel as it is, 0 puts the undreamt one in its place.
    """
    each = np.ndim(strength) == 2
    top = 0
    for rows, undreamt_rows in _blocks(dreamt, undreamt):
        share = strength[top : top + len(rows), :, None] if each else np.float32(strength)
        rows -= undreamt_rows
        rows *= share
        rows += undreamt_rows
        top += len(rows)


def luminance_of(rows):
    """Return the luminance of pixels (..., 3), in their units: an ndarray of float32."""
    # Not a matrix product, whose last bit would depend on where the pixel lies in the block.
    luminance = rows[..., 0] * RED
    luminance += rows[..., 1] * GREEN
    luminance += rows[..., 2] * BLUE
    return luminance


def white_of(dtype):
    """Return what white is in pixels of a dtype: 255, or 65535 where it is uint16."""
    return 65535 if np.dtype(dtype) == np.uint16 else 255


def _blocks(dreamt, undreamt):
    """Yield blocks of both pictures, as float32 in the dreamt one's units; the first is kept.

    What the caller leaves in the first is written into `dreamt` when the next is asked for.
    """
    height, width = dreamt.shape[:2]
    units = white_of(dreamt.dtype) / white_of(undreamt.dtype)
    for top, bottom in strips(height, width, BLOCK // 3, 1):
        rows = dreamt[top:bottom].astype(np.float32)
        undreamt_rows = undreamt[top:bottom].astype(np.float32)
        if units != 1:
            undreamt_rows *= np.float32(units)
        yield rows, undreamt_rows
        if dreamt.dtype.kind == "u":
            np.rint(rows, out=rows)
            np.clip(rows, 0, white_of(dreamt.dtype), out=rows)
        dreamt[top:bottom] = rows
