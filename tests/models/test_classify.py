"""What a network takes a picture for."""

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.errors import DreamError
from dreamlib.models.classify import centre_crop, class_probabilities, classify
from dreamlib.models.engines import load_net
from tests.embedded import photograph, prepared_model
from tests.nets import INCEPTION, MEAN, picture


def test_a_photograph_of_a_cat_is_a_cat():
    model = prepared_model()
    (name, probability), *rest = classify(
        load_net(model, "torch"), photograph("cat", 300, 400), model.read_labels()
    )
    assert "cat" in name
    assert probability > 0.3
    assert len(rest) == 4


def test_probabilities_fall_and_sum_to_one(net):
    found = classify(net, picture(80, 100), [], top=10)
    values = [probability for _, probability in found]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)


def test_scores_without_a_softmax_become_probabilities(tmp_path, net):
    text = INCEPTION[: INCEPTION.index('layer { name: "prob"')]
    (tmp_path / "bare.prototxt").write_text(text)
    net.save(str(tmp_path / "same.caffemodel"))
    bare = pycaffe.Classifier(
        str(tmp_path / "bare.prototxt"), str(tmp_path / "same.caffemodel"), mean=MEAN,
        channel_swap=(2, 1, 0),
    )  # fmt: skip
    image = picture(70, 90)
    np.testing.assert_allclose(
        class_probabilities(bare, image), class_probabilities(net, image), atol=1e-6
    )


def test_a_net_that_has_dreamt_another_size_sees_its_own(net):
    image = picture(64, 64)
    expected = classify(net, image, [])
    net.blobs["data"].reshape(1, 3, 90, 110)
    assert classify(net, image, []) == expected


def test_the_middle_of_a_picture_is_seen():
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 30:70] = 200
    crop = centre_crop(image, (20, 20))
    assert crop.shape == (20, 20, 3)
    assert crop[:, 2:-2].min() > 190


def test_deep_pictures_are_seen_as_bright_as_shallow_ones():
    shallow = picture(30, 30)
    np.testing.assert_allclose(
        centre_crop(np.uint16(shallow) * 257, (20, 20)), centre_crop(shallow, (20, 20)), atol=0.01
    )


def test_another_number_of_labels_is_refused(net):
    with pytest.raises(DreamError, match="10 classes and there are 3 class names"):
        classify(net, picture(64, 64), ["a", "b", "c"])
