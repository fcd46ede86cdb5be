"""Nets and calls that Caffe takes although nobody would write them so today.

What real Caffe can be asked is in tests/real_caffe/oddities.py; here it ends, or has no say.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from tests.pycaffe.nets import TINY, make_net

TWINS = """
input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 4 }
layer { name: "x" type: "ReLU" bottom: "data" top: "a" }
layer { name: "x" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 2
  kernel_size: 1 weight_filler { type: "gaussian" } } }
layer { name: "x" type: "Convolution" bottom: "b" top: "c" convolution_param { num_output: 2
  kernel_size: 1 weight_filler { type: "gaussian" } } }
"""


# -- layers of one name ---------------------------------------------------------------------------


def test_weights_go_to_the_first_of_one_name_that_has_any(tmp_path):
    """Where Caffe's first has none it ends the process."""
    text = TWINS.replace("dim: 3", "dim: 2")
    net, other = make_net(tmp_path, text, seed=1), make_net(tmp_path, text, seed=2)
    second = other.layers[3].blobs[0].data.copy()
    net.save(tmp_path / "w.caffemodel")
    with pytest.warns(caffe.CaffeWarning, match="'x' more than once"):
        other.copy_from(tmp_path / "w.caffemodel")
    np.testing.assert_array_equal(other.layers[2].blobs[0].data, net.layers[3].blobs[0].data)
    np.testing.assert_array_equal(other.layers[3].blobs[0].data, second)


def test_twins_share_with_the_first_of_theirs(tmp_path):
    net, other = make_net(tmp_path, TWINS, seed=1), make_net(tmp_path, TWINS, seed=2)
    other.share_with(net)
    net.layers[2].blobs[0].data[...] = 5
    assert (other.layers[2].blobs[0].data == 5).all()
    assert not (other.layers[3].blobs[0].data == 5).any()


def test_twins_keep_little_each_for_itself(tmp_path):
    net = make_net(tmp_path, "force_backward: true" + TWINS)
    net.blobs["data"].data[...] = np.random.RandomState(0).randn(1, 3, 4, 4)

    def gradient():
        net.forward()
        net.blobs["c"].diff[...] = 1
        return net.backward()["data"].copy()

    kept = gradient()
    net.keep_intermediates = False
    np.testing.assert_allclose(gradient(), kept, rtol=1e-5)


# -- losses without a top -------------------------------------------------------------------------


def test_two_losses_without_tops_have_a_blob_each(tmp_path):
    text = """
    input: "x" input_shape { dim: 2 dim: 3 }
    layer { name: "s" type: "Sigmoid" bottom: "x" top: "s" }
    layer { name: "one" type: "EuclideanLoss" bottom: "x" bottom: "s" }
    layer { name: "two" type: "EuclideanLoss" bottom: "s" bottom: "x" }
    """
    net = make_net(tmp_path, text, caffe.TRAIN)
    net.blobs["x"].data[...] = 3
    assert net.outputs == []
    assert net._forward(0, len(net.layers) - 1) == pytest.approx(
        2 * float(net.blobs["(automatic)"].data), rel=1e-6
    )
    assert float(net.blobs["(automatic) 2"].data) > 0


def test_forward_all_gives_a_loss_for_each_batch(tmp_path):
    text = """
    input: "x" input_shape { dim: 2 dim: 3 }
    layer { name: "s" type: "Sigmoid" bottom: "x" top: "s" }
    layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "s" top: "loss" }
    """
    net, values = make_net(tmp_path, text), np.random.RandomState(0).randn(4, 3)
    found = net.forward_all(x=values)["loss"]
    each = [float(net.forward(x=values[start : start + 2])["loss"]) for start in (0, 2)]
    np.testing.assert_allclose(found, each)


# -- in place -------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, False])
def test_a_relu_in_place_with_a_negative_slope_has_the_true_gradient(tmp_path, keep):
    """Caffe's takes the sign of the top, which is above zero on both sides."""
    text = """
    force_backward: true
    input: "x" input_shape { dim: 2 dim: 3 }
    layer { name: "double" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" relu_param { negative_slope: -0.3 } }
    """
    net = make_net(tmp_path, text)
    net.keep_intermediates = keep
    values = np.float32([[-2, -1, 0], [1, 2, -3]])
    net.forward(x=values)
    net.blobs["y"].diff[...] = 1
    found = net.backward()["x"]
    np.testing.assert_allclose(found, np.where(values > 0, 2, -0.6), rtol=1e-6)


# -- arrays and names -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_picture_is_never_broadcast_into_a_batch(tmp_path, count):
    text = TINY.replace("dim: 2 dim: 3", f"dim: {count} dim: 3")
    net, picture = make_net(tmp_path, text), np.ones((3, 6, 7))
    for run in (net.forward, net.forward_all, net.forward_backward_all):
        with pytest.raises(ValueError, match=r"'data'.* got \(3, 6, 7\)"):
            run(data=picture)
    assert not net.blobs["data"].data.any()


def test_forward_all_of_nothing_says_what_it_takes(tmp_path):
    with pytest.raises(caffe.CaffeError, match=r"the net's input blobs are \['data'\]"):
        make_net(tmp_path).forward_all()


def test_a_layer_that_is_not_there_is_a_value_error_as_in_pycaffe(tmp_path):
    with pytest.raises(ValueError, match="there is no layer 'convv'; did you mean 'conv'"):
        make_net(tmp_path).forward(end="convv")


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_file_names_are_text_bytes_or_paths(tmp_path, kind):
    net = make_net(tmp_path)
    prototxt, weights = kind(str(tmp_path / "net.prototxt")), kind(str(tmp_path / "w.caffemodel"))
    net.save(weights)
    for other in (
        caffe.Net(prototxt, weights, caffe.TEST),
        caffe.Net(prototxt, caffe.TEST, weights=weights),
        caffe.Classifier(prototxt, weights),
    ):
        np.testing.assert_array_equal(other.params["ip"][0].data, net.params["ip"][0].data)
        other.copy_from(weights)


# -- the Caffe of 2014 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("set_mode_gpu", r"call caffe\.set_mode_gpu\(\)"),
        ("set_phase_test", r"caffe\.TEST"),
        ("set_mean", r"net\.transformer"),
        ("preprocess", r"net\.transformer"),
    ],
)
def test_members_of_2014_say_what_to_do_now(tmp_path, name, says):
    net = make_net(tmp_path)
    with pytest.raises(AttributeError, match=says):
        getattr(net, name)
    assert not hasattr(net, name)  # which scripts of both years ask


@pytest.mark.parametrize("kind", [caffe.Classifier, caffe.Detector])
def test_the_flag_gpu_of_2014_says_what_to_do_now(tmp_path, kind):
    net = make_net(tmp_path)
    net.save(tmp_path / "w.caffemodel")
    with pytest.raises(caffe.CaffeError, match=r"caffe\.set_mode_gpu\(\)"):
        kind(tmp_path / "net.prototxt", tmp_path / "w.caffemodel", gpu=True)
