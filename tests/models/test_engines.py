"""Engines: what is loaded, and what is refused."""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.models import engines
from dreamlib.models.zoo import find_model
from tests.nets import forbid, write_random_net

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'


@pytest.fixture
def model(tmp_path):
    write_random_net(tmp_path)
    return find_model(str(tmp_path))


def test_auto_takes_pytorch_where_there_is_no_caffe(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert engines.load_caffe("auto") is pycaffe


def test_auto_takes_real_caffe_where_it_is_installed(monkeypatch):
    modes = []

    class Caffe:
        def set_mode_cpu(self):
            modes.append("cpu")

    caffe = Caffe()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    assert engines.load_caffe("auto") is caffe
    assert modes == ["cpu"]


def test_the_gpu_stays_chosen_while_a_model_is_loaded_and_read(model, monkeypatch):
    calls = []
    for name in ("set_mode_cpu", "set_mode_gpu"):
        monkeypatch.setattr(pycaffe, name, lambda name=name: calls.append(name))
    monkeypatch.setattr(pycaffe, "set_device", lambda number: None)
    engines.load_net(model, "torch", gpu=0)
    engines.read_definition(model, "torch")
    assert calls == ["set_mode_gpu"]


def test_memory_that_pytorch_holds_unused_is_free(monkeypatch):
    known = {"device_count": 1, "mem_get_info": (1000, 5000), "memory_reserved": 700,
             "memory_allocated": 300}  # fmt: skip
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda *gpu, value=value: value)
    assert engines.free_gpu_memory("torch", 0) == 1400
    assert engines.free_gpu_memory("caffe", 0) is None


def test_our_own_caffe_is_not_taken_for_the_real_one(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setitem(sys.modules, "caffe", None)
    pycaffe.install()
    assert engines.load_caffe("auto") is pycaffe
    with pytest.raises(DreamError, match="--engine torch"):
        engines.load_caffe("caffe")


@pytest.mark.skipif(engines._caffe_is_there(), reason="Caffe is installed")
def test_caffe_that_is_not_installed_is_refused_with_the_way_out():
    with pytest.raises(DreamError, match="--engine torch"):
        engines.load_caffe("caffe")


def test_an_unknown_engine_is_refused():
    with pytest.raises(DreamError, match="auto, caffe, torch"):
        engines.load_caffe("theano")


def test_gradients_reach_the_picture(model):
    net = engines.load_net(model, "torch")
    net.forward(end="mixed/output")
    net.blobs["mixed/output"].diff[...] = 1
    net.backward(start="mixed/output")
    assert np.abs(net.blobs["data"].diff).max() > 0


def test_the_net_knows_its_engine(model):
    assert engines.engine_name(engines.load_net(model, "torch")) == "torch"


def test_missing_weights_are_refused(tmp_path):
    (tmp_path / "deploy.prototxt").write_text('name: "empty"')
    with pytest.raises(DreamError):
        engines.load_net(find_model(str(tmp_path)), "torch")


def test_a_malformed_prototxt_is_refused(model):
    model.prototxt.write_text("layer {")
    with pytest.raises(DreamError, match="not a prototxt"):
        engines.load_net(model, "torch")


def test_a_binary_file_as_prototxt_is_refused(model):
    model.prototxt.write_bytes(b"\x0a\xff\xfe\x80")
    with pytest.raises(DreamError, match=f"{model.prototxt} is not a prototxt: .*binary"):
        engines.load_net(model, "torch")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "has no layers"),
        ('name: "empty"', "has no layers"),
        ('layer { name: "x" type: "DummyData" top: "x" }', "has no input"),
        (INPUT.replace("3", "1") + 'layer { name: "x" }', "is 1 x 1 x 8 x 8"),
        ('input: "data" input_shape { dim: 1 dim: 9 } layer { name: "x" }', "is 1 x 9"),
    ],
)
def test_a_network_without_a_picture_as_input_is_refused(model, text, found):
    model.prototxt.write_text(text)
    with pytest.raises(DreamError, match=f"{found}; expected an input of 1 x 3") as refusal:
        engines.load_net(model, "torch")
    assert str(model.prototxt) in str(refusal.value)


def test_a_prototxt_that_may_not_be_read_is_named(model, monkeypatch):
    forbid(monkeypatch, "read_bytes")  # root may read anything
    with pytest.raises(DreamError, match=f"{model.prototxt}.* cannot be read: Permission denied"):
        engines.load_layers(model, "torch")


def test_weights_that_may_not_be_read_are_named(model, monkeypatch):
    forbid(monkeypatch, "read_bytes")
    with pytest.raises(DreamError, match=f"{model.weights}.* cannot be read: Permission denied"):
        engines.load_net(model, "torch")


def test_errors_name_the_models_own_prototxt(model):
    model.prototxt.write_text(INPUT + 'layer { name: "x" type: "ReLUU" bottom: "data" top: "x" }')
    with pytest.raises(DreamError, match="ReLUU") as refusal:
        engines.load_net(model, "torch")
    assert str(model.prototxt) in str(refusal.value)


def test_real_caffe_refuses_half_precision(model, monkeypatch):
    class Caffe:
        __name__ = "caffe"

        def set_mode_cpu(self):
            pass

    monkeypatch.setitem(sys.modules, "caffe", Caffe())
    with pytest.raises(DreamError, match="float32 alone"):
        engines.load_net(model, "caffe", precision="bfloat16")
