"""`Python` layers beyond what real Caffe judges (tests/real_caffe/cases.py): errors, and dreams."""

import sys

import numpy as np
import pytest

import dreamlib
from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from tests.pycaffe.nets import make_net
from tests.real_caffe.cases import user_layer

NET = """force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } } }
layer { %s }
layer { name: "relu" type: "ReLU" bottom: "user" top: "user" }
"""  # noqa: E501

MODULE = """
import caffe, numpy as np
class Square(caffe.Layer):
    def setup(self, bottom, top):
        self.seen = []
        if self.param_str == "raise":
            raise KeyError("no such thing")
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        self.seen.append(bottom[0].data.shape)
        if self.param_str == "fail":
            raise ZeroDivisionError("of the user")
        top[0].data[...] = np.square(bottom[0].data)
    def backward(self, top, propagate_down, bottom):
        self.asked = list(propagate_down)
        bottom[0].diff[...] = 2 * top[0].diff * bottom[0].data
class Stranger:
    pass
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module of the user's, on the path."""
    name = f"users_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def body(module, layer="Square", param_str=""):
    param = f"module: '{module}' layer: '{layer}' param_str: '{param_str}'"
    return f'name: "user" type: "Python" bottom: "conv" top: "user" python_param {{ {param} }}'


def test_a_users_module_imports_caffe_and_gets_ours_for_that_long(tmp_path, module):
    net = make_net(tmp_path, NET % body(module))
    assert sys.modules[module].caffe is caffe
    assert "caffe" not in sys.modules
    assert isinstance(net.layer_dict["user"], caffe.Layer)


@pytest.mark.parametrize("frugal", [False, True], ids=["keeping all", "keeping little"])
def test_its_gradient_reaches_the_picture(tmp_path, module, frugal):
    net = make_net(tmp_path, NET % body(module))
    net.keep_intermediates = not frugal
    data = net.blobs["data"].data
    data[...] = np.random.RandomState(0).randn(*data.shape) * 50
    for _ in range(2):  # the second pass finds the first's arrays
        found = net.forward(end="relu")["user"]
        net.blobs["user"].diff[...] = found
        gradient = net.backward(start="relu")["data"].copy()
    weight = net.params["conv"][0].data
    windows = np.lib.stride_tricks.sliding_window_view(data[0], (3, 3), (1, 2))
    conv = np.einsum("chwij,ocij->ohw", np.float64(windows), weight)
    np.testing.assert_allclose(found[0], conv**2, rtol=1e-3, atol=1e-5)
    top, expected = 2 * conv**3, np.zeros(data.shape)
    for i, j in np.ndindex(3, 3):
        expected[0, :, i : i + 6, j : j + 7] += np.einsum("ohw,oc->chw", top, weight[:, :, i, j])
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
    assert net.layer_dict["user"].asked == [True]
    assert net.layer_dict["user"].seen == [(1, 4, 6, 7)] * 2


def test_it_follows_another_size(tmp_path, module):
    net = make_net(tmp_path, NET % body(module))
    net.blobs["data"].reshape(2, 3, 5, 6)
    assert net.forward()["user"].shape == (2, 4, 3, 4)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("Cube", r"names class 'Cube' of module '\w+', which Python does not find"),
        ("Stranger", r"\w+\.Stranger is no class that derives from caffe\.Layer"),
    ],
)
def test_a_class_that_is_none_is_named(tmp_path, module, layer, words):
    with pytest.raises(CaffeError, match=r"net\.prototxt: layer 'user' \(Python\): .*" + words):
        make_net(tmp_path, NET % body(module, layer))


def test_a_module_that_is_not_there_is_named_with_what_to_do(tmp_path):
    with pytest.raises(CaffeError, match=r"folder of no_such\.py on PYTHONPATH"):
        make_net(tmp_path, NET % body("no_such"))


def test_what_a_users_setup_raises_is_said_with_file_and_layer(tmp_path, module):
    with pytest.raises(
        CaffeError, match=r"net\.prototxt: layer 'user' \(Python\): 'no such"
    ) as error:
        make_net(tmp_path, NET % body(module, param_str="raise"))
    assert isinstance(error.value.__cause__, KeyError)


def test_what_a_users_forward_raises_is_the_users_own(tmp_path, module):
    net = make_net(tmp_path, NET % body(module, param_str="fail"))
    with pytest.raises(ZeroDivisionError, match="of the user"):
        net.forward()


def test_its_parameters_are_saved_and_loaded(tmp_path):
    gain = user_layer("Gain", "conv", "user")
    net = make_net(tmp_path, NET % gain)
    net.params["user"][0].data[...] = 7
    net.save(str(tmp_path / "net.caffemodel"))
    other = make_net(tmp_path, NET % gain, weights=str(tmp_path / "net.caffemodel"))
    assert other.params["user"][0].data == 7


def test_a_net_with_one_is_dreamt(tmp_path, module, monkeypatch):
    net = make_net(tmp_path, NET % body(module))
    net.save(str(tmp_path / "mine.caffemodel"))
    (tmp_path / "net.prototxt").rename(tmp_path / "deploy.prototxt")
    settings = {"model": str(tmp_path), "end": "user", "octaves": 1, "iterations": 2}
    monkeypatch.chdir(tmp_path)
    result = dreamlib.run("noise:40x30", "dreamt.png", quiet=True, **settings)
    assert result.settings.end == "user"
    assert (tmp_path / "dreamt.png").exists()
