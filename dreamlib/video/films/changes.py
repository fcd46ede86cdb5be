"""What changed from one frame to the next: what stands still is not written again."""

from __future__ import annotations

import numpy as np


def changed_window(before, now, even=False):
    """Find the smallest rectangle outside which nothing changed.

    Parameters
    ----------
    before : (H, W) or (H, W, 3) ndarray, or None
        None where there was no frame: all has changed.
    now : ndarray
        Of the same shape.
    even : bool
        Begin at even coordinates.

    Returns
    -------
    tuple of int
        Top, left, height, width; a single pixel where nothing changed.
    """
    height, width = now.shape[:2]
    if before is None:
        return 0, 0, height, width
    changed = np.empty((height, width), bool)
    for line, old, new in zip(changed, before, now):
        different = old != new
        line[:] = different.any(-1) if different.ndim == 2 else different
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return 0, 0, 1, 1
    top, left = rows[0], columns[0]
    if even:
        top, left = top - top % 2, left - left % 2
    return int(top), int(left), int(rows[-1] + 1 - top), int(columns[-1] + 1 - left)
