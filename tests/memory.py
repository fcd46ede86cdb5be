"""Counting what numpy allocates."""

import tracemalloc


def traced_peak(action):
    """Bytes of numpy arrays that `action` held at most, beyond what was held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        action()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
