"""Stock Caffe loads the embedded model and computes what the PyTorch network does."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.embedded import network_input, photograph, prepared_model, reference_network

# builds or finds the Debian 11 root
root = pytest.importorskip("tests.real_caffe.root")

pytestmark = pytest.mark.real_caffe
PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")


@pytest.fixture(scope="module")
def pictures():
    return [photograph(name, 96, 96) for name in PHOTOGRAPHS]


@pytest.fixture(scope="module")
def answer(pictures, tmp_path_factory):
    """Folder with scores.npy and gradients.npy by real Caffe."""
    folder = tmp_path_factory.mktemp("embedded")
    model = prepared_model()
    for file in (model.prototxt, model.weights):
        shutil.copy(file, folder)
    np.save(folder / "inputs.npy", np.array([network_input(picture) for picture in pictures]))
    root.ask(["-m", "tests.real_caffe.embedded_scores", "."], folder)
    return folder


def test_scores_of_real_caffe_equal_the_reference_network(answer, pictures):
    reference = reference_network()
    expected = [reference(picture) for picture in pictures]
    np.testing.assert_allclose(np.load(answer / "scores.npy"), expected, rtol=0, atol=1e-3)


def test_gradients_of_real_caffe_equal_the_reference_network(answer, pictures):
    reference = reference_network()
    errors = []
    for got, picture in zip(np.load(answer / "gradients.npy"), pictures):
        expected = reference(picture, gradient_of=281)
        errors.append(np.linalg.norm(got - expected) / np.linalg.norm(expected))
    # not all: see tests/models/test_embedded_model.py on ReLU6's corners
    assert np.median(errors) <= 1e-4
    assert max(errors) <= 0.02
