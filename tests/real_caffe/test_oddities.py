"""Nets that Caffe takes although nobody would write them so today: the same here."""

import numpy as np
import pytest

from dreamlib import pycaffe
from tests.command import pixels, run
from tests.models.test_buildable import DETECTOR, TUNED
from tests.nets import write_random_net
from tests.real_caffe import oddities, root


@pytest.fixture(scope="module")
def theirs(real_caffe, tmp_path_factory):
    """Real Caffe's answers."""
    folder = tmp_path_factory.mktemp("oddities")
    root.ask(["-m", oddities.__name__, "caffe", "caffe.npz"], folder)
    with np.load(folder / "caffe.npz") as answers:
        return dict(answers)


@pytest.fixture(scope="module")
def ours():
    return oddities.everything(pycaffe)


@pytest.mark.parametrize("name", oddities.CASES)
def test_odd_nets_answer_as_in_caffe(ours, theirs, name):
    keys = [key for key in theirs if key.startswith(f"{name}: ")]
    assert keys == [key for key in ours if key.startswith(f"{name}: ")]
    for key in keys:
        if key.endswith(": lists"):
            assert ours[key].tobytes().decode() == theirs[key].tobytes().decode()
        else:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-4, atol=1e-5, err_msg=key)


def test_the_command_dreams_below_unknown_layers_and_by_a_blobs_name(real_caffe, tmp_path):
    """In a network whose input has another name; as ours does."""
    text = (TUNED + DETECTOR).replace('"data"', '"image"')
    write_random_net(tmp_path, TUNED.replace('"data"', '"image"'))
    (tmp_path / "deploy.prototxt").write_text(text)
    words = ["noise:64x48", "--model", ".", "--end", "mixed/1x1", "--iterations", "1",
             "--octaves", "1", "--seed", "1"]  # fmt: skip
    said = root.dream(tmp_path, *words, "--engine", "caffe", "caffe.png")
    assert "layer mixed/new of" in said
    assert run(*words[:2], str(tmp_path), *words[3:], "--engine", "torch", tmp_path / "t.png") == 0
    apart = pixels(tmp_path / "t.png") - pixels(tmp_path / "caffe.png")
    assert np.abs(apart).mean() < 0.5
