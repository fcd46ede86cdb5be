"""What the canvases of a dream take in memory, or on disk: all of them, or by where they lie."""

from __future__ import annotations

import numpy as np

#: Bytes of Adam's two moments for each pixel of an octave.
MOMENTS = 24


def canvas_bytes(sizes, dtype, source_bytes, base=False, adam=False):
    """Return the bytes of all canvases at the moment that there are most of them.

    That is while an octave is made from the one before, whose back buffer is still there; or while
    its steps are taken, with a back buffer of its own and perhaps a base. Adam's moments are there
    as long as the back buffer.

    Parameters
    ----------
    sizes : list of (height, width)
        Of the octaves' canvases.
    dtype : numpy dtype
    source_bytes : int
        Of the undreamt picture.
    base : bool
        Whether steps look at the octave's undreamt picture.
    adam : bool
        Whether steps are Adam's.

    Returns
    -------
    int
    """
    item, moments = 3 * np.dtype(dtype).itemsize, MOMENTS if adam else 0
    areas = [height * width for height, width in sizes]
    most = max(
        item * here
        + max((item * (2 if base else 1) + moments) * here, (2 * item + moments) * before)
        for before, here in zip([0, *areas], areas)
    )
    return int(source_bytes + most)


def split_bytes(sizes, dtype, source_bytes, base=False, adam=False):
    """Return the bytes of canvases where those that are dreamt lie on the GPU.

    In RAM are the undreamt picture, Adam's moments, and the dreamt picture when it is written.

    Parameters
    ----------
    sizes, dtype, source_bytes, base, adam
        As for `canvas_bytes`.

    Returns
    -------
    in_ram, on_gpu : int
    """
    result = 3 * np.dtype(dtype).itemsize + (MOMENTS if adam else 0)
    most = max(height * width for height, width in sizes)
    return int(source_bytes + result * most), canvas_bytes(sizes, dtype, 0, base)
