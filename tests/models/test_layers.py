"""Which layers a dream takes, and what it says of the others."""

from types import SimpleNamespace

import pytest

from dreamlib.errors import DreamError
from dreamlib.models.layers import check_layer, dreamable_layers
from tests.nets import INCEPTION
from tests.pycaffe.nets import make_net

#: What a prototxt that was trained and measured has behind the layers of the dream.
HEAD = """
layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "classifier" bottom: "label" top: "loss" }
layer { name: "sum" type: "Reduction" bottom: "prob" top: "sum" }
layer { name: "rename" type: "Power" bottom: "prob" top: "renamed" }
layer { name: "best" type: "ArgMax" bottom: "prob" top: "best" }
layer { name: "late" type: "Power" bottom: "prob" top: "late" }
"""
MODEL = SimpleNamespace(name="mine", prototxt="deploy.prototxt", hints={})


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return make_net(tmp_path_factory.mktemp("net"), INCEPTION + HEAD)


def refusal(net, end):
    with pytest.raises(DreamError) as error:
        check_layer(net, end, MODEL)
    return str(error.value)


def test_layers_without_gradient_or_of_one_number_are_not_offered(net):
    assert [name for name, _, _ in dreamable_layers(net)] == [
        "conv1",
        "pool1",
        "norm1",
        "mixed/1x1",
        "mixed/3x3",
        "mixed/pool",
        "mixed/output",
        "pool2",
        "classifier",
        "prob",
    ]


def test_every_layer_that_is_offered_has_a_gradient(net):
    for name, _, _ in dreamable_layers(net):
        check_layer(net, name, MODEL)
        net.forward(end=name)
        net.blobs[name].diff[...] = net.blobs[name].data
        net.backward(start=name)


@pytest.mark.parametrize("end", ["", None])
def test_without_a_layer_one_from_the_middle_is_suggested(net, end):
    assert "model mine names no layer to dream" in refusal(net, end)
    assert "for instance 'mixed/3x3'" in refusal(net, end)


def test_a_near_name_is_suggested(net):
    assert "; did you mean 'mixed/output'" in refusal(net, "mixed/outputs")


@pytest.mark.parametrize("end", ["data", "xyz", "loss", "best", "late", "rename", "sum"])
def test_what_cannot_be_dreamt_is_refused_with_a_few_that_can(net, end):
    text = refusal(net, end)
    assert repr(end) in text
    assert "--list-layers" in text
    assert "'mixed/3x3'" in text


def test_layers_with_a_hint_are_suggested_before_others(net):
    hinted = SimpleNamespace(**{**vars(MODEL), "hints": {"conv1": "strokes"}})
    with pytest.raises(DreamError, match=r"for instance 'conv1'$"):
        check_layer(net, "xyz", hinted)


def test_a_layer_of_another_model_is_told_with_its_model(net):
    said = refusal(net, "inception_4c/output")
    assert said.endswith("bvlc_googlenet has one: add --model bvlc_googlenet")


def test_a_layer_in_place_says_which_blob_to_take(net):
    assert refusal(net, "relu1") == "layer 'relu1' works in place on 'conv1'; use --end conv1"


def test_a_layer_whose_blob_has_another_name_says_so(net):
    assert "layer 'rename' writes blob 'renamed'" in refusal(net, "rename")


def test_a_network_with_nothing_to_dream_is_refused(tmp_path):
    empty = make_net(tmp_path, INCEPTION.splitlines()[3])
    assert "deploy.prototxt has no layer that can be dreamt" in refusal(empty, "data")
