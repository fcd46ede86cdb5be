"""Nets that Caffe takes although nobody would write them so today: the same here."""

import numpy as np
import pytest

from dreamlib import pycaffe
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
