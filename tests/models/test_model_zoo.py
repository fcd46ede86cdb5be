"""The networks whose weights are fetched, with random ones: the published shapes, and dreams."""

from __future__ import annotations

import numpy as np
import pytest

from dreamlib import dream
from dreamlib.models.engines import load_layers
from dreamlib.models.model import REPOSITORY, load_model
from dreamlib.pycaffe.classifier import make_transformer
from tests.nets import picture

CAFFENET = {
    "conv1": (96, 3, 11, 11),
    "conv2": (256, 48, 5, 5),  # in two groups, as conv4 and conv5
    "conv3": (384, 256, 3, 3),
    "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3),
    "fc6": (4096, 9216),
    "fc7": (4096, 4096),
    "fc8": (1000, 4096),
}
COUNTS = {
    "bvlc_googlenet": 6_998_552,
    "bvlc_reference_caffenet": 60_965_224,
    "googlenet_places205": 6_183_677,
    "googlenet_places365": 6_347_677,
    "squeezenet_v1.1": 1_235_496,
}
FETCHED = sorted(COUNTS)


def shapes(net):
    """Layer -> shape of its weights."""
    return {name: tuple(blobs[0].data.shape) for name, blobs in net.params.items()}


@pytest.fixture(scope="module", params=FETCHED)
def model(request):
    return load_model(REPOSITORY / "models" / request.param)


@pytest.fixture(scope="module")
def net(model):
    """The network with random weights, ready to dream."""
    net = load_layers(model, "torch")
    net.transformer = make_transformer(net, np.float32(model.mean), channel_swap=(2, 1, 0))
    net.keep_intermediates = False
    return net


@pytest.fixture(scope="module")
def googlenet():
    return load_layers(load_model(REPOSITORY / "models" / "bvlc_googlenet"), "torch")


def test_it_has_as_many_parameters_as_published(net, model):
    count = sum(blob.data.size for blobs in net.params.values() for blob in blobs)
    assert count == COUNTS[model.name]


@pytest.mark.parametrize("model", ["bvlc_reference_caffenet"], indirect=True)
def test_caffenets_weights_have_the_published_shapes(net):
    assert shapes(net) == CAFFENET


@pytest.mark.parametrize("model", ["squeezenet_v1.1"], indirect=True)
def test_squeezenets_modules_have_the_published_widths(net):
    widths = {name: shape[0] for name, shape in shapes(net).items()}
    squeeze = [widths[f"fire{i}/squeeze1x1"] for i in range(2, 10)]
    assert squeeze == [16, 16, 32, 32, 48, 48, 64, 64]
    for kernel in ("1x1", "3x3"):
        expand = [widths[f"fire{i}/expand{kernel}"] for i in range(2, 10)]
        assert expand == [4 * width for width in squeeze]


@pytest.mark.parametrize("model", ["googlenet_places205", "googlenet_places365"], indirect=True)
def test_googlenet_of_places_is_that_of_imagenet_but_for_the_classes(net, model, googlenet):
    classes = len(model.read_labels())
    expected = {**shapes(googlenet), "loss3/classifier": (classes, 1024)}
    assert shapes(net) == expected


def test_its_classes_have_their_labels(net, model):
    assert net.blobs[model.class_layer].data.shape[1] == len(model.read_labels())


def test_a_gradient_reaches_the_picture_from_the_default_layer(net, model):
    side = net.blobs["data"].data.shape[2]
    net.blobs["data"].data[...] = np.random.RandomState(0).rand(1, 3, side, side) * 255 - 120
    net.forward(end=model.end)
    end = net.blobs[model.end]
    end.diff[...] = end.data
    net.backward(start=model.end)
    gradient = net.blobs["data"].diff
    assert np.isfinite(gradient).all()
    assert np.mean(gradient != 0) > 0.9


def test_a_small_dream_changes_the_picture(net, model):
    sky = picture(96, 120)
    dreamt = dream.deepdream(net, np.float32(sky), iter_n=2, octave_n=2, end=model.end)
    assert dreamt.shape == sky.shape
    assert np.abs(dreamt - sky).mean() > 0.5
