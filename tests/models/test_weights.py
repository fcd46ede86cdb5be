"""Weights read from every form they are published in, checked and written."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from dreamlib import pycaffe
from dreamlib.errors import DreamError, DreamWarning
from dreamlib.models.definition import definition_of
from dreamlib.models.engines import load_layers, load_net
from dreamlib.models.model import load_model
from dreamlib.models.weights import (
    check_layers,
    check_weights,
    layer_shapes,
    read_arrays,
    read_caffemodel,
    read_state_dict,
    values_sha256,
    write_caffemodel,
)
from dreamlib.pycaffe.proto import caffe_pb2
from tests.nets import write_random_net


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    write_random_net(folder)
    return load_model(folder)


@pytest.fixture(scope="module")
def shapes(small):
    return layer_shapes(load_layers(small))


@pytest.fixture
def layers(small):
    return read_caffemodel(small, pycaffe)


def same(layers, others):
    return list(layers) == list(others) and all(
        np.array_equal(a, b)
        for name in layers
        for a, b in zip(layers[name], others[name])
    )  # fmt: skip


def rewritten(small, layers, path):
    """A model with these layers for weights."""
    write_caffemodel(path, layers, definition_of(small, pycaffe))
    return dataclasses.replace(small, weights=path)


# Forms


def test_shapes_are_in_the_order_of_the_layers(shapes):
    assert list(shapes) == ["conv1", "mixed/1x1", "mixed/3x3", "classifier"]
    assert shapes["conv1"] == [(16, 3, 7, 7), (16,)]


def test_a_caffemodel_that_is_written_has_the_same_values(small, layers, tmp_path):
    again = read_caffemodel(rewritten(small, layers, tmp_path / "w.caffemodel"), pycaffe)
    assert same(again, layers)


@pytest.mark.parametrize(
    "key",
    [
        lambda name: name.replace("/", "_"),
        lambda name: name.replace("/", ".conv_"),
        lambda name: name.replace("/", "_") + "_1" * (name == "classifier"),
    ],
)
def test_a_state_dict_is_read_whatever_its_order_and_manner(layers, shapes, tmp_path, key):
    state = {
        f"{key(name)}.{kind}": torch.from_numpy(array)
        for name in reversed(layers)
        for kind, array in zip(("weight", "bias"), layers[name])
    }
    torch.save(state, tmp_path / "w.pth")
    read = read_state_dict(tmp_path / "w.pth", shapes)
    assert same({name: read[name] for name in shapes}, layers)


def test_a_pickle_that_runs_code_is_not_read(shapes, tmp_path):
    torch.save({"conv1.weight": Trap()}, tmp_path / "w.pth")
    with pytest.raises(DreamError, match=r"w\.pth: truncated, or no PyTorch state dict"):
        read_state_dict(tmp_path / "w.pth", shapes)
    assert not Trap.sprung


class Trap:
    """An object that says when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_arrays_have_their_channels_last(layers, shapes, tmp_path):
    for name, arrays in layers.items():
        for kind, array in zip(("filter", "bias"), arrays):
            file = tmp_path / f"{name}_{kind}.bin"
            file.parent.mkdir(exist_ok=True)
            last = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
            file.write_bytes(np.ascontiguousarray(last, "<f4").tobytes())
    assert same(read_arrays(tmp_path, shapes), layers)
    (tmp_path / "mixed/3x3_bias.bin").write_bytes(b"1234")
    with pytest.raises(DreamError, match=r"'mixed/3x3' has 4 bytes here; expected 48, float32"):
        read_arrays(tmp_path, shapes)


# The check


def test_weights_that_fit_pass(layers, shapes):
    check_layers(layers, shapes, "w", extra=False)


def test_shapes_of_2014_with_four_axes_pass(layers, shapes):
    layers["conv1"][1] = layers["conv1"][1].reshape(1, 1, 1, 16)
    layers["classifier"][0] = layers["classifier"][0].reshape(1, 1, 10, -1)
    check_layers(layers, shapes, "w")


def test_a_missing_layer_is_named(layers, shapes):
    del layers["mixed/3x3"]
    with pytest.raises(
        DreamError, match=r"w: 1 of the network's 4 layers are missing.*'mixed/3x3'"
    ):
        check_layers(layers, shapes, "w")


def test_a_layer_of_another_shape_is_named(layers, shapes):
    layers["conv1"][0] = layers["conv1"][0][:, :, :5]
    with pytest.raises(
        DreamError, match=r"'conv1' has parameters of shapes 16 x 3 x 5 x 7, 16; .* 16 x 3 x 7 x 7"
    ):
        check_layers(layers, shapes, "w")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused(layers, shapes, value):
    layers["mixed/1x1"][0][3, 2] = value
    with pytest.raises(DreamError, match=r"'mixed/1x1' holds 1 values that are NaN or infinite"):
        check_layers(layers, shapes, "w")


def test_layers_of_the_training_are_no_extra_ones(layers, shapes):
    layers["loss1/conv"] = [np.zeros(3, np.float32)]
    check_layers(layers, shapes, "w", extra=False)


def test_an_extra_layer_is_refused_where_the_published_file_has_none(layers, shapes):
    layers["fc7"] = [np.zeros(3, np.float32)]
    check_layers(layers, shapes, "w")
    with pytest.raises(DreamError, match="'fc7' is not one of the network's"):
        check_layers(layers, shapes, "w", extra=False)


def test_the_hash_is_of_the_values_in_the_order_of_the_layers(layers, shapes):
    values = b"".join(array.tobytes() for name in shapes for array in layers[name])
    assert (
        values_sha256(dict(reversed(layers.items())), shapes) == hashlib.sha256(values).hexdigest()
    )


# When a dream loads them


def test_weights_of_another_network_are_refused_with_what_was_found(small, layers, tmp_path):
    other = {"conv1": layers["conv1"], "fire2": layers["mixed/1x1"]}
    path = tmp_path / "w.caffemodel"
    definition = caffe_pb2.NetParameter()
    for name in other:
        definition.layer.add(name=name, type="Convolution")
    write_caffemodel(path, other, definition)
    with pytest.raises(DreamError) as refusal:
        load_net(dataclasses.replace(small, weights=path), "torch")
    assert str(refusal.value) == (
        f"{path} holds weights for 1 of the network's 4 layers: it lacks 'mixed/1x1', 'mixed/3x3', "
        "'classifier'; the file's are 'fire2'. These are another network's weights; take those "
        "that belong to this prototxt"
    )


def test_layers_without_weights_are_named_and_dreamt_as_they_are_filled(small, layers, tmp_path):
    del layers["classifier"]
    path = tmp_path / "w.caffemodel"
    with pytest.warns(DreamWarning) as warned:
        load_net(rewritten(small, layers, path), "torch")
    assert [str(one.message) for one in warned] == [
        f"{path} lacks the weights of 1 of the network's 4 layers, which are left as the prototxt "
        "fills them: 'classifier'"
    ]


@pytest.mark.filterwarnings("error")
def test_auxiliary_classifiers_may_lack_their_weights(layers, shapes):
    check_weights(layers, {**shapes, "loss1/classifier": [(10, 8)]}, "w")


def test_weights_that_come_twice_are_named(small, tmp_path):
    message = caffe_pb2.NetParameter.FromString(small.weights.read_bytes())
    again = message.layer.add()
    again.CopyFrom(next(layer for layer in message.layer if layer.name == "conv1"))
    again.blobs[1].data[0] = 77
    path = tmp_path / "w.caffemodel"
    path.write_bytes(message.SerializeToString())
    with pytest.warns(DreamWarning, match="'conv1' more than once; the last are taken"):
        net = load_net(dataclasses.replace(small, weights=path), "torch")
    assert net.params["conv1"][1].data[0] == 77


def test_a_network_with_nan_is_not_dreamt(small, layers, tmp_path):
    layers["conv1"][1][0] = np.nan
    with pytest.raises(DreamError, match=r"w\.caffemodel: layer 'conv1' holds 1 values"):
        load_net(rewritten(small, layers, tmp_path / "w.caffemodel"), "torch")


def test_a_truncated_file_is_said_to_be(small, tmp_path):
    path = tmp_path / "w.caffemodel"
    path.write_bytes(small.weights.read_bytes()[:-100])
    with pytest.raises(DreamError, match=r"w\.caffemodel: truncated"):
        load_net(dataclasses.replace(small, weights=path), "torch")
