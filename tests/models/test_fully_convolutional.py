"""Fully convolutional networks: the same scores at their own size, and maps beyond it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.models.engines import load_net
from dreamlib.models.fully_convolutional import fully_convolutional
from dreamlib.models.model import Model
from dreamlib.models.zoo import find_model
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import LEGACY_AXES
from tests.embedded import prepared_model
from tests.nets import INCEPTION, forbid, write_random_net

#: A net with all that a head may have: full-size pooling, flattening, inner products, a map of 4x3.
FLAT = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 24 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 4 stride: 4 weight_filler { type: "xavier" } } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
layer { name: "drop" type: "Dropout" bottom: "flat" top: "dropped" }
layer { name: "fc1" type: "InnerProduct" bottom: "dropped" top: "fc1"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } bias_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "fc1" top: "fc1" }
layer { name: "fc2" type: "InnerProduct" bottom: "fc1" top: "fc2"
  inner_product_param { num_output: 6 bias_term: false transpose: true weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }
"""  # noqa: E501

#: A channel gate: its pooling is not the head's.
GATED = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 2 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "squeeze" type: "Pooling" bottom: "conv" top: "squeeze" pooling_param { pool: AVE kernel_size: 8 } }
layer { name: "gate" type: "InnerProduct" bottom: "squeeze" top: "gate"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "column" type: "Reshape" bottom: "gate" top: "column" reshape_param { shape { dim: 0 dim: -1 dim: 1 dim: 1 } } }
layer { name: "tile" type: "Deconvolution" bottom: "column" top: "tile"
  convolution_param { num_output: 4 kernel_size: 8 group: 4 weight_filler { type: "constant" value: 1 } } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "tile" top: "sum" }
layer { name: "pool" type: "Pooling" bottom: "sum" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""  # noqa: E501

#: A net of 2014.
V1 = """
force_backward: true
input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 4 stride: 4 weight_filler { type: "xavier" } } }
layers { name: "flat" type: FLATTEN bottom: "conv" top: "flat" }
layers { name: "fc" type: INNER_PRODUCT bottom: "flat" top: "fc" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }
"""


def random_model(folder, text):
    folder.mkdir(exist_ok=True)
    prototxt, weights = write_random_net(folder, text)
    return Model("random", folder, Path(prototxt), Path(weights))


def scores(model, layer, data):
    net = load_net(model, "torch")
    net.blobs["data"].reshape(*data.shape)
    net.blobs["data"].data[...] = data
    net.forward(end=layer)
    return net.blobs[layer].data.copy()


def some(height, width, seed=0):
    return np.float32(np.random.RandomState(seed).normal(0, 10, (1, 3, height, width)))


@pytest.fixture(scope="module")
def googlenet(tmp_path_factory):
    text = find_model("bvlc_googlenet").prototxt.read_text()
    return random_model(tmp_path_factory.mktemp("googlenet"), text)


@pytest.mark.parametrize(
    ("text", "layer", "size"),
    [
        (INCEPTION, "classifier", (64, 64)),
        (FLAT, "fc2", (32, 24)),
        (FLAT, "prob", (32, 24)),
        (V1, "fc", (16, 16)),
    ],
)
def test_scores_at_the_own_size_stay(tmp_path, text, layer, size):
    model, data = random_model(tmp_path / "net", text), some(*size)
    made = scores(fully_convolutional(model, "torch", tmp_path), layer, data)
    np.testing.assert_allclose(made.reshape(1, -1), scores(model, layer, data), rtol=0, atol=1e-5)


def test_scores_of_the_embedded_model_stay(tmp_path):
    model, data = prepared_model(), some(224, 224)
    made = scores(fully_convolutional(model, "torch", tmp_path), model.class_layer, data)
    original = scores(model, model.class_layer, data)
    np.testing.assert_allclose(made.reshape(1, -1), original, rtol=0, atol=1e-5)


def test_scores_of_googlenet_stay_and_it_takes_larger_pictures(googlenet, tmp_path):
    made = fully_convolutional(googlenet, "torch", tmp_path)
    for layer in ("loss3/classifier", "prob"):
        data = some(224, 224)
        own = scores(made, layer, data).reshape(1, -1)
        np.testing.assert_allclose(own, scores(googlenet, layer, data), rtol=0, atol=1e-5)
    assert scores(made, "loss3/classifier", some(288, 320)).shape == (1, 1000, 3, 4)


@pytest.mark.parametrize(
    ("text", "layer", "stride", "size"),
    [(FLAT, "fc2", 8, (32, 24)), (V1, "fc", 4, (16, 16))],
)
def test_a_larger_picture_gives_the_scores_of_its_windows(tmp_path, text, layer, stride, size):
    model = random_model(tmp_path / "net", text)
    height, width = size
    data = some(height + stride, width + 2 * stride)
    made = scores(fully_convolutional(model, "torch", tmp_path), layer, data)
    assert made.shape[2:] == (2, 3)
    window = data[:, :, stride:, stride : stride + width]
    expected = scores(model, layer, window)[0]
    np.testing.assert_allclose(made[0, :, 1, 1], expected, rtol=0, atol=1e-5)


def test_a_gradient_reaches_every_corner_of_a_larger_picture(tmp_path):
    net = load_net(fully_convolutional(random_model(tmp_path / "n", FLAT), "torch", tmp_path))
    net.blobs["data"].reshape(1, 3, 48, 48)
    net.blobs["data"].data[...] = some(48, 48)
    net.forward(end="fc2")
    net.blobs["fc2"].diff[...] = 1
    net.backward(start="fc2")
    gradient = net.blobs["data"].diff[0]
    for corner in (gradient[:, y:, x:][:, :8, :8] for y in (0, 40) for x in (0, 40)):
        assert np.abs(corner).max() > 0


def test_a_pooling_that_weighs_another_blob_stays_one_of_the_whole_map(tmp_path):
    made = fully_convolutional(random_model(tmp_path / "net", GATED), "torch", tmp_path)
    definition = text_format.Parse(made.prototxt.read_text(), caffe_pb2.NetParameter())
    by_name = {layer.name: layer.pooling_param for layer in definition.layer}
    assert by_name["squeeze"].global_pooling
    assert not by_name["pool"].global_pooling
    assert by_name["pool"].kernel_size == 8


def test_weights_of_2014_are_reshaped(tmp_path):
    model = random_model(tmp_path / "net", V1)
    data = some(16, 16)
    expected = scores(model, "fc", data)
    new, old = caffe_pb2.NetParameter(), caffe_pb2.NetParameter()
    new.ParseFromString(model.weights.read_bytes())
    kinds = {
        "conv": caffe_pb2.V1LayerParameter.CONVOLUTION,
        "fc": caffe_pb2.V1LayerParameter.INNER_PRODUCT,
    }
    for layer in new.layer:
        if layer.blobs:
            stored = old.layers.add(name=layer.name, type=kinds[layer.name])
            for blob in layer.blobs:
                axes = zip(LEGACY_AXES, [1] * (4 - len(blob.shape.dim)) + list(blob.shape.dim))
                stored.blobs.add(data=blob.data, **dict(axes))
    model.weights.write_bytes(old.SerializeToString())
    made = fully_convolutional(model, "torch", tmp_path)
    np.testing.assert_allclose(scores(made, "fc", data)[..., 0, 0], expected, rtol=0, atol=1e-5)


def test_the_result_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = random_model(tmp_path / "net", FLAT)
    first = fully_convolutional(model, "torch")
    stamp = first.weights.stat().st_mtime_ns
    assert fully_convolutional(model, "torch").weights.stat().st_mtime_ns == stamp


def test_a_folder_that_is_named_is_written_anew(tmp_path):
    first, second = (random_model(tmp_path / name, text) for name, text in (("a", FLAT), ("b", V1)))
    fully_convolutional(first, "torch", tmp_path)
    made = fully_convolutional(second, "torch", tmp_path)
    assert scores(made, "fc", some(16, 16)).shape == (1, 5, 1, 1)


def test_other_weights_are_another_result(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = random_model(tmp_path / "net", FLAT)
    first = fully_convolutional(model, "torch")
    pycaffe.set_random_seed(9)
    pycaffe.Net(str(model.prototxt), pycaffe.TEST).save(str(model.weights))
    assert fully_convolutional(model, "torch").weights != first.weights


def test_weights_of_another_network_are_refused(tmp_path):
    model = random_model(tmp_path / "net", FLAT)
    other = random_model(tmp_path / "other", FLAT.replace("num_output: 7", "num_output: 8"))
    with pytest.raises(DreamError, match=r"'fc1' has a parameter of .* 7 x 5 x 4 x 3"):
        fully_convolutional(dataclasses.replace(model, weights=other.weights), "torch", tmp_path)


def test_an_inner_product_over_other_axes_is_refused(tmp_path):
    text = FLAT.replace("num_output: 7", "num_output: 7 axis: 3")
    text = text.replace('"dropped" top', '"conv" top')
    text = text[: text.index('layer { name: "relu"')]
    with pytest.raises(DreamError, match=r"'fc1' is an inner product from axis 3"):
        fully_convolutional(random_model(tmp_path / "net", text), "torch", tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    model = random_model(tmp_path / "net", FLAT)
    forbid(monkeypatch, "mkdir")
    with pytest.raises(DreamError, match=r"cannot be written.*XDG_CACHE_HOME"):
        fully_convolutional(model, "torch", tmp_path / "new")
