"""Prototxt arithmetic: which pictures reach which layer."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.imaging.resample import octave_sizes
from dreamlib.models.input_size import check_octaves_fit, misfit
from dreamlib.pycaffe import caffe_pb2
from tests.nets import INCEPTION

GOOGLENET = Path(__file__).parents[2] / "models/bvlc_googlenet/deploy.prototxt"

OLD = """
name: "2014"
input: "data"
input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 5 stride: 2 } }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc"
  inner_product_param { num_output: 4 } }
"""


def parse(text):
    return text_format.Parse(text, caffe_pb2.NetParameter())


@pytest.fixture(scope="module")
def small_net(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text(INCEPTION)
    return pycaffe.Net(str(path), pycaffe.TEST)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40))
def test_what_is_refused_is_what_the_network_refuses(small_net, height, width):
    definition = parse(INCEPTION)
    small_net.blobs["data"].reshape(1, 3, height, width)
    try:
        small_net.reshape()
        runs = True
    except pycaffe.CaffeError:
        runs = False
    assert runs == (misfit(definition, "prob", height, width) == "")


def test_too_small_a_picture_is_told_the_smallest_that_fits():
    with pytest.raises(DreamError, match=r"5 x 4 .* from (\d+) x \1 pixels on"):
        check_octaves_fit(parse(OLD), "pool", [(4, 5)])
    check_octaves_fit(parse(OLD), "pool", [(7, 7)])


@pytest.mark.parametrize(
    ("side", "octaves", "says"),
    [
        (60, 9, r"the smallest of 9 octaves, 4 x 4 pixels, .*Take --octaves 7 \(the most that fit"),
        (5, 3, r"the smallest of 3 octaves, .* Take a larger picture, or a layer nearer"),
        (5, 1, r"a picture of 5 x 5 pixels .* Take a larger picture, or a layer nearer"),
    ],
)
def test_too_many_octaves_are_told_how_many_would_fit(side, octaves, says):
    with pytest.raises(DreamError, match=says):
        check_octaves_fit(parse(OLD), "pool", octave_sizes(side, side, octaves))


def test_an_octave_without_pixels_is_refused():
    with pytest.raises(DreamError, match=r"0 x 0 pixels, .*nothing is left of it.*--octaves 3 "):
        check_octaves_fit(parse(OLD), "pool", octave_sizes(60, 60, 6, 3))


def test_the_most_octaves_that_fit_do_fit():
    check_octaves_fit(parse(OLD), "pool", octave_sizes(60, 60, 7))


def test_layers_above_the_dreamt_one_do_not_matter():
    definition = parse(OLD)
    check_octaves_fit(definition, "conv", [(5, 5)])
    check_octaves_fit(definition, "conv", [(500, 500)])


def test_a_layer_behind_an_inner_product_takes_one_size():
    definition = parse(OLD)
    check_octaves_fit(definition, "fc", [(32, 32)])
    with pytest.raises(DreamError, match="'fc' takes only the 32 x 32"):
        check_octaves_fit(definition, "fc", [(64, 64)])


@pytest.mark.parametrize("octaves", [1, 2, 9])
@pytest.mark.parametrize("side", [4, 32, 64])
def test_behind_an_inner_product_the_one_size_is_advised(side, octaves):
    if (side, octaves) == (32, 1):
        return
    with pytest.raises(DreamError) as refusal:
        check_octaves_fit(parse(OLD), "fc", octave_sizes(side, side, octaves))
    text = str(refusal.value)
    assert text.endswith("Take exactly 32 x 32 pixels and --octaves 1, or a layer before 'fc'")
    assert "larger" not in text


def test_googlenet_takes_the_notebooks_octaves():
    definition = parse(GOOGLENET.read_text())
    for size in [(210, 373), (575, 1024), (15, 15)]:
        check_octaves_fit(definition, "inception_4c/output", [size])


def test_googlenets_classifier_takes_224_pixels_alone():
    definition = parse(GOOGLENET.read_text())
    check_octaves_fit(definition, "loss3/classifier", [(224, 224)])
    with pytest.raises(DreamError, match="224 x 224"):
        check_octaves_fit(definition, "loss3/classifier", [(300, 224)])
