"""The generated meadow."""

import numpy as np
from PIL import Image

from dreamlib import flowers


def test_a_meadow_has_its_size_and_repeats_with_its_seed():
    meadow = flowers.flowers(96, 64, seed=4)
    assert meadow.shape == (64, 96, 3)
    assert meadow.dtype == np.uint8
    assert np.array_equal(meadow, flowers.flowers(96, 64, seed=4))
    assert not np.array_equal(meadow, flowers.flowers(96, 64, seed=5))


def test_a_meadow_is_mostly_flowers_in_strong_colours():
    meadow = flowers.flowers(160, 120, seed=1).astype(int)
    green = (meadow[..., 1] > meadow[..., 0]) & (meadow[..., 1] > meadow[..., 2])
    assert 0.01 < green.mean() < 0.4
    assert np.mean(meadow.max(2) - meadow.min(2) > 100) > 0.3


def test_the_module_writes_a_picture(tmp_path):
    flowers.main([str(tmp_path / "meadow.png"), "--size", "96x64", "--seed", "2"])
    assert Image.open(tmp_path / "meadow.png").size == (96, 64)
