"""Keep freed activations in the process, so that the next step need not fault them in anew."""

from __future__ import annotations

import ctypes
import functools

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # <malloc.h>


@functools.cache
def retain_freed_memory():
    """Tell glibc's malloc to take large blocks from the heap and never to trim it.

    By default every tensor above 32 MB is a mapping of its own, and the kernel zeroes and maps its
    pages each time: on a virtual machine a step of GoogLeNet at 1024 x 575 spent fifty times as
    long there as in the network. The process keeps its peak, which it is about to need again.

    Returns
    -------
    bool
        Whether this C library has the setting; others are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
