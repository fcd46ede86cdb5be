"""Real Caffe converts by its own messages, and loads and runs the result."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from dreamlib.models.fully_convolutional import fully_convolutional
from tests.embedded import prepared_model
from tests.models.test_fully_convolutional import FLAT, V1, random_model, scores, some

# builds or finds the Debian 11 root
root = pytest.importorskip("tests.real_caffe.root")

pytestmark = pytest.mark.real_caffe


def embedded_model(folder):
    shutil.copytree(prepared_model().folder, folder)
    return prepared_model()


@pytest.mark.parametrize(
    ("make", "layer", "own", "larger"),
    [
        (lambda folder: random_model(folder, FLAT), "fc2", (32, 24), (48, 48)),
        (lambda folder: random_model(folder, V1), "fc", (16, 16), (24, 20)),
        (embedded_model, "classifier", (224, 224), (288, 256)),
    ],
    ids=["flat", "v1", "embedded"],
)
def test_real_caffe_runs_the_fully_convolutional_net(tmp_path, make, layer, own, larger):
    net = tmp_path / "net"
    model = make(net)
    np.save(net / "own.npy", some(*own))
    np.save(net / "larger.npy", some(*larger))
    root.ask(["-m", "tests.real_caffe.fully_convolutional_scores", ".", layer], net)
    found = np.load(net / "scores.npz")
    np.testing.assert_allclose(found["own"].reshape(1, -1), found["original"], rtol=0, atol=1e-5)
    (tmp_path / "ours").mkdir()
    ours = scores(fully_convolutional(model, "torch", tmp_path / "ours"), layer, some(*larger))
    assert ours.shape[2] > 1
    np.testing.assert_allclose(found["larger"], ours, rtol=0, atol=1e-3)
