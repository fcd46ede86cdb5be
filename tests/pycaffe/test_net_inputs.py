"""Arrays for MemoryData, and hooks: what real Caffe does not judge (see cases.py)."""

import numpy as np
import pytest

from dreamlib.errors import CaffeError
from tests.pycaffe.nets import make_net

MEMORY = """
layer { name: "m" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }
layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: 2 } }
"""
PICTURES, LABELS = np.zeros((4, 1, 2, 3), np.float32), np.zeros(4, np.float32)


def test_memory_data_without_pictures_says_how_to_give_them(tmp_path):
    with pytest.raises(CaffeError, match=r"layer 'm' .* net\.set_input_arrays"):
        make_net(tmp_path, MEMORY).forward()


@pytest.mark.parametrize(
    ("data", "labels", "words"),
    [
        (PICTURES[:3], LABELS[:3], "any multiple of 2 pictures"),
        (PICTURES[:, :, :1], LABELS, r"pictures of shape \(1, 2, 3\), got an array of shape"),
        (PICTURES, LABELS[:2], "4 pictures need as many labels"),
        (PICTURES.astype(float), LABELS, "data must be an array of float32"),
        (PICTURES, [0, 0, 0, 0], "labels must be an array of float32"),
    ],
    ids=["odd", "size", "labels", "type", "list"],
)
def test_other_arrays_are_refused(tmp_path, data, labels, words):
    with pytest.raises(CaffeError, match=words):
        make_net(tmp_path, MEMORY).set_input_arrays(data, labels)


def test_another_net_says_what_to_do(tmp_path):
    with pytest.raises(CaffeError, match="does not begin with one; write into"):
        make_net(tmp_path).set_input_arrays(PICTURES, LABELS)


@pytest.mark.parametrize("when", ["before_forward", "after_backward"])
def test_what_a_hook_raises_ends_the_pass(tmp_path, when):
    net, seen = make_net(tmp_path), []

    def hook(position):
        seen.append(position)
        if len(seen) == 3:
            raise KeyboardInterrupt

    net.forward()
    getattr(net, when)(hook)
    with pytest.raises(KeyboardInterrupt):
        net.forward() if "forward" in when else net.backward()
    assert len(seen) == 3


def test_with_hooks_a_frugal_net_gives_the_same_gradient(tmp_path):
    plain, hooked = make_net(tmp_path), make_net(tmp_path)
    seen = []
    hooked.after_forward(lambda position: seen.append(hooked.blobs["data"].data.max()))
    hooked.before_backward(lambda position: None)
    hooked.keep_intermediates = False
    data = np.random.RandomState(0).randn(2, 3, 6, 7)
    for net in (plain, hooked):
        net.blobs["data"].data[...] = data
        net.blobs["prob"].diff[...] = net.forward()["prob"]
    found = hooked.backward()["data"]
    np.testing.assert_allclose(found, plain.backward()["data"], rtol=1e-5, atol=1e-8)
    assert len(seen) == len(hooked.layers)
