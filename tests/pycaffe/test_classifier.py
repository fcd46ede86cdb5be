"""`Classifier` against what real Caffe predicted with the same weights, file and pictures."""

from pathlib import Path

import numpy as np
import pytest

from dreamlib import pycaffe as caffe
from tests.pycaffe.recorded import recorded

#: of probabilities
TOLERANCE = {"rtol": 0, "atol": 2e-6}


@pytest.fixture
def files(tmp_path):
    """Prototxt and caffemodel, the latter as real Caffe wrote it."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(str(recorded("prototxt")))
    weights.write_bytes(recorded("caffemodel").tobytes())
    return str(prototxt), str(weights)


def classifier(files, **options):
    options = {
        "image_dims": (10, 9),
        "mean": np.float32([104, 116, 122]),
        "raw_scale": 255,
        "channel_swap": (2, 1, 0),
        **options,
    }
    return caffe.Classifier(*files, **options)


def test_the_recorded_predictions_tell_pictures_and_crops_apart():
    alone, averaged = recorded("predicted"), recorded("predicted_oversampled")
    assert np.ptp(alone, axis=0).max() > 1e-3
    assert abs(alone - averaged).max() > 1e-3


def test_predict_oversampled_equals_real_caffe(files):
    predictions = classifier(files).predict(recorded("images"))
    np.testing.assert_allclose(predictions, recorded("predicted_oversampled"), **TOLERANCE)


def test_predict_of_the_centre_equals_real_caffe(files):
    predictions = classifier(files).predict(recorded("images"), oversample=False)
    np.testing.assert_allclose(predictions, recorded("predicted"), **TOLERANCE)


@pytest.mark.parametrize("dims", [[10, 9], np.array([10, 9])])
def test_image_dims_may_be_any_sequence(files, dims):
    predictions = classifier(files, image_dims=dims).predict(list(recorded("images")))
    np.testing.assert_allclose(predictions, recorded("predicted_oversampled"), **TOLERANCE)


def test_without_image_dims_the_whole_picture_is_seen(files):
    net = classifier(files, image_dims=None)
    assert list(net.image_dims) == list(net.crop_dims) == [7, 6]
    images = recorded("images")
    resized = [caffe.io.resize_image(image, (7, 6)) for image in images]
    np.testing.assert_allclose(
        net.predict(images, oversample=False), net.predict(resized, oversample=False), **TOLERANCE
    )


def test_pictures_of_different_sizes_go_together(files):
    net, images = classifier(files), recorded("images")
    mixed = [images[0], images[1][:9, :7], images[2][2:]]
    together = net.predict(mixed)
    for picture, prediction in zip(mixed, together):
        np.testing.assert_allclose(net.predict([picture])[0], prediction, rtol=1e-5)


def test_what_is_not_set_is_missing_from_the_transformer(files):
    net = caffe.Classifier(*files)
    assert net.transformer.mean == {}
    assert net.transformer.raw_scale == {}
    assert net.transformer.transpose == {"data": (2, 0, 1)}


def test_input_scale_comes_last(files):
    net = classifier(files, input_scale=0.5)
    blob = net.transformer.preprocess("data", np.zeros((7, 6, 3), np.float32))
    np.testing.assert_allclose(blob[:, 0, 0], [-52, -58, -61])


def test_the_notebooks_call_leaves_pictures_at_grey_levels(files):
    net = classifier(files, raw_scale=None, image_dims=None)
    blob = net.transformer.preprocess("data", np.full((7, 6, 3), 200, np.float32))
    np.testing.assert_allclose(blob[:, 0, 0], [96, 84, 78])


def test_a_net_without_an_input_is_refused(files):
    empty = Path(files[0]).with_name("empty.prototxt")
    empty.write_text("")
    with pytest.raises(caffe.CaffeError, match=f"{empty}: has no input"):
        caffe.Classifier(str(empty), files[1])


def test_pictures_that_are_to_be_smaller_than_the_input_are_refused(files):
    net = classifier(files, image_dims=(10, 5))
    with pytest.raises(ValueError, match=r"image_dims \(10, 5\) is smaller than .* \(7, 6\)"):
        net.predict(recorded("images"))
