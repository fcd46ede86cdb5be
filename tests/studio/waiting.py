"""Waiting for what happens in other threads and processes."""

from __future__ import annotations

import time


def until(condition, seconds=120, pause=0.05):
    """Wait for something to become true, long enough for a busy machine; return what it is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "this took too long"
        time.sleep(pause)
    return found
