"""The generated sky and meadow."""

import numpy as np
from PIL import Image

from dreamlib.imaging import samples


def test_a_sky_has_its_size_and_repeats_with_its_seed():
    sky = samples.clouds(160, 90, seed=4)
    assert sky.shape == (90, 160, 3)
    assert sky.dtype == np.uint8
    assert np.array_equal(sky, samples.clouds(160, 90, seed=4))
    assert not np.array_equal(sky, samples.clouds(160, 90, seed=5))


def test_a_sky_is_blue_with_bright_clouds_above_dark_hills():
    sky = samples.clouds(320, 180, seed=1).astype(int)
    upper, lowest = sky[:120], sky[-5:]
    assert upper[..., 2].mean() > upper[..., 0].mean() + 10
    assert np.mean(upper.min(2) > 200) > 0.05
    assert lowest.mean() < 100


def test_a_sky_has_detail_to_dream_on():
    grey = samples.clouds(320, 180, seed=1).astype(float).mean(2)
    assert np.abs(np.diff(grey, axis=1)).mean() > 1


def test_the_module_writes_a_picture(tmp_path):
    samples.main(["clouds", str(tmp_path / "sky.png"), "--size", "96x64", "--seed", "2"])
    assert Image.open(tmp_path / "sky.png").size == (96, 64)


def test_a_meadow_has_its_size_and_repeats_with_its_seed():
    meadow = samples.flowers(96, 64, seed=4)
    assert meadow.shape == (64, 96, 3)
    assert meadow.dtype == np.uint8
    assert np.array_equal(meadow, samples.flowers(96, 64, seed=4))
    assert not np.array_equal(meadow, samples.flowers(96, 64, seed=5))


def test_a_meadow_is_mostly_flowers_in_strong_colours():
    meadow = samples.flowers(160, 120, seed=1).astype(int)
    green = (meadow[..., 1] > meadow[..., 0]) & (meadow[..., 1] > meadow[..., 2])
    assert 0.01 < green.mean() < 0.4
    assert np.mean(meadow.max(2) - meadow.min(2) > 100) > 0.3
