"""Whole scripts on real Caffe and on ours: the same file, the same numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.nets import INCEPTION, write_random_net
from tests.real_caffe import root

pytestmark = pytest.mark.real_caffe

HERE = Path(__file__).parent
PYCAFFE = HERE.parent / "pycaffe"


def test_a_script_of_2015_draws_the_same_picture_on_both(real_caffe, tmp_path):
    """With weights that ours saved and real Caffe loads."""
    write_random_net(tmp_path, INCEPTION.replace("force_backward: true", ""))
    script = str(PYCAFFE / "script_of_2015.py")
    said = root.ask(["{project}/tests/pycaffe/script_of_2015.py", "."], tmp_path)
    picture = np.load(tmp_path / "dreamed.npy")
    ours = subprocess.run(
        [sys.executable, "-m", "dreamlib.pycaffe", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE.parents[1],
    )
    assert ours.stdout.splitlines()[0] == said.splitlines()[0]
    np.testing.assert_allclose(np.load(tmp_path / "dreamed.npy"), picture, rtol=0, atol=1e-3)


def test_what_was_recorded_is_what_real_caffe_gives(real_caffe, tmp_path):
    shutil.copy(PYCAFFE / "record_io.py", tmp_path)
    root.ask(["record_io.py"], tmp_path)
    with (
        np.load(tmp_path / "recorded_io.npz") as now,
        np.load(PYCAFFE / "recorded_io.npz") as before,
    ):
        assert set(now) == set(before)
        for name in before:
            if before[name].dtype.kind == "f":
                np.testing.assert_allclose(now[name], before[name], rtol=1e-5, atol=1e-6)
            else:
                np.testing.assert_array_equal(now[name], before[name])
