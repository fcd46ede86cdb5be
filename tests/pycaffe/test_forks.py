"""Layers of forks, which real Caffe does not have: by their formulas, and by differences."""

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from dreamlib.errors import CaffeError
from dreamlib.pycaffe.proto import caffe_pb2
from tests.pycaffe.nets import make_net


def net_of(folder, kind, shapes, parameters="", phase=caffe.TEST, bottoms=None, **options):
    """A net of one layer that reads inputs a, b ... and writes y; or in place, if it is told so."""
    names = "abc"[: len(shapes)]
    text = "force_backward: true\n"
    for name, shape in zip(names, shapes):
        dims = " ".join(f"dim: {length}" for length in shape)
        text += f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        text += f"input_param {{ shape {{ {dims} }} }} }}\n"
    reads = " ".join(f'bottom: "{name}"' for name in names)
    text += f'layer {{ name: "it" type: "{kind}" {reads} top: "y" {parameters} }}'
    net = make_net(folder, text, phase, **options)
    random = np.random.RandomState(0)
    for name in names:
        net.blobs[name].data[...] = random.randn(*net.blobs[name].shape)
    for blob in net.params.get("it", ()):
        blob.data[...] = random.uniform(0.5, 2, blob.shape)
    return net


#: Of each layer: what it reads, and its parameters.
CASES = {
    "Axpy": ([(2, 3, 1, 1), (2, 3, 4, 5), (2, 3, 4, 5)], ""),
    "BN": ([(2, 3, 4, 5)], "bn_param { slope_filler { value: 2 } }"),
    "BN frozen": ([(2, 3, 4, 5)], "bn_param { frozen: true }"),
    "BN by the batch": ([(2, 3, 4, 5)], "bn_param { moving_average: false }"),
    "BN of SegNet": ([(2, 3, 4, 5)], "bn_param { bn_mode: INFERENCE }"),
    "BN of SegNet learning": ([(2, 3, 4, 5)], "bn_param { bn_mode: LEARN }"),
    "ConvolutionDepthwise": (
        [(2, 3, 6, 5)],
        "convolution_param { num_output: 3 kernel_size: 3 stride: 2 pad: 1 }",
    ),
    "DepthwiseConvolution": (
        [(2, 3, 6, 5)],
        "convolution_param { num_output: 3 kernel_size: 3 group: 3 bias_term: false }",
    ),
    "Interp": ([(2, 3, 4, 5)], "interp_param { height: 9 width: 3 }"),
    "Interp zoomed": ([(2, 3, 4, 5)], "interp_param { zoom_factor: 3 pad_beg: -1 pad_end: -1 }"),
    "Interp shrunk": ([(2, 3, 9, 7)], "interp_param { shrink_factor: 2 }"),
    "Normalize": ([(2, 3, 4, 5)], ""),
    "Normalize pixels": (
        [(2, 3, 4, 5)],
        "norm_param { across_spatial: false channel_shared: false scale_filler { value: 20 } }",
    ),
    "Permute": ([(2, 3, 4, 5)], "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "Permute the first": ([(2, 3, 4)], "permute_param { order: 2 }"),
    "ReLU6": ([(2, 3, 4, 5)], ""),
    "ReLU6 with a slope": ([(2, 3, 4, 5)], "relu6_param { negative_slope: 0.1 }"),
    "Reorg": ([(2, 8, 4, 6)], "reorg_param { stride: 2 }"),
    "Reorg back": ([(2, 8, 3, 5)], "reorg_param { stride: 2 reverse: true }"),
    "ShuffleChannel": ([(2, 6, 3, 2)], "shuffle_channel_param { group: 3 }"),
    "Pooling": ([(2, 3, 6, 8)], "pooling_param { kernel_size: 3 stride: 2 ceil_mode: false }"),
}


@pytest.mark.parametrize("frugal", [False, True], ids=["keeping all", "keeping little"])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_what_differences_say(tmp_path, name, frugal):
    shapes, parameters = CASES[name]
    phase = caffe.TRAIN if name == "BN frozen" else caffe.TEST
    net = net_of(tmp_path, name.split()[0], shapes, parameters, phase)
    net.keep_intermediates, net.compute_param_diffs = not frugal, False
    if name.startswith("ReLU6"):
        net.blobs["a"].data[...] *= 4
    random = np.random.RandomState(1)
    weights = random.randn(*net.blobs["y"].shape)
    steps = {name: random.randn(*net.blobs[name].shape) for name in net.inputs}

    def loss():
        return (net.forward()["y"].astype(np.float64) * weights).sum()

    loss()
    net.blobs["y"].diff[...] = weights
    slopes = {name: diff.copy() for name, diff in net.backward().items()}
    size = 2e-3
    for name, step in steps.items():
        start = net.blobs[name].data.copy()
        net.blobs[name].data[...] = start + size * step
        above = loss()
        net.blobs[name].data[...] = start - size * step
        slope = (above - loss()) / (2 * size)
        net.blobs[name].data[...] = start
        assert slope == pytest.approx((slopes[name] * step).sum(), rel=5e-3, abs=5e-3)
        assert np.abs(slopes[name]).max() > 0


@pytest.mark.parametrize("name", CASES)
def test_half_precision_gives_the_same_but_for_rounding(tmp_path, name):
    shapes, parameters = CASES[name]
    found = {}
    for precision in ("float32", "bfloat16"):
        net = net_of(tmp_path, name.split()[0], shapes, parameters, precision=precision)
        top = net.forward()["y"].copy()
        net.blobs["y"].diff[...] = np.random.RandomState(2).randn(*top.shape)
        found[precision] = [top, net.backward()["a"].copy()]
    for half, whole in zip(found["bfloat16"], found["float32"]):
        assert np.linalg.norm(half - whole) <= 0.02 * np.linalg.norm(whole)


def test_axpy_scales_channels_and_adds(tmp_path):
    net = net_of(tmp_path, "Axpy", *CASES["Axpy"])
    a, x, y = (net.blobs[name].data for name in "abc")
    np.testing.assert_allclose(net.forward()["y"], a * x + y, rtol=1e-6)


def along(values):
    return np.float64(values).reshape(1, -1, 1, 1)


def test_bn_normalises_by_its_stored_statistics(tmp_path):
    net = net_of(tmp_path, "BN", *CASES["BN"])
    x, found = net.blobs["a"].data, net.forward()["y"]
    scale, shift, mean, variance = (blob.data for blob in net.params["it"])
    assert scale.shape == (1, 3, 1, 1)
    expected = (x - along(mean)) / np.sqrt(along(variance) + 1e-5) * along(scale) + along(shift)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bn_of_segnet_scales_and_shifts(tmp_path):
    net = net_of(tmp_path, "BN", *CASES["BN of SegNet"])
    scale, shift = (blob.data for blob in net.params["it"])
    x = net.blobs["a"].data
    np.testing.assert_allclose(net.forward()["y"], x * scale + shift, rtol=1e-6)


def test_bn_in_training_moves_its_statistics_towards_the_batchs(tmp_path):
    text = "bn_param { slope_filler { value: 2 } momentum: 0.75 }"
    net = net_of(tmp_path, "BN", [(2, 3, 4, 5)], text, caffe.TRAIN)
    x = np.float64(net.blobs["a"].data)
    before = [blob.data.copy() for blob in net.params["it"]]
    found = net.forward()["y"]
    mean, variance = along(x.mean((0, 2, 3))), along(x.var((0, 2, 3)))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * before[0] + before[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for blob, old, new in zip(net.params["it"][2:], before[2:], (mean, variance)):
        np.testing.assert_allclose(blob.data, 0.75 * old + 0.25 * new, rtol=1e-5)


def test_a_depthwise_convolution_is_one_with_as_many_groups(tmp_path):
    shapes, parameters = CASES["ConvolutionDepthwise"]
    fork = net_of(tmp_path, "ConvolutionDepthwise", shapes, parameters)
    grouped = parameters.replace("num_output: 3", "num_output: 3 group: 3")
    plain = net_of(tmp_path, "Convolution", shapes, grouped)
    assert fork.params["it"][0].shape == (3, 1, 3, 3)
    np.testing.assert_array_equal(fork.forward()["y"], plain.forward()["y"])


def test_interp_puts_corners_on_corners(tmp_path):
    net = net_of(tmp_path, "Interp", [(1, 1, 2, 3)], "interp_param { zoom_factor: 2 }")
    net.blobs["a"].data[...] = [[[[0, 2, 4], [6, 8, 10]]]]
    expected = [[[[0, 1, 2, 3, 4], [3, 4, 5, 6, 7], [6, 7, 8, 9, 10]]]]
    np.testing.assert_allclose(net.forward()["y"], expected, atol=1e-6)


def test_interp_cuts_before_it_shrinks(tmp_path):
    text = "interp_param { shrink_factor: 2 pad_beg: -1 pad_end: -2 }"
    net = net_of(tmp_path, "Interp", [(1, 1, 6, 8)], text)
    x = net.blobs["a"].data
    np.testing.assert_allclose(net.forward()["y"], x[:, :, 1:4:2, 1:6:2], atol=1e-6)


def test_normalize_divides_by_the_norm_of_the_channels(tmp_path):
    net = net_of(tmp_path, "Normalize", *CASES["Normalize pixels"])
    assert net.params["it"][0].shape == (3,)
    x, scale = np.float64(net.blobs["a"].data), net.params["it"][0].data
    expected = x / np.sqrt((x * x).sum(1, keepdims=True)) * along(scale)
    np.testing.assert_allclose(net.forward()["y"], expected, rtol=1e-5)


def test_normalize_divides_by_the_norm_of_all(tmp_path):
    net = net_of(tmp_path, "Normalize", *CASES["Normalize"])
    x, scale = np.float64(net.blobs["a"].data), net.params["it"][0].data
    expected = x / np.sqrt((x * x).sum((1, 2, 3), keepdims=True)) * scale
    np.testing.assert_allclose(net.forward()["y"], expected, rtol=1e-5)


def test_permute_names_the_first_axes_and_the_others_follow(tmp_path):
    net = net_of(tmp_path, "Permute", *CASES["Permute the first"])
    np.testing.assert_array_equal(net.forward()["y"], net.blobs["a"].data.transpose(2, 0, 1))


def test_relu6_stops_at_six(tmp_path):
    net = net_of(tmp_path, "ReLU6", *CASES["ReLU6 with a slope"])
    x = net.blobs["a"].data
    x *= 5
    expected = np.minimum(np.where(x > 0, x, 0.1 * x), 6)
    np.testing.assert_allclose(net.forward()["y"], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["Reorg", "Reorg back"])
def test_reorg_moves_values_as_darknet_does(tmp_path, name):
    net = net_of(tmp_path, "Reorg", *CASES[name])
    x = net.blobs["a"].data
    batch, channels, height, width = x.shape
    step, fewer = 2, channels // 4
    flat, expected = x.reshape(batch, -1), np.zeros((batch, x[0].size))
    for k, j, i in np.ndindex(channels, height, width):
        row, column = j * step + k // fewer // step, i * step + k // fewer % step
        small = i + width * (j + height * k)
        large = column + width * step * (row + height * step * (k % fewer))
        if name == "Reorg":
            expected[:, small] = flat[:, large]
        else:
            expected[:, large] = flat[:, small]
    found = net.forward()["y"]
    assert found.shape == ((2, 32, 2, 3) if name == "Reorg" else (2, 2, 6, 10))
    np.testing.assert_array_equal(found.reshape(batch, -1), np.float32(expected))


def test_shuffle_channel_deals_groups_out_in_turn(tmp_path):
    net = net_of(tmp_path, "ShuffleChannel", *CASES["ShuffleChannel"])
    x = net.blobs["a"].data
    np.testing.assert_array_equal(net.forward()["y"], x[:, [0, 2, 4, 1, 3, 5]])


@pytest.mark.parametrize("field", ["ceil_mode: false", "round_mode: FLOOR"])
def test_pooling_without_ceil_mode_rounds_down(tmp_path, field):
    net = net_of(
        tmp_path, "Pooling", [(2, 3, 6, 8)], f"pooling_param {{ kernel_size: 3 stride: 2 {field} }}"
    )
    x = net.blobs["a"].data
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2]
    np.testing.assert_array_equal(net.forward()["y"], windows.max((4, 5)))


WRONG = {
    "Axpy": ([(2, 3), (2, 3, 4, 5), (2, 3, 4, 4)], "", "one shape"),
    "ConvolutionDepthwise": (
        [(2, 3, 6, 5)],
        "convolution_param { num_output: 6 kernel_size: 3 }",
        "num_output is 6, the bottom has 3",
    ),
    "Interp": ([(2, 3, 4, 5)], "", "needs height and width"),
    "Permute": ([(2, 3, 4, 5)], "permute_param { order: 1 order: 1 }", "twice"),
    "Reorg": ([(2, 8, 5, 6)], "reorg_param { stride: 2 }", "does not divide by 2"),
    "ShuffleChannel": ([(2, 6, 3, 2)], "shuffle_channel_param { group: 4 }", "by 4 groups"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_parameter_is_said_with_the_layers_name(tmp_path, kind):
    shapes, parameters, words = WRONG[kind]
    with pytest.raises(CaffeError, match=rf"layer 'it' \({kind}\).*{words}"):
        net_of(tmp_path, kind, shapes, parameters)


def test_a_caffemodel_loads_whatever_numbers_its_fork_gave_to_fields(tmp_path):
    """bn_param as 137 (Caffe's embed_param), interp_param as 143, ceil_mode as 13."""
    net = net_of(tmp_path, "BN", *CASES["BN"])
    values = [blob.data.copy() for blob in net.params["it"]]
    net.save(str(tmp_path / "net.caffemodel"))
    content = caffe_pb2.NetParameter()
    content.ParseFromString((tmp_path / "net.caffemodel").read_bytes())
    layer = content.layer[1]
    bn = layer.bn_param.SerializeToString()
    layer.ClearField("bn_param")
    zoomed = caffe_pb2.InterpParameter(zoom_factor=8, pad_beg=-1).SerializeToString()
    foreign = b"".join(
        tag(number) + bytes([len(body)]) + body
        for number, body in ((137, bn), (143, zoomed), (121, b"\x68\x01"), (8266711, b"\x08\x07"))
    )
    layer.MergeFromString(foreign)
    written = caffe_pb2.NetParameter(layer=[layer]).SerializeToString()
    (tmp_path / "fork.caffemodel").write_bytes(written)
    for blob in net.params["it"]:
        blob.data[...] = 0
    net.copy_from(str(tmp_path / "fork.caffemodel"))
    for blob, expected in zip(net.params["it"], values):
        np.testing.assert_array_equal(blob.data, expected)


def tag(number):
    """Return the key of a field with a length, as a varint."""
    key, found = number << 3 | 2, []
    while key > 127:
        found.append(key & 127 | 128)
        key >>= 7
    return bytes([*found, key])
