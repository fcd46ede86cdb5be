"""Real Caffe itself, asked now: what was recorded still holds."""

import numpy as np

from tests.pycaffe.test_against_golden import GOLDEN
from tests.real_caffe.record import record


def test_caffe_answers_what_was_recorded(real_caffe, tmp_path):
    record(tmp_path / "now.npz")
    with np.load(tmp_path / "now.npz") as now, np.load(GOLDEN) as recorded:
        assert sorted(now.files) == sorted(recorded.files)
        for key in now.files:
            # Another CPU sums in another order.
            error = np.linalg.norm(np.float64(now[key]) - np.float64(recorded[key]))
            assert error <= 1e-5 * np.linalg.norm(np.float64(recorded[key])), key
