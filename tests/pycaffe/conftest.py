"""What several tests of dreamlib.pycaffe use."""

import numpy as np
import pytest

from tests.pycaffe.nets import make_net


@pytest.fixture
def net(tmp_path):
    """The net `TINY` with random numbers in its input; its prototxt is in `tmp_path`."""
    net = make_net(tmp_path)
    shape = net.blobs["data"].shape
    net.blobs["data"].data[...] = np.random.RandomState(0).standard_normal(shape)
    return net
