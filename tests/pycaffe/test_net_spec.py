"""Nets written in Python; tests/compat/drawing_nets.py compares their bytes with real Caffe's."""

import pickle

import pytest
from google.protobuf import text_format

from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from dreamlib.pycaffe import layers as L
from dreamlib.pycaffe import params as P
from dreamlib.pycaffe.proto import caffe_pb2


def same(net, text):
    assert net == text_format.Parse(text, caffe_pb2.NetParameter())


def test_assigned_names_are_given_and_others_made(tmp_path):
    net = caffe.NetSpec()
    net.data = L.Input(shape={"dim": [1, 2, 4, 5]})
    net.sum = L.Eltwise(L.TanH(net.data), L.TanH(net.data), operation=P.Eltwise.MAX)
    text = """layer { name: "data" type: "Input" top: "data"
      input_param { shape { dim: 1 dim: 2 dim: 4 dim: 5 } } }
    layer { name: "TanH1" type: "TanH" bottom: "data" top: "TanH1" }
    layer { name: "TanH2" type: "TanH" bottom: "data" top: "TanH2" }
    layer { name: "sum" type: "Eltwise" bottom: "TanH1" bottom: "TanH2" top: "sum"
      eltwise_param { operation: MAX } }"""
    same(net.to_proto(), text)
    (tmp_path / "net.prototxt").write_text(str(net.to_proto()))
    assert caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).outputs == ["sum"]


def test_a_layer_in_place_writes_its_bottom():
    net = caffe.NetSpec()
    net.conv = L.Convolution(L.Input(), kernel_size=3, num_output=2)
    net.relu = L.ReLU(net.conv, in_place=True)
    assert list(net.to_proto().layer[-1].top) == ["conv"]
    assert net.to_proto().layer[-1].name == "relu"


def test_several_tops_and_none():
    net = caffe.NetSpec()
    net.data, net.label = L.DummyData(ntop=2, shape=[{"dim": [3, 2]}, {"dim": [3]}])
    net.quiet = L.Silence(net.label, ntop=0)
    text = """layer { name: "data" type: "DummyData" top: "data" top: "label"
      dummy_data_param { shape { dim: 3 dim: 2 } shape { dim: 3 } } }
    layer { name: "quiet" type: "Silence" bottom: "label" }"""
    same(net.to_proto(), text)


def test_layers_of_forks_find_their_parameters():
    net = L.Normalize(L.Input(), across_spatial=False, scale_filler={"value": 20}).to_proto()
    assert not net.layer[1].norm_param.across_spatial
    assert net.layer[1].norm_param.scale_filler.value == 20


def test_a_python_layer_and_fields_of_the_layer_itself():
    top = L.Python(L.Input(), module="m", layer="C", param_str="{}", loss_weight=[1], name="n")
    layer = caffe.to_proto(top).layer[1]
    assert (layer.python_param.module, layer.python_param.layer) == ("m", "C")
    assert list(layer.loss_weight) == [1]


def test_an_unknown_field_is_named():
    with pytest.raises(AttributeError, match="LayerParameter has no field 'kernal_size'"):
        L.Convolution(L.Input(), kernal_size=3).to_proto()


def test_an_input_that_is_no_top_is_named():
    with pytest.raises(TypeError, match="ReLU: input 0 is a str"):
        L.ReLU("data")


def test_several_tops_under_one_name_are_refused():
    net = caffe.NetSpec()
    net.data = L.DummyData(ntop=2)
    with pytest.raises(CaffeError, match=r"data is a tuple.*each by itself"):
        net.to_proto()


def test_names_with_slashes_are_items_and_tops_can_be_taken_out():
    net = caffe.NetSpec()
    net["a/b"] = L.Input()
    net.c = L.TanH(net["a/b"])
    del net.c
    assert [layer.name for layer in net.to_proto().layer] == ["a/b"]
    assert not hasattr(net, "__len__")
    with pytest.raises(KeyError):
        net.nothing  # noqa: B018
    assert pickle.dumps(caffe.NetSpec().tops)
