"""Trained GoogLeNet against what real Caffe answered, recorded in tests/golden.

``make golden`` records it anew; tests/real_caffe/test_trained_googlenet.py asks real Caffe itself.
"""

import numpy as np
import pytest

from dreamlib.models.model import REPOSITORY, load_model
from tests.real_caffe import trained
from tests.real_caffe.trained_answers import CELLS, CLASSES, DEPTHS
from tests.real_weights import real_model

GOLDEN = REPOSITORY / "tests/golden/googlenet.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    trained.prepare(folder, real_model("bvlc_googlenet").weights, trained.pictures())
    return trained.our_answers(folder)


def test_every_picture_is_classified_as_by_caffe(ours, golden):
    trained.assert_same(ours, golden, "probabilities")


@pytest.mark.parametrize("depth", DEPTHS)
def test_activations_are_caffes(ours, golden, depth):
    trained.assert_same(ours, golden, f"{depth} activation")


@pytest.mark.parametrize("of", [*DEPTHS, *CLASSES])
def test_gradients_are_caffes(ours, golden, of):
    trained.assert_same_gradients(ours, golden, f"{of} gradient")


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_the_notebook_is_as_near_to_caffes_as_that_is_to_itself(ours, golden, cell):
    trained.assert_as_near_as_to_itself(ours, golden, cell)


def test_caffe_recognised_the_notebooks_photographs(golden):
    labels = load_model(REPOSITORY / "models/bvlc_googlenet").read_labels()
    for name, expected in (("sky1024px", "parachute"), ("flowers", "yellow lady's slipper")):
        assert labels[golden[f"{name}: probabilities"].argmax()].startswith(expected)
