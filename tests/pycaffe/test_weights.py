"""Caffemodels: of every age, damaged, and written by either Caffe."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import FILLERS, fill, read_weights, write_weights
from tests.pycaffe.nets import make_net
from tests.pycaffe.recorded import recorded

#: Files here hold one layer of two, mostly; the warning has its own tests.
pytestmark = pytest.mark.filterwarnings("ignore::dreamlib.errors.CaffeWarning")


def zeroed(folder):
    """Return the tiny net with all parameters zero, so that what is copied shows."""
    net = make_net(folder)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = 0
    return net


def write(folder, net_param, name="any.caffemodel"):
    path = folder / name
    path.write_bytes(net_param.SerializeToString())
    return str(path)


def stored_layer(net_param, name, *arrays, v1=False, legacy=False, double=False):
    """Append a layer with parameters to a NetParameter, in the way of a given age."""
    layer = net_param.layers.add() if v1 else net_param.layer.add()
    layer.name = name
    for array in arrays:
        blob = layer.blobs.add()
        if legacy:
            shape = (1,) * (4 - array.ndim) + array.shape
            blob.num, blob.channels, blob.height, blob.width = shape
        else:
            blob.shape.dim.extend(array.shape)
        (blob.double_data if double else blob.data).extend(array.ravel())
    return layer


def ip_arrays(seed=0):
    random = np.random.RandomState(seed)
    return [random.rand(5, 168).astype(np.float32), random.rand(5).astype(np.float32)]


# -- ages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("double", [False, True])
def test_weights_of_every_age_arrive(tmp_path, v1, legacy, double):
    net_param, arrays = caffe_pb2.NetParameter(name="x"), ip_arrays()
    stored_layer(net_param, "ip", *arrays, v1=v1, legacy=legacy, double=double)
    net = zeroed(tmp_path)
    net.copy_from(write(tmp_path, net_param))
    for blob, array in zip(net.params["ip"], arrays):
        np.testing.assert_array_equal(blob.data, array)


def test_layers_that_only_one_side_has_are_left_alone(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "nobody knows me", np.ones((3, 4)))
    stored_layer(net_param, "tanh")  # known, but without parameters
    stored_layer(net_param, "ip", *ip_arrays())
    net = zeroed(tmp_path)
    net.copy_from(write(tmp_path, net_param))
    assert net.params["ip"][0].data.all()
    assert not net.params["conv"][0].data.any()


def test_a_layer_of_an_unknown_type_is_ignored(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "data", np.ones(3)).type = "SomebodysOwnData"
    net = zeroed(tmp_path)
    net.copy_from(write(tmp_path, net_param))
    assert not net.params["ip"][0].data.any()


def test_fields_of_a_later_caffe_are_ignored(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "ip", *ip_arrays())
    unknown = bytes([0xFA, 0x7F, 3]) + b"new"  # field 2047, three bytes
    path = tmp_path / "later.caffemodel"
    path.write_bytes(net_param.SerializeToString() + unknown)
    net = zeroed(tmp_path)
    net.copy_from(str(path))
    assert net.params["ip"][0].data.all()


def test_where_a_blob_says_it_twice_caffes_order_decides(tmp_path):
    net_param = caffe_pb2.NetParameter()
    blob = stored_layer(net_param, "a", np.arange(6.0).reshape(1, 6), legacy=True).blobs[0]
    blob.shape.dim.extend([6])
    blob.double_data.extend(-blob.data[index] for index in range(6))
    (array,) = read_weights(write(tmp_path, net_param))["a"]
    assert array.shape == (1, 1, 1, 6)
    np.testing.assert_array_equal(array.ravel(), -np.arange(6))


def test_a_blob_without_shape_is_a_scalar(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "a").blobs.add(data=[9])
    (array,) = read_weights(write(tmp_path, net_param))["a"]
    assert array.shape == ()
    assert array == 9


def test_layers_without_parameters_in_the_file_are_warned_of_with_those_of_both_sides(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "fc8", np.ones((3, 4)))
    stored_layer(net_param, "ip", *ip_arrays())
    path = write(tmp_path, net_param)
    with pytest.warns(caffe.CaffeWarning) as warned:
        make_net(tmp_path, weights=path)
    assert [str(one.message) for one in warned] == [
        f"{path}: has parameters for 1 of the net's 2 layers; what was there stays in 'conv'; the "
        "file's layers 'fc8' are not the net's"
    ]
    assert warned[0].filename.endswith("nets.py")  # who made the net


@pytest.mark.filterwarnings("error")
def test_layers_of_the_file_alone_are_no_reason_to_warn(tmp_path):
    net = make_net(tmp_path)
    path = str(tmp_path / "more.caffemodel")
    net.save(path)
    net_param = caffe_pb2.NetParameter.FromString((tmp_path / "more.caffemodel").read_bytes())
    stored_layer(net_param, "loss1/classifier", np.ones((3, 4)))
    net.copy_from(write(tmp_path, net_param))


def test_of_parameters_that_come_twice_the_last_are_taken_as_in_caffe(tmp_path):
    net_param, net = caffe_pb2.NetParameter(), zeroed(tmp_path)
    for seed in (0, 1):
        stored_layer(net_param, "ip", *ip_arrays(seed))
    stored_layer(net_param, "conv", *(blob.data for blob in net.params["conv"]))
    with pytest.warns(caffe.CaffeWarning, match="'ip' more than once"):
        net.copy_from(write(tmp_path, net_param))
    np.testing.assert_array_equal(net.params["ip"][0].data, ip_arrays(1)[0])


# -- damaged and foreign files --------------------------------------------------------------------


def saved(folder):
    path = folder / "saved.caffemodel"
    make_net(folder, seed=1).save(str(path))
    return path


def ends_of_layers(content):
    """Return the lengths at which a cut leaves a smaller, but whole, caffemodel."""
    net_param = caffe_pb2.NetParameter.FromString(content)
    ends = []
    while net_param.layer:
        ends.append(net_param.ByteSize())
        del net_param.layer[-1]
    return ends


@given(st.data())
def test_a_file_cut_anywhere_within_a_layer_is_refused_by_name(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    whole = saved(folder).read_bytes()
    ends = ends_of_layers(whole)
    assert len(whole) in ends
    length = data.draw(st.integers(0, len(whole) - 1).filter(lambda n: n not in ends))
    path = folder / "cut.caffemodel"
    path.write_bytes(whole[:length])
    with pytest.raises(caffe.CaffeError, match=r"cut\.caffemodel: (truncated|holds no layers)"):
        read_weights(str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"holds no layers \(0 bytes\)"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "HDF5"),
        (b"<!DOCTYPE html>\n<html>404</html>", "truncated, or not a caffemodel"),
        (b'name: "text"\nlayer { name: "a" type: "ReLU" }\n', "(not a caffemodel|holds no layers)"),
    ],
    ids=["empty", "hdf5", "html", "prototxt"],
)
def test_a_foreign_file_is_refused_by_name(tmp_path, content, says):
    path = tmp_path / "foreign.caffemodel"
    path.write_bytes(content)
    with pytest.raises(caffe.CaffeError, match=r"foreign\.caffemodel: .*" + says):
        make_net(tmp_path, weights=str(path))


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(
        caffe.CaffeError, match=r"nowhere\.caffemodel: cannot be read: .*no such file"
    ):
        make_net(tmp_path, weights=str(tmp_path / "nowhere.caffemodel"))


def test_weights_of_2013_arrive(tmp_path):
    net_param, arrays = caffe_pb2.NetParameter(), ip_arrays()
    layer = net_param.layers.add(bottom=["sum"], top=["ip"])
    layer.layer.name, layer.layer.type = "ip", "innerproduct"
    for array in arrays:
        layer.layer.blobs.add(num=1, channels=1, height=len(array) if array.ndim == 2 else 1,
                              width=array.shape[-1], data=array.ravel())  # fmt: skip
    net = zeroed(tmp_path)
    net.copy_from(write(tmp_path, net_param))
    for blob, array in zip(net.params["ip"], arrays):
        np.testing.assert_array_equal(blob.data, array)


def test_a_parameter_with_too_few_values_is_refused(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "ip", np.ones(4)).blobs[0].shape.dim[0] = 7
    with pytest.raises(caffe.CaffeError, match=r"'ip' .*shape \(7,\) with 4 values"):
        read_weights(write(tmp_path, net_param))


# -- what does not fit ----------------------------------------------------------------------------


def test_a_shape_mismatch_names_both_shapes_and_copies_nothing(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "conv", np.ones((4, 3, 3, 3)), np.ones(4))  # fits, and comes first
    stored_layer(net_param, "ip", np.ones((5, 167)), np.ones(5))
    net = zeroed(tmp_path)
    with pytest.raises(caffe.CaffeError) as caught:
        net.copy_from(write(tmp_path, net_param))
    for part in ("any.caffemodel", "'ip'", "(5, 167)", "(5, 168)"):
        assert part in str(caught.value)
    assert not any(blob.data.any() for blobs in net.params.values() for blob in blobs)


@pytest.mark.parametrize("count", [0, 1])
def test_another_number_of_parameters_is_refused(tmp_path, count):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "ip", *ip_arrays()[:count])
    with pytest.raises(caffe.CaffeError, match=rf"'ip' has {count} parameters, the net's has 2"):
        zeroed(tmp_path).copy_from(write(tmp_path, net_param))


def test_equal_counts_in_another_shape_are_still_refused(tmp_path):
    net_param = caffe_pb2.NetParameter()
    stored_layer(net_param, "ip", np.ones((168, 5)), np.ones(5))
    with pytest.raises(caffe.CaffeError, match=r"\(168, 5\)"):
        zeroed(tmp_path).copy_from(write(tmp_path, net_param))


# -- writing --------------------------------------------------------------------------------------


def test_saved_weights_come_back_exactly(tmp_path):
    net, other = make_net(tmp_path, seed=1), make_net(tmp_path, seed=2)
    path = str(tmp_path / "saved.caffemodel")
    net.save(path)
    other.copy_from(path)
    for name, blobs in net.params.items():
        for blob, copy in zip(blobs, other.params[name]):
            np.testing.assert_array_equal(blob.data, copy.data)


def test_a_saved_file_names_net_layers_and_types(tmp_path):
    net_param = caffe_pb2.NetParameter.FromString(saved(tmp_path).read_bytes())
    assert net_param.name == "tiny"
    layers = {layer.name: layer for layer in net_param.layer}
    assert layers["conv"].type == "Convolution"
    assert list(layers["conv"].blobs[0].shape.dim) == [4, 3, 3, 3]
    assert list(layers["tanh"].bottom) == ["conv_conv_0_split_0"]


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before, files = path.read_bytes(), sorted(os.listdir(tmp_path))

    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(caffe.CaffeError, match=r"saved\.caffemodel: cannot be written: No space"):
        make_net(tmp_path, seed=5).save(str(path))
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == files


def test_a_folder_that_does_not_exist_is_refused_by_name(tmp_path):
    with pytest.raises(caffe.CaffeError, match=r"nowhere/x\.caffemodel: cannot be written"):
        make_net(tmp_path).save(str(tmp_path / "nowhere" / "x.caffemodel"))


def test_values_are_read_as_written_to_the_last_bit(tmp_path):
    values = np.random.RandomState(0).standard_normal(1000).astype(np.float32)
    values[:4] = [np.inf, -0.0, np.float32(1e-42), np.finfo(np.float32).max]
    path = str(tmp_path / "x.caffemodel")
    write_weights(path, "x", [(caffe_pb2.LayerParameter(name="a", type="Bias"), [values])])
    assert read_weights(path)["a"][0].tobytes() == values.tobytes()


def test_a_file_that_real_caffe_wrote_is_read(tmp_path):
    path = tmp_path / "theirs.caffemodel"
    path.write_bytes(recorded("caffemodel").tobytes())
    weights = read_weights(str(path))
    for layer in ("conv", "ip"):
        for index, array in enumerate(weights[layer]):
            np.testing.assert_array_equal(array, recorded(f"param_{layer}_{index}"))


# -- fillers ------------------------------------------------------------------------------------

SHAPE = (40, 30, 5, 5)


def filled(kind, shape=SHAPE, **options):
    array = np.full(shape, np.nan, np.float32)
    filler = caffe_pb2.FillerParameter(type=kind, **options)
    fill(array, filler, np.random.RandomState(0))
    return array


@given(st.floats(-1e6, 1e6, width=32))
def test_constant_is_constant(value):
    assert (filled("constant", (3, 4), value=value) == np.float32(value)).all()


def test_the_default_filler_is_zero():
    array = np.ones(5, np.float32)
    fill(array, caffe_pb2.FillerParameter(), np.random.RandomState(0))
    assert not array.any()


def test_uniform_fills_its_range():
    values = filled("uniform", min=-2, max=6)
    assert -2 <= values.min() < -1.99
    assert 5.99 < values.max() <= 6
    assert values.mean() == pytest.approx(2, abs=0.05)


def test_gaussian_has_its_mean_and_deviation():
    values = filled("gaussian", mean=3, std=0.5)
    assert values.mean() == pytest.approx(3, abs=0.01)
    assert values.std() == pytest.approx(0.5, rel=0.02)
    beyond = np.mean(abs(values - 3) > 1)  # two deviations
    assert beyond == pytest.approx(0.0455, rel=0.1)


def test_sparse_gaussian_keeps_so_many_inputs_of_each_output():
    # Caffe draws each value with probability sparse / outputs
    values = filled("gaussian", (40, 5000), std=1, sparse=10)
    assert np.mean(values != 0) == pytest.approx(10 / 40, rel=0.03)
    assert values[values != 0].std() == pytest.approx(1, rel=0.02)


def test_positive_unitball_sums_to_one_for_each_output():
    values = filled("positive_unitball")
    assert values.min() >= 0
    np.testing.assert_allclose(values.reshape(40, -1).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(("norm", "fan"), [(0, 30 * 25), (1, 40 * 25), (2, 35 * 25)])
def test_xavier_is_uniform_within_the_fans_limit(norm, fan):
    values = filled("xavier", variance_norm=norm)
    limit = np.sqrt(3 / fan)
    assert 0.999 * limit < abs(values).max() <= limit * (1 + 1e-6)
    assert values.var() == pytest.approx(1 / fan, rel=0.03)


@pytest.mark.parametrize(("norm", "fan"), [(0, 30 * 25), (1, 40 * 25), (2, 35 * 25)])
def test_msra_is_gaussian_with_the_fans_variance(norm, fan):
    values = filled("msra", variance_norm=norm)
    assert values.var() == pytest.approx(2 / fan, rel=0.03)
    assert abs(values).max() > 3 * np.sqrt(2 / fan)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
def test_bilinear_equals_real_caffe(side):
    expected = recorded(f"bilinear_{side}")
    np.testing.assert_allclose(filled("bilinear", expected.shape), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("shape", [(2, 2, 3, 4), (4, 4)])
def test_bilinear_refuses_what_is_not_a_square_kernel(shape):
    with pytest.raises(caffe.CaffeError, match="square 4-axis kernel"):
        filled("bilinear", shape)


@pytest.mark.parametrize("kind", sorted(FILLERS))
def test_a_seed_gives_the_same_values_again(kind):
    shape = (4, 4, 3, 3)
    np.testing.assert_array_equal(filled(kind, shape), filled(kind, shape))


def test_an_unknown_filler_is_refused_with_the_known_ones():
    with pytest.raises(caffe.CaffeError, match=r"'magic' is none of .*gaussian"):
        filled("magic")
