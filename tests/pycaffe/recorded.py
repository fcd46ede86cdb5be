"""What `record_io` recorded from real Caffe."""

import functools
from pathlib import Path

import numpy as np


@functools.cache
def _everything():
    with np.load(Path(__file__).with_name("recorded_io.npz")) as archive:
        return dict(archive)


def recorded(name):
    """Return a copy of one recorded array."""
    return _everything()[name].copy()
