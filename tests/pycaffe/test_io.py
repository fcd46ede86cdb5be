"""``caffe.io`` against what real Caffe's gave, and by law."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe import io
from dreamlib.pycaffe.proto import caffe_pb2
from tests.pycaffe.recorded import recorded

#: as in record_io
SIZES = {"up": (13, 11), "down": (3, 4), "mixed": (12, 4), "same": (8, 9)}
OVERSAMPLED = [(8, 9), (5, 4), (4, 5), (7, 7)]

# -- against real Caffe ---------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("direction", sorted(SIZES))
def test_resize_image_equals_real_caffe(channels, direction):
    image = recorded(f"resize_{channels}")
    expected = recorded(f"resize_{channels}_{direction}")
    result = io.resize_image(image, SIZES[direction])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-3)  # grey levels of 255


@pytest.mark.parametrize("size", OVERSAMPLED)
def test_oversample_equals_real_caffe(size):
    crops = io.oversample(recorded("oversample"), size)
    assert crops.dtype == np.float32
    np.testing.assert_array_equal(crops, recorded(f"oversample_{size[0]}_{size[1]}"))


def recorded_transformer():
    transformer = io.Transformer({"data": (1, 3, 8, 9)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", recorded("mean"))
    transformer.set_channel_swap("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    transformer.set_input_scale("data", 0.017)
    return transformer


def test_a_mean_image_of_another_size_is_resized_as_real_caffe_does():
    mean = recorded_transformer().mean["data"]
    np.testing.assert_allclose(mean, recorded("mean_resized"), rtol=0, atol=1e-3)


def test_preprocess_equals_real_caffe():
    result = recorded_transformer().preprocess("data", recorded("picture"))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, recorded("preprocessed"), rtol=0, atol=1e-4)


# -- Transformer, by law --------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    order=st.permutations(range(3)),
    raw=st.none() | st.sampled_from([255.0, 2.0]),
    scale=st.none() | st.sampled_from([0.017, 1 / 128]),
    mean=st.sampled_from(["none", "channel", "image"]),
)
def test_deprocess_undoes_preprocess(seed, size, order, raw, scale, mean):
    random = np.random.RandomState(seed)
    transformer = io.Transformer({"data": (1, 3) + size})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", order)
    if raw is not None:
        transformer.set_raw_scale("data", raw)
    if scale is not None:
        transformer.set_input_scale("data", scale)
    if mean != "none":
        values = random.uniform(0, 200, (3,) if mean == "channel" else (3,) + size)
        transformer.set_mean("data", values.astype(np.float32))
    picture = random.uniform(0, 1, size + (3,)).astype(np.float32)
    blob = transformer.preprocess("data", picture.copy())
    assert blob.shape == (3,) + size
    back = transformer.deprocess("data", blob[np.newaxis])
    np.testing.assert_allclose(back, picture, atol=1e-3)


def test_deprocess_leaves_its_argument_alone():
    blob = np.ones((1, 3, 8, 9), np.float32)
    recorded_transformer().deprocess("data", blob)
    assert (blob == 1).all()


def test_the_order_of_operations_is_caffes():
    transformer = io.Transformer({"data": (1, 3, 1, 1)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 100)
    transformer.set_mean("data", np.float32([1, 2, 3]))
    transformer.set_input_scale("data", 10)
    blob = transformer.preprocess("data", np.float32([[[0.1, 0.2, 0.3]]]))
    # blue first: (0.3 * 100 - 1) * 10
    np.testing.assert_allclose(blob.ravel(), [290, 180, 70], rtol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_preprocess_leaves_its_argument_alone(transposed):
    transformer = io.Transformer({"data": (1, 3, 3, 3)})
    if transposed:
        transformer.set_transpose("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    picture = np.ones((3, 3, 3), np.float32)
    assert (transformer.preprocess("data", picture) == 255).all()
    assert (picture == 1).all()


def test_a_grey_mean_image_of_two_axes():
    transformer = io.Transformer({"data": (1, 1, 4, 5)})
    transformer.set_mean("data", np.full((4, 5), 7, np.float32))
    assert transformer.mean["data"].shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("method", "argument", "says"),
    [
        ("set_transpose", (1, 0), "transpose"),
        ("set_channel_swap", (1, 0), "channel swap"),
        ("set_mean", np.zeros(4), "4 channels"),
        ("set_mean", np.zeros((1, 3, 8, 9)), r"shape \(1, 3, 8, 9\)"),
        ("set_mean", np.zeros((4, 8, 9)), "4 channels"),
    ],
)
def test_what_does_not_fit_the_input_is_refused(method, argument, says):
    transformer = io.Transformer({"data": (1, 3, 8, 9)})
    with pytest.raises(caffe.CaffeError, match=says):
        getattr(transformer, method)("data", argument)


@pytest.mark.parametrize("method", ["preprocess", "deprocess", "set_mean", "set_raw_scale"])
def test_an_unknown_input_is_refused_with_the_known_ones(method):
    transformer = io.Transformer({"data": (1, 3, 8, 9)})
    with pytest.raises(caffe.CaffeError, match=r"'date' .*'data'"):
        getattr(transformer, method)("date", np.zeros(3))


def test_resizing_a_constant_picture_keeps_it():
    assert (io.resize_image(np.full((4, 5, 3), 8, np.float32), (7, 6)) == 8).all()


# -- protocol buffers -----------------------------------------------------------------------------

arrays = st.tuples(st.integers(0, 2**31), st.lists(st.integers(1, 4), min_size=1, max_size=5)).map(
    lambda drawn: np.random.RandomState(drawn[0]).standard_normal(drawn[1]).astype(np.float32)
)


@given(arrays)
def test_an_array_and_its_diff_come_back_from_a_blobproto(array):
    blob = io.array_to_blobproto(array, diff=-array)
    np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), -array)


def test_a_blobproto_of_2014_has_four_axes():
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert io.blobproto_to_array(blob).shape == (1, 2, 1, 3)


def test_a_blobproto_becomes_float64_as_in_real_caffe():
    assert io.blobproto_to_array(io.array_to_blobproto(np.zeros(3, np.float32))).dtype == float


def test_a_mean_file_of_2014_becomes_a_mean(tmp_path):
    """As scripts of then read imagenet_mean.binaryproto."""
    stored = caffe_pb2.BlobProto(num=1, channels=3, height=2, width=2, data=range(12))
    read = caffe_pb2.BlobProto()
    read.ParseFromString(stored.SerializeToString())
    transformer = io.Transformer({"data": (1, 3, 2, 2)})
    transformer.set_mean("data", io.blobproto_to_array(read)[0])
    np.testing.assert_array_equal(transformer.mean["data"].ravel(), range(12))


@given(st.lists(arrays, max_size=3))
def test_a_list_of_arrays_comes_back_from_a_blobprotovector(some):
    back = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(some))
    assert len(back) == len(some)
    for array, copy in zip(some, back):
        np.testing.assert_array_equal(copy, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_picture_comes_back_from_a_datum(dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    datum = caffe_pb2.Datum.FromString(io.array_to_datum(array, label=5).SerializeToString())
    back = io.datum_to_array(datum)
    assert datum.label == 5
    assert bool(datum.data) is (dtype == np.uint8)
    np.testing.assert_array_equal(back, array)
    back[...] = 0  # a copy of its own


def test_a_datum_of_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 4\)") as refusal:  # as in pycaffe
        io.array_to_datum(np.zeros((3, 4)))
    assert isinstance(refusal.value, caffe.CaffeError)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_encoded_datum_is_decoded_as_caffes_layers_do(mode):
    array = np.random.RandomState(0).randint(0, 256, (4, 5, 3), np.uint8)
    array = array if mode == "RGB" else array[..., 0]
    file = BytesIO()
    Image.fromarray(array).save(file, "PNG")
    back = io.datum_to_array(caffe_pb2.Datum(data=file.getvalue(), encoded=True))
    expected = array[:, :, ::-1].transpose(2, 0, 1) if mode == "RGB" else array[np.newaxis]
    np.testing.assert_array_equal(back, expected)


def test_an_encoded_datum_that_is_no_picture_is_refused():
    with pytest.raises(caffe.CaffeError, match="an encoded Datum that is no picture"):
        io.datum_to_array(caffe_pb2.Datum(data=b"text", encoded=True))


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [np.zeros(2), np.zeros((1, 1, 1, 1)), np.zeros((2, 5, 5))])
def test_a_mean_of_a_wrong_shape_is_a_value_error_as_in_pycaffe(mean):
    transformer = io.Transformer({"data": (1, 3, 5, 5)})
    with pytest.raises(ValueError, match="the mean") as refusal:
        transformer.set_mean("data", mean)
    assert isinstance(refusal.value, caffe.CaffeError)


@pytest.mark.parametrize("shape", [(1, 6, 7), (3, 1, 7), (3, 6, 1), (1, 1, 1), (3, 6, 7)])
@pytest.mark.parametrize("batch", [(), (1,)])
def test_deprocess_gives_back_a_picture_with_axes_of_length_one(shape, batch):
    transformer = io.Transformer({"data": (1, *shape)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", np.arange(shape[0], dtype=float) + 5)
    transformer.set_channel_swap("data", tuple(range(shape[0]))[::-1])
    picture = np.random.RandomState(0).rand(*shape[1:], shape[0])
    blob = transformer.preprocess("data", picture).reshape(batch + shape)
    np.testing.assert_allclose(transformer.deprocess("data", blob), picture, atol=1e-5)


def test_deprocess_without_a_transpose_squeezes_as_pycaffe_does():
    transformer = io.Transformer({"data": (1, 1, 4, 5)})
    assert transformer.deprocess("data", np.zeros((1, 1, 4, 5))).shape == (4, 5)


def test_a_picture_that_is_smaller_than_its_crops_is_refused():
    with pytest.raises(ValueError, match=r"crops of 9 x 4 do not fit into a picture of 8 x 9"):
        io.oversample([np.zeros((8, 9, 3))], (9, 4))


# -- files ----------------------------------------------------------------------------------------


def file_of(folder, mode):
    """Write a picture of red 200, green 100, blue 50 (or grey 120) in a given mode."""
    path = str(folder / "picture.png")
    image = Image.new("RGB", (5, 4), (200, 100, 50))
    if mode == "RGBA":
        image.putalpha(77)
    elif mode == "P":
        image = image.quantize()
    elif mode == "L":
        image = Image.new("L", (5, 4), 120)
    elif mode == "LA":
        image = Image.new("LA", (5, 4), (120, 77))
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_load_image_gives_three_channels_from_zero_to_one(tmp_path, mode):
    image = io.load_image(file_of(tmp_path, mode))
    assert image.shape == (4, 5, 3)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[0, 0], np.float32([200, 100, 50]) / 255, atol=1.5 / 255)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_load_image_repeats_a_grey_picture(tmp_path, mode):
    image = io.load_image(file_of(tmp_path, mode))
    assert image.shape == (4, 5, 3)
    np.testing.assert_allclose(image, 120 / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_load_image_without_colour_gives_one_channel(tmp_path, mode):
    image = io.load_image(file_of(tmp_path, mode), color=False)
    assert image.shape == (4, 5, 1)
    assert image.dtype == np.float32
    if mode in ("L", "LA"):
        expected = 120 / 255
    else:  # scikit-image's weights of red, green and blue
        expected = np.dot([0.2125, 0.7154, 0.0721], [200, 100, 50]) / 255
    np.testing.assert_allclose(image, expected, atol=2 / 255)


def test_load_image_reads_sixteen_bits(tmp_path):
    path = str(tmp_path / "deep.png")
    Image.fromarray(np.full((4, 5), 40000, np.uint16)).save(path)
    np.testing.assert_allclose(io.load_image(path), 40000 / 65535, rtol=1e-6)


@pytest.mark.parametrize("content", [None, b"not a picture"])
def test_load_image_names_a_file_that_is_no_picture(tmp_path, content):
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(caffe.CaffeError, match=r"broken\.png: cannot be read as a picture"):
        io.load_image(str(path))


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_load_image_takes_text_bytes_and_paths(tmp_path, kind):
    assert io.load_image(kind(file_of(tmp_path, "RGB"))).shape == (4, 5, 3)


def test_load_image_calls_a_truncated_tiff_what_it_is(tmp_path):
    path = tmp_path / "cut.tif"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:100])  # its directory is at the end
    with pytest.raises(
        caffe.CaffeError,
        match=r"cut\.tif: cannot be read as a picture: it is a TIFF .* it is truncated or damaged",
    ):
        io.load_image(path)
