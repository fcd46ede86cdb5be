"""`Detector` against the windows that real Caffe's cuts, and by law."""

import numpy as np
import pytest
from PIL import Image

from dreamlib import pycaffe as caffe
from tests.pycaffe.recorded import recorded


@pytest.fixture
def files(tmp_path):
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(str(recorded("square")))
    caffe.set_random_seed(0)
    caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


def detector(files, **options):
    options = {
        "mean": np.float32([104, 116, 122]),
        "raw_scale": 255,
        "channel_swap": (2, 1, 0),
        **options,
    }
    return caffe.Detector(*files, **options)


@pytest.mark.parametrize("context_pad", [1, 2])
def test_a_window_with_its_surroundings_equals_real_caffe(files, context_pad):
    net, image = detector(files, context_pad=context_pad), recorded("window_picture")
    expected = recorded(f"crops_{context_pad}")
    for window, crop in zip(recorded("windows"), expected):
        np.testing.assert_allclose(net.crop(image, window), crop, rtol=0, atol=1e-5)


def test_without_context_a_window_is_cut_as_it_is(files):
    image = recorded("window_picture")
    np.testing.assert_array_equal(detector(files).crop(image, (5, 6, 15, 14)), image[5:15, 6:14])


def test_beyond_the_picture_there_is_the_mean_which_the_net_sees_as_zero(files):
    net = detector(files, context_pad=2)
    crop = net.crop(np.ones((20, 30, 3), np.float32), (0, 0, 10, 10))
    blob = net.transformer.preprocess("data", crop)
    np.testing.assert_allclose(blob[:, 0, 0], 0, atol=1e-4)
    np.testing.assert_allclose(blob[:, 4, 4], 255 - np.float32([104, 116, 122]), rtol=1e-5)


def test_detect_windows_gives_each_windows_prediction_in_order(files, tmp_path):
    net = detector(files)
    pictures = []
    for number in range(2):
        path = str(tmp_path / f"{number}.png")
        pixels = np.random.RandomState(number).randint(0, 256, (20, 30, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        pictures.append((path, [(0, 0, 8, 8), (3, 4, 20, 25)][: number + 1]))
    found = net.detect_windows(pictures)
    assert [(each["filename"], each["window"]) for each in found] == [
        (path, window) for path, windows in pictures for window in windows
    ]
    for each in found:
        crop = net.crop(caffe.io.load_image(each["filename"]), each["window"])
        blob = net.transformer.preprocess("data", crop)
        alone = net.forward_all(data=blob[np.newaxis])["ip"][0]
        np.testing.assert_allclose(each["prediction"], alone, rtol=1e-4)


def test_no_windows_give_no_detections(files):
    assert detector(files).detect_windows([]) == []


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 21, 5), (3, 0, 3, 5), (5, 0, 3, 5)])
def test_a_window_that_is_not_within_the_picture_is_refused(files, window):
    with pytest.raises(caffe.CaffeError, match="does not lie within a picture of 20 x 30"):
        detector(files).crop(recorded("window_picture"), window)


def test_a_border_that_leaves_nothing_is_refused(files):
    with pytest.raises(caffe.CaffeError, match="context_pad 4 must leave something"):
        detector(files, context_pad=4)


def test_selective_search_says_what_to_do_instead(files):
    with pytest.raises(caffe.CaffeError, match="call detect_windows"):
        detector(files).detect_selective_search(["a.png"])
