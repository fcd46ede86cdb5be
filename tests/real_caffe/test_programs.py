"""Caffe's own classify.py beside ours: the same flags, the same scores.

Debian's `caffe.io.load_image` does not work with its scikit-image; so pictures come as an array.
"""

import numpy as np
import pytest

from dreamlib.pycaffe import classify
from tests.nets import picture, write_random_net
from tests.real_caffe import root

THEIRS = "/usr/share/doc/python3-caffe/examples/classify.py"


@pytest.mark.parametrize("more", [[], ["--center_only"]], ids=["ten crops", "centre"])
def test_classify_gives_caffes_scores(real_caffe, tmp_path, monkeypatch, more):
    write_random_net(tmp_path)
    np.save(tmp_path / "two.npy", [picture(90, 80, seed) / 255 for seed in (0, 1)])
    np.save(tmp_path / "mean.npy", np.random.RandomState(0).uniform(100, 130, (3, 64, 64)))
    flags = ["two.npy", "theirs.npy", "--model_def", "deploy.prototxt"]
    flags += ["--pretrained_model", "random.caffemodel", "--images_dim", "80,76"]
    flags += ["--mean_file", "mean.npy", "--raw_scale", "200", "--channel_swap", "1,2,0", *more]
    root.ask([THEIRS, *flags], tmp_path)
    monkeypatch.chdir(tmp_path)
    classify.main([flags[0], "ours.npy", *flags[2:]])
    ours, theirs = np.load("ours.npy"), np.load("theirs.npy")
    assert ours.shape == theirs.shape == (2, 10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
