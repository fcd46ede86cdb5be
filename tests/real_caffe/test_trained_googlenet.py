"""Real Caffe still answers what tests/golden/googlenet.npz says, of trained GoogLeNet."""

import numpy as np
import pytest

from tests.models.test_trained_googlenet import GOLDEN
from tests.real_caffe import trained
from tests.real_caffe.trained_answers import CELLS, CLASSES, DEPTHS
from tests.real_weights import real_model


@pytest.fixture(scope="module")
def asked(real_caffe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    names = ("sky 0", "meadow 0", "small sky", "small sky moved", "small guide")  # Caffe is slow
    pictures = {name: picture for name, picture in trained.pictures().items() if name in names}
    trained.prepare(folder, real_model("bvlc_googlenet").weights, pictures)
    return trained.caffe_answers(folder)


def test_caffe_answers_what_is_recorded(asked):
    with np.load(GOLDEN) as stored:
        golden = dict(stored)
    trained.assert_same(asked, golden, "probabilities")
    for depth in DEPTHS:
        trained.assert_same(asked, golden, f"{depth} activation")
    for of in (*DEPTHS, *CLASSES):
        trained.assert_same_gradients(asked, golden, f"{of} gradient")
    for cell in CELLS:
        trained.assert_as_near_as_to_itself(asked, golden, cell)
