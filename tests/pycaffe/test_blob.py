"""Blobs keep pycaffe's meaning: arrays that scripts hold, read and write."""

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from tests.pycaffe.nets import TINY, make_net, relative


def gradient(net, seed=1, start="sum"):
    """Run forward and backward from a layer; return the input's diff, copied."""
    net.forward(end=start)
    top = net.blobs[start]
    top.diff[...] = np.random.RandomState(seed).standard_normal(top.shape)
    net.backward(start=start)
    return net.blobs["data"].diff.copy()


# -- the arrays -----------------------------------------------------------------------------------


def test_every_array_is_float32_contiguous_and_writable(net):
    net.forward()
    net.backward()
    for blob in [*net.blobs.values(), *(b for blobs in net.params.values() for b in blobs)]:
        for array in (blob.data, blob.diff):
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert array.shape == tuple(blob.shape)


def test_asking_twice_gives_the_same_memory(net):
    net.forward()
    blob = net.blobs["sum"]
    assert np.shares_memory(blob.data, blob.data)
    assert np.shares_memory(blob.diff, blob.diff)
    assert not np.shares_memory(blob.data, blob.diff)


def test_a_view_taken_before_forward_shows_what_forward_computes(net):
    views = {name: blob.data for name, blob in net.blobs.items()}
    assert not views["prob"].any()
    net.forward()
    for name, view in views.items():
        assert view.any(), name
        np.testing.assert_array_equal(view, net.blobs[name].data)
    before = views["prob"].copy()
    net.blobs["data"].data[...] += 1
    net.forward()
    assert (views["prob"] != before).any()


def test_a_view_of_a_diff_taken_before_backward_shows_what_it_computes(net):
    view = net.blobs["data"].diff
    expected = gradient(net)
    assert expected.any()
    np.testing.assert_array_equal(view, expected)


def test_views_held_or_not_give_the_same_numbers(tmp_path, net):
    other = make_net(tmp_path)
    other.blobs["data"].data[...] = net.blobs["data"].data
    views = [half for blob in other.blobs.values() for half in (blob.data, blob.diff)]
    np.testing.assert_allclose(gradient(net), gradient(other), rtol=1e-5, atol=1e-6)
    assert len(views) == 2 * len(other.blobs)


def test_what_is_written_is_what_the_next_layer_reads(net):
    net.forward()
    first = net.blobs["prob"].data.copy()
    net.blobs["sum"].data[...] = 0
    net.forward(start="ip")
    np.testing.assert_allclose(net.blobs["prob"].data, 0.2, rtol=1e-6)
    assert (first != net.blobs["prob"].data).any()


def test_one_changed_element_changes_the_output(net):
    net.forward()
    first = net.blobs["prob"].data.copy()
    net.blobs["data"].data[1, 2, 3, 4] += 5
    net.forward()
    np.testing.assert_array_equal(net.blobs["prob"].data[0], first[0])
    assert (net.blobs["prob"].data[1] != first[1]).any()


def test_a_written_parameter_is_used(net):
    net.params["ip"][0].data[...] = 0
    net.params["ip"][1].data[...] = np.log([1, 2, 3, 4, 10])
    net.forward()
    np.testing.assert_allclose(net.blobs["prob"].data[0], np.float32([1, 2, 3, 4, 10]) / 20)


def test_the_array_itself_cannot_be_replaced(net):
    with pytest.raises(AttributeError, match=r"data\[\.\.\.\] = values"):
        net.blobs["data"].data = np.zeros((2, 3, 6, 7))
    with pytest.raises(AttributeError, match=r"diff\[\.\.\.\] = values"):
        net.blobs["data"].diff = np.zeros((2, 3, 6, 7))


# -- diffs set by hand ----------------------------------------------------------------------------


def test_gradients_of_two_blobs_set_by_hand_add_up(net):
    random = np.random.RandomState(2)
    seeds = {name: random.standard_normal(net.blobs["sum"].shape) for name in ("tanh", "double")}

    def gradient_of(*chosen):
        net.forward(end="double")
        for name in seeds:
            net.blobs[name].diff[...] = seeds[name] if name in chosen else 0
        net.backward(start="double")
        return net.blobs["data"].diff.copy()

    both = gradient_of("tanh", "double")
    np.testing.assert_allclose(both, gradient_of("tanh") + gradient_of("double"), atol=1e-5)
    assert relative(gradient_of("tanh"), both) > 0.1


def test_backward_is_linear_in_the_diff(net):
    net.forward(end="sum")
    seed = np.random.RandomState(3).standard_normal(net.blobs["sum"].shape)
    results = []
    for factor in (1, -2.5):
        net.blobs["sum"].diff[...] = factor * seed
        net.backward(start="sum")
        results.append(net.blobs["data"].diff.copy())
    np.testing.assert_allclose(results[1], -2.5 * results[0], rtol=1e-4, atol=1e-5)


def test_backward_overwrites_what_a_diff_held(net):
    first = gradient(net)
    np.testing.assert_array_equal(gradient(net), first)


# -- shapes ---------------------------------------------------------------------------------------


def test_legacy_axes_and_count(net):
    blob = net.blobs["data"]
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 6, 7, 252)
    blob = net.blobs["ip"]
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 5, 1, 1, 10)


def test_legacy_axes_of_five_are_refused(tmp_path):
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { '
    text += "dim: 1 dim: 2 dim: 3 dim: 4 dim: 5 } } }"
    blob = make_net(tmp_path, text).blobs["x"]
    assert blob.count == 120
    with pytest.raises(caffe.CaffeError, match="5 axes"):
        _ = blob.num


def test_reshape_keeps_values_of_equal_count(net):
    blob = net.blobs["data"]
    values = blob.data.copy()
    blob.reshape(1, 6, 7, 6)
    np.testing.assert_array_equal(blob.data.ravel(), values.ravel())
    assert blob.data.shape == blob.diff.shape == (1, 6, 7, 6)


def test_reshape_to_another_count_gives_an_array_to_write(net):
    blob = net.blobs["data"]
    blob.reshape(1, 3, 6, 8)
    blob.data[...] = 3
    assert blob.data.shape == blob.diff.shape == (1, 3, 6, 8)
    assert blob.data.sum() == 3 * blob.count


def test_a_negative_length_is_refused(net):
    with pytest.raises(caffe.CaffeError, match=r"\(1, -3\)"):
        net.blobs["data"].reshape(1, -3)


# -- memory ---------------------------------------------------------------------------------------


def test_without_intermediates_the_gradient_is_the_same(net):
    kept = gradient(net)
    net.keep_intermediates = False
    np.testing.assert_allclose(gradient(net), kept, rtol=1e-5, atol=1e-6)


def test_without_intermediates_only_arrays_asked_for_stay(tmp_path):
    net = make_net(tmp_path)
    net.keep_intermediates = False
    net.blobs["data"].data[...] = 1
    asked = net.blobs["double"].diff
    net.forward(end="sum")
    net.blobs["sum"].diff[...] = 1
    net.backward(start="sum")
    assert (asked == 1).all()
    assert net.blobs["data"].diff.any()
    assert net.blobs["conv_conv_0_split_1"].diff_memory._tensor is None
    assert not net.blobs["conv_conv_0_split_1"].diff.any()


def test_freed_data_is_refused_until_the_next_forward(net):
    net.keep_intermediates = False
    gradient(net)
    with pytest.raises(caffe.CaffeError, match="keep_intermediates = True"):
        _ = net.blobs["tanh"].data
    net.forward(blobs=["tanh"])
    assert net.blobs["tanh"].data.any()


def test_with_intermediates_every_diff_below_the_start_is_there(net):
    gradient(net)
    for name in ("sum", "tanh", "double", "conv", "data"):
        assert net.blobs[name].diff.any(), name


# -- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 2e-2), ("float16", 3e-3)])
def test_a_lower_precision_keeps_float32_arrays_near_float32s(tmp_path, net, precision, bound):
    low = make_net(tmp_path, precision=precision)
    low.blobs["data"].data[...] = net.blobs["data"].data
    for name, blobs in low.params.items():
        for blob, exact in zip(blobs, net.params[name]):
            np.testing.assert_array_equal(blob.data, exact.data)  # parameters are not rounded
    errors = [relative(gradient(low), gradient(net))]
    for each in (low, net):
        each.forward()
    errors += [relative(low.blobs[n].data, net.blobs[n].data) for n in ("conv", "sum", "prob")]
    assert 0 < max(errors) < bound
    assert low.blobs["sum"].data.dtype == low.blobs["data"].diff.dtype == np.float32


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(caffe.CaffeError, match=r"'float8' is none of float32, bfloat16, float16"):
        make_net(tmp_path, TINY, precision="float8")
