"""Real Caffe itself, asked now: what was recorded still holds."""

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.models.zoo import find_model
from tests.nets import write_random_net
from tests.pycaffe.test_against_golden import GOLDEN
from tests.real_caffe import googlenet_answers, root
from tests.real_caffe.record import record


def test_caffe_answers_what_was_recorded(real_caffe, tmp_path):
    record(tmp_path / "now.npz")
    with np.load(tmp_path / "now.npz") as now, np.load(GOLDEN) as recorded:
        assert sorted(now.files) == sorted(recorded.files)
        for key in now.files:
            # Another CPU sums in another order.
            error = np.linalg.norm(np.float64(now[key]) - np.float64(recorded[key]))
            assert error <= 1e-5 * np.linalg.norm(np.float64(recorded[key])), key


@pytest.fixture(scope="module")
def googlenet(real_caffe, tmp_path_factory):
    """A folder with GoogLeNet, random weights, and real Caffe's answers."""
    folder = tmp_path_factory.mktemp("googlenet")
    text = find_model("bvlc_googlenet").prototxt.read_text()
    write_random_net(folder, "force_backward: true\n" + text)
    root.ask(["-m", googlenet_answers.__name__, "caffe"], folder)
    return folder


@pytest.mark.parametrize("what", ["prob", "end", "gradient"])
def test_the_whole_of_googlenet_answers_as_caffe_does(googlenet, monkeypatch, what):
    monkeypatch.chdir(googlenet)
    ours = googlenet_answers.answers(pycaffe)[what]
    with np.load("caffe.npz") as theirs:
        error = np.linalg.norm(ours - theirs[what]) / np.linalg.norm(theirs[what])
    assert error <= 1e-4
