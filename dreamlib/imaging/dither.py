"""Thresholds for rounding without bias: the same at a place whoever computes them, in any order."""

from __future__ import annotations

import numpy as np

#: Fractions of a turn, in units of 2**-32, by which the threshold moves from row to row, column to
#: column (Roberts' R2 sequence), channel to channel, and rounding to rounding (the golden ratio).
ROW_STEP, COLUMN_STEP, CHANNEL_STEP, ROUNDING_STEP = 3242174889, 2447445414, 1431655765, 2654435769


def thresholds(window, channel, rounding, bits, like=None):
    """Thresholds strictly between 0 and 1, evenly spread over space and over roundings.

    A value plus its threshold, rounded down, becomes the upper of its two neighbours as often as it
    is near to it. What one rounding adds at a place, the next ones take back.

    Parameters
    ----------
    window : dreamlib.imaging.window.Window
    channel : int
    rounding : int
        Counts the times that a place is rounded.
    bits : int
        Their resolution, at most 24: so coarse that a whole number plus a threshold never rounds
        to the next.
    like : tensor, optional
        Return a tensor on the device of this one; by default an array.

    Returns
    -------
    (window.height, window.width) ndarray or tensor of float32
    """
    rows = np.arange(window.top, window.top + window.height, dtype=np.int64) * ROW_STEP
    columns = np.arange(window.left, window.left + window.width, dtype=np.int64) * COLUMN_STEP
    rows += channel * CHANNEL_STEP + rounding * ROUNDING_STEP
    # Whole turns fall away at 32 bits, here and in the sum.
    rows, columns = rows.astype(np.int32), columns.astype(np.int32)
    if like is None:
        fraction = rows[:, None] + columns
    else:
        rows, columns = (like[:0].int().new_tensor(axis) for axis in (rows, columns))
        fraction = rows[:, None] + columns
    fraction >>= 32 - bits
    fraction &= (1 << bits) - 1
    values = fraction.astype(np.float32) if like is None else fraction.float()
    values += 0.5
    values *= 2.0**-bits
    return values
