"""`Net` in pycaffe's terms: how it is made, run forwards and backwards, fed, reshaped, shared."""

import numpy as np
import pytest
import torch

from dreamlib import pycaffe as caffe
from tests.pycaffe.nets import TINY, TRAINED, make_net

SHAPE = (2, 3, 6, 7)


def values(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


# -- making one -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    net, path = make_net(tmp_path, seed=8), tmp_path / "tiny.caffemodel"
    net.save(str(path))
    return str(tmp_path / "net.prototxt"), str(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda prototxt, weights: caffe.Net(prototxt, weights, caffe.TEST),
        lambda prototxt, weights: caffe.Net(prototxt, caffe.TEST, weights=weights),
        lambda prototxt, weights: caffe.Net(prototxt, caffe.TEST, 0, [], weights),
        lambda prototxt, weights: caffe.Net(
            network_file=prototxt, phase=caffe.TEST, level=0, stages=None, weights=weights
        ),
    ],
    ids=["prototxt, weights, phase", "weights by keyword", "all by position", "all by keyword"],
)
def test_every_call_form_of_pycaffe_loads_the_weights(tmp_path, files, make):
    expected = make_net(tmp_path, seed=8)
    np.testing.assert_array_equal(make(*files).params["ip"][0].data, expected.params["ip"][0].data)


def test_without_weights_the_fillers_fill(tmp_path):
    first, second = make_net(tmp_path, seed=1), make_net(tmp_path, seed=2)
    assert (first.params["ip"][0].data != second.params["ip"][0].data).all()
    np.testing.assert_array_equal(
        first.params["ip"][0].data, make_net(tmp_path, seed=1).params["ip"][0].data
    )


def test_levels_and_stages_by_position(tmp_path):
    text = TINY.replace('type: "TanH"', 'type: "TanH" include { min_level: 2 stage: "deep" }')
    text = text.replace('bottom: "tanh" bottom: "double"', 'bottom: "double" bottom: "double"')
    path = str(tmp_path / "net.prototxt")
    make_net(tmp_path, text)
    assert "tanh" in caffe.Net(path, caffe.TEST, 2, ["deep"]).layer_dict
    assert "tanh" not in caffe.Net(path, caffe.TEST, 1, ["deep"]).layer_dict


@pytest.mark.parametrize("arguments", [(), (7,), (caffe.TEST, 1.5), (caffe.TEST, "a", "b")])
def test_other_arguments_are_refused(files, arguments):
    with pytest.raises(caffe.CaffeError, match=r"phase is|the forms are"):
        caffe.Net(files[0], *arguments)


def test_layers_show_type_and_parameters(net):
    assert net.layer_dict["conv"].type == "Convolution"
    assert net.layers[net._layer_names.index("conv")] is net.layer_dict["conv"]
    assert [tuple(blob.shape) for blob in net.layer_dict["conv"].blobs] == [(4, 3, 3, 3), (4,)]
    assert net.layer_dict["tanh"].blobs == []
    assert list(net.params) == ["conv", "ip"]
    assert net.params["ip"][1] is net.layer_dict["ip"].blobs[1]


# -- forward --------------------------------------------------------------------------------------


def test_forward_returns_the_outputs(net):
    result = net.forward()
    assert list(result) == ["prob"]
    np.testing.assert_allclose(result["prob"].sum(1), 1, rtol=1e-5)


def test_forward_returns_other_blobs_when_asked(net):
    result = net.forward(blobs=["conv", "sum"])
    assert set(result) == {"prob", "conv", "sum"}
    np.testing.assert_allclose(
        result["sum"], np.tanh(result["conv"]) + 2 * result["conv"], rtol=1e-4, atol=1e-5
    )


def test_forward_to_an_end_returns_its_tops_and_runs_no_further(net):
    assert list(net.forward(end="sum")) == ["sum"]
    assert not net.blobs["prob"].data.any()


def test_forward_from_a_start_runs_nothing_before(net):
    net.forward()
    conv = net.blobs["conv"].data.copy()
    net.blobs["data"].data[...] = 0
    net.forward(start="ip")
    np.testing.assert_array_equal(net.blobs["conv"].data, conv)


def test_a_blob_that_several_layers_read_can_be_written_and_run_on_from(net):
    """Caffe's Split shares its bottom's memory."""
    net.forward()
    net.blobs["conv"].data[...] = 7
    net.forward(start="tanh")
    np.testing.assert_allclose(net.blobs["sum"].data, np.tanh(7) + 14, rtol=1e-6)


def test_forward_takes_inputs_by_name(net):
    expected = net.forward()["prob"].copy()
    net.blobs["data"].data[...] = 0
    np.testing.assert_array_equal(net.forward(data=values(*SHAPE))["prob"], expected)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"date": values(*SHAPE)}, r"\['date'\].*\['data'\]"),
        ({"data": values(1, 3, 6, 7)}, r"shape \(2, 3, 6, 7\), got \(1, 3, 6, 7\)"),
        ({"data": values(2, 3, 6, 8)}, r"shape \(2, 3, 6, 7\), got \(2, 3, 6, 8\)"),
        ({"end": "sun"}, "no layer 'sun'; did you mean 'sum'"),
        ({"start": "comv"}, "no layer 'comv'; did you mean 'conv'"),
        ({"blobs": ["probe"]}, "no blob 'probe'; did you mean 'prob'"),
    ],
)
def test_wrong_arguments_of_forward_are_refused_before_it_runs(net, arguments, says):
    with pytest.raises(caffe.CaffeError, match=says):
        net.forward(**arguments)
    assert not net.blobs["conv"].data.any()


# -- backward -------------------------------------------------------------------------------------


def test_backward_returns_the_inputs_diffs_and_those_asked_for(net):
    net.forward()
    net.blobs["prob"].diff[...] = values(2, 5)
    result = net.backward(diffs=["conv"])
    assert set(result) == {"data", "conv"}
    assert result["data"].any()


def test_backward_to_an_end_returns_its_bottoms_and_runs_no_further(net):
    net.forward()
    net.blobs["prob"].diff[...] = values(2, 5)
    assert list(net.backward(end="ip")) == ["sum"]
    assert net.blobs["sum"].diff.any()
    assert not net.blobs["data"].diff.any()


def test_backward_takes_the_outputs_diffs_by_name(net):
    net.forward()
    seed = values(2, 5)
    result = net.backward(prob=seed)["data"].copy()
    net.blobs["prob"].diff[...] = seed
    np.testing.assert_array_equal(net.backward()["data"], result)
    assert result.any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ip": values(2, 5)}, r"\['ip'\].*\['prob'\]"),
        ({"prob": values(1, 5)}, r"output 'prob' has shape \(2, 5\), got \(1, 5\)"),
        ({"start": "prob_"}, "did you mean 'prob'"),
        ({"diffs": ["date"]}, "no blob 'date'; did you mean 'data'"),
    ],
)
def test_wrong_arguments_of_backward_are_refused(net, arguments, says):
    net.forward()
    with pytest.raises(caffe.CaffeError, match=says):
        net.backward(**arguments)


def test_backward_is_the_gradient_of_forward(net):
    """Against central differences along random directions."""
    seed, point = values(2, 5, seed=1), values(*SHAPE)
    net.forward(data=point)
    gradient = net.backward(prob=seed)["data"].astype(np.float64)
    for number in range(3):
        direction = values(*SHAPE, seed=10 + number)
        ends = [
            np.vdot(net.forward(data=point + h * direction)["prob"].astype(np.float64), seed)
            for h in (0.002, -0.002)
        ]
        slope = (ends[0] - ends[1]) / 0.004
        assert np.vdot(gradient, direction) == pytest.approx(slope, rel=5e-3, abs=1e-4)


def test_without_force_backward_an_input_gets_no_gradient(tmp_path):
    net = make_net(tmp_path, TINY.replace("force_backward: true", ""))
    net.forward(data=values(*SHAPE))
    assert not net.backward(prob=values(2, 5))["data"].any()


# -- parameters' diffs ----------------------------------------------------------------------------

#: a loss without chance: no Dropout, an input instead of random data
LOSS = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 6 } shape { dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" SPECS
  inner_product_param { num_output: 3 weight_filler { type: "xavier" }
    bias_filler { type: "gaussian" } } }
layer { name: "tanh" type: "TanH" bottom: "ip" top: "ip" }
layer { name: "out" type: "InnerProduct" bottom: "ip" top: "out"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "out" bottom: "label" top: "loss"
  loss_weight: 0.5 }
layer { name: "half" type: "Power" bottom: "loss" top: "half" power_param { scale: 3 } }
layer { name: "end" type: "Silence" bottom: "half" }
"""


def loss_net(folder, phase=caffe.TRAIN, specs=""):
    net = make_net(folder, LOSS.replace("SPECS", specs), phase)
    net.blobs["data"].data[...] = values(4, 6)
    net.blobs["label"].data[...] = [0, 2, 1, 2]
    return net


def param_diffs(net):
    net.clear_param_diffs()
    net.forward()
    net.backward()
    return {(n, i): b.diff.copy() for n, bs in net.params.items() for i, b in enumerate(bs)}


def test_in_phase_train_parameter_diffs_are_the_losss_gradient(tmp_path):
    net = loss_net(tmp_path)
    found = param_diffs(net)
    assert len(found) == 4
    for (name, index), diff in found.items():
        array = net.params[name][index].data
        expected = np.zeros(diff.shape)
        for place in np.ndindex(*diff.shape):
            kept, losses = array[place], []
            for h in (0.01, -0.01):
                array[place] = kept + h
                net.forward()
                losses.append(0.5 * float(net.blobs["loss"].data))
            array[place] = kept
            expected[place] = (losses[0] - losses[1]) / 0.02
        np.testing.assert_allclose(diff, expected, rtol=2e-3, atol=2e-5)
        assert diff.any()


def test_parameter_diffs_add_up_until_they_are_cleared(tmp_path):
    net = loss_net(tmp_path)
    once = param_diffs(net)
    net.forward()
    net.backward()
    np.testing.assert_allclose(net.params["ip"][0].diff, 2 * once["ip", 0], rtol=1e-5)
    net.clear_param_diffs()
    assert not any(blob.diff.any() for blobs in net.params.values() for blob in blobs)


def test_in_phase_test_there_are_none_unless_asked_for(tmp_path):
    net = loss_net(tmp_path, caffe.TEST)
    assert not any(diff.any() for diff in param_diffs(net).values())
    net.compute_param_diffs = True
    trained = param_diffs(loss_net(tmp_path))
    for key, diff in param_diffs(net).items():
        np.testing.assert_allclose(diff, trained[key], rtol=1e-5, atol=1e-7)


def test_a_parameter_that_is_not_learned_gets_no_diff(tmp_path):
    found = param_diffs(loss_net(tmp_path, specs="param { lr_mult: 1 } param { lr_mult: 0 }"))
    assert found["ip", 0].any()
    assert not found["ip", 1].any()


def test_a_parameter_shared_by_name_is_one_and_its_diffs_add_up(tmp_path):
    text = """
    force_backward: true
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
      inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
      inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
    """
    net = make_net(tmp_path, text, caffe.TRAIN)
    x, seed = values(2, 3), values(2, 3, seed=1)
    net.params["a"][0].data[...] = w = values(3, 3, seed=2)
    np.testing.assert_allclose(net.forward(x=x)["b"], x @ w.T @ w.T, rtol=1e-4, atol=1e-5)
    net.backward(b=seed)
    expected = seed.T @ (x @ w.T) + (seed @ w).T @ x
    np.testing.assert_allclose(net.params["b"][0].diff, expected, rtol=1e-4, atol=1e-5)


def test_sharing_a_parameter_of_another_shape_is_refused(tmp_path):
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
      inner_product_param { num_output: 2 } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
      inner_product_param { num_output: 3 } }
    """
    with pytest.raises(caffe.CaffeError, match=r"'b' shares .*'w' of shape \(2, 3\).*\(3, 2\)"):
        make_net(tmp_path, text)


def test_a_net_to_be_trained_learns(tmp_path):
    """A plain gradient descent in a script's own words."""
    net = make_net(tmp_path, TRAINED, caffe.TRAIN)
    losses = []
    for _ in range(60):
        net.clear_param_diffs()
        net.forward()
        losses.append(float(net.blobs["loss"].data))
        net.backward()
        for blobs in net.params.values():
            for blob in blobs:
                blob.data[...] -= 0.5 * blob.diff
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])


# -- any number of pictures -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_forward_all_runs_ragged_batches(net, count):
    pictures = values(count, 3, 6, 7, seed=4)
    result = net.forward_all(blobs=["conv"], data=pictures)
    assert result["prob"].shape == (count, 5)
    assert result["conv"].shape == (count, 4, 6, 7)
    for number, picture in enumerate(pictures):
        alone = net.forward(data=np.stack([picture, picture]))["prob"][0]
        np.testing.assert_allclose(result["prob"][number], alone, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_forward_backward_all_runs_ragged_batches(net, count):
    pictures, seeds = values(count, 3, 6, 7, seed=4), values(count, 5, seed=5)
    data, diff = net.forward_backward_all(blobs=["sum"], diffs=["conv"], data=pictures, prob=seeds)
    assert {name: len(array) for name, array in data.items()} == {"prob": count, "sum": count}
    assert {name: len(array) for name, array in diff.items()} == {"data": count, "conv": count}
    for number in range(count):
        net.forward(data=np.stack([pictures[number]] * 2))
        alone = net.backward(prob=np.stack([seeds[number]] * 2))["data"][0]
        np.testing.assert_allclose(diff["data"][number], alone, rtol=1e-4, atol=1e-7)


def test_forward_backward_all_without_seeds_uses_the_diffs_that_are_there(net):
    net.blobs["prob"].diff[...] = seed = values(2, 5)
    _, diff = net.forward_backward_all(data=values(4, 3, 6, 7))
    net.forward(data=values(4, 3, 6, 7)[2:])
    np.testing.assert_allclose(diff["data"][2:], net.backward(prob=seed)["data"], atol=1e-7)


# -- shapes ---------------------------------------------------------------------------------------


def test_reshape_carries_the_inputs_shape_up(tmp_path):
    net = make_net(tmp_path, TINY[: TINY.index('layer { name: "ip"')])
    net.blobs["data"].reshape(1, 3, 10, 11)
    net.reshape()
    assert tuple(net.blobs["sum"].shape) == (1, 4, 10, 11)
    assert net.blobs["sum"].data.shape == (1, 4, 10, 11)


def test_forward_reshapes_by_itself(tmp_path):
    net = make_net(tmp_path, TINY[: TINY.index('layer { name: "ip"')])
    for size in (9, 4, 9):
        net.blobs["data"].reshape(1, 3, size, size)
        picture = net.blobs["data"].data[...] = values(1, 3, size, size)
        assert net.forward()["sum"].shape == (1, 4, size, size)
        net.blobs["sum"].diff[...] = 1
        assert net.backward()["data"].shape == picture.shape


def test_a_shape_that_a_layer_cannot_take_names_the_layer(net):
    net.blobs["data"].reshape(1, 3, 10, 11)
    with pytest.raises(caffe.CaffeError, match=r"layer 'ip' \(InnerProduct\).*168"):
        net.reshape()


# -- other nets -----------------------------------------------------------------------------------


def test_share_with_shares_the_memory(tmp_path, net):
    other = make_net(tmp_path, seed=9)
    other.share_with(net)
    net.params["ip"][0].data[...] = 0
    assert not other.params["ip"][0].data.any()
    other.params["conv"][1].data[...] = 4
    assert (net.params["conv"][1].data == 4).all()


def test_share_with_keeps_diffs_apart(tmp_path, net):
    other = make_net(tmp_path, seed=9)
    other.share_with(net)
    net.params["ip"][0].diff[...] = 3
    assert not other.params["ip"][0].diff.any()


def test_share_with_another_shape_is_refused(tmp_path, net):
    other = make_net(tmp_path, TINY.replace("num_output: 5", "num_output: 6"))
    with pytest.raises(caffe.CaffeError, match=r"'ip' .*\(6, 168\) here, \(5, 168\) there"):
        other.share_with(net)


def test_set_input_arrays_says_what_to_do_instead(net):
    with pytest.raises(caffe.CaffeError, match=r"MemoryData.*net\.blobs\[name\]\.data"):
        net.set_input_arrays(values(*SHAPE), values(2))


def test_a_blob_overwritten_in_place_while_another_reads_it_is_refused(tmp_path):
    """Caffe: "Top blob 'x' produced by multiple sources"."""
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "tanh" type: "TanH" bottom: "x" top: "tanh" }
    layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
    """
    with pytest.raises(caffe.CaffeError, match="'relu' overwrites blob 'x'"):
        make_net(tmp_path, text)


@pytest.mark.parametrize(
    "body",
    [
        'type: "InnerProduct" bottom: "x" top: "y"',
        'type: "Tile" bottom: "x" top: "y" tile_param { axis: 9 tiles: 2 }',
        'type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 7 } }',
        'type: "Slice" bottom: "x" top: "y" top: "z" slice_param { slice_point: 99 }',
        'type: "Log" bottom: "x" top: "y" log_param { base: 0 }',
        'type: "Reduction" bottom: "x" top: "y" reduction_param { axis: 5 }',
    ],
)
def test_contradictory_parameters_name_file_and_layer(tmp_path, body):
    path = tmp_path / "wrong.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } } '
        f'layer {{ name: "culprit" {body} }}'
    )
    with pytest.raises(caffe.CaffeError, match=r"wrong\.prototxt.*culprit"):
        caffe.Net(str(path), caffe.TEST).forward()


# -- by position, and with tensors ----------------------------------------------------------------


def test_a_range_of_layers_gives_what_the_names_of_its_ends_give(net):
    last = net.layer_index("sum")
    expected = net.forward(end="sum")["sum"].copy()
    net.blobs["sum"].diff[...] = expected
    gradient = net.backward(start="sum")["data"].copy()
    net.blobs["sum"].data[...] = net.blobs["data"].diff[...] = 0
    net.forward_range(0, last)
    net.backward_range(last, 0)
    np.testing.assert_array_equal(net.blobs["sum"].data, expected)
    np.testing.assert_array_equal(net.blobs["data"].diff, gradient)


def test_a_layer_that_is_not_there_has_no_position(net):
    with pytest.raises(caffe.CaffeError, match=r"no layer 'sums'.*'sum'"):
        net.layer_index("sums")


@pytest.mark.parametrize("half", ["data", "diff"])
def test_a_blobs_tensor_and_its_array_have_the_same_values(net, half):
    blob = net.blobs["sum"]
    tensor = torch.rand(*blob.shape)
    setattr(blob, f"{half}_tensor", tensor)
    np.testing.assert_array_equal(getattr(blob, half), tensor.numpy())
    getattr(blob, half)[...] = 3
    assert (getattr(blob, f"{half}_tensor") == 3).all()
    with pytest.raises(caffe.CaffeError, match="shape"):
        setattr(blob, f"{half}_tensor", tensor[0])
