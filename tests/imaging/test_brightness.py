"""Brightness and contrast over many frames."""

import numpy as np
import pytest

from dreamlib.imaging.brightness import keep_tone, measure_tone
from tests.memory import traced_peak


def picture(dtype=np.uint8, height=40, width=50, seed=0):
    levels = np.random.RandomState(seed).uniform(40, 200, (height, width, 3))
    levels[..., 2] *= 0.5
    return (levels * (257 if dtype == np.uint16 else 1)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tone_is_each_channels_mean_and_deviation_in_grey_levels(dtype):
    pixels = picture(dtype)
    units = 257 if dtype == np.uint16 else 1
    tone = measure_tone(pixels)
    np.testing.assert_allclose(tone.mean, pixels.mean((0, 1), np.float64) / units, rtol=1e-10)
    np.testing.assert_allclose(tone.deviation, pixels.std((0, 1), np.float64) / units, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_picture_of_the_same_tone_keeps_every_bit(dtype):
    pixels = picture(dtype)
    rolled = np.ascontiguousarray(np.roll(pixels, 17, 0)[:, ::-1])
    before = rolled.copy()
    assert keep_tone(rolled, measure_tone(pixels), 1.0) is False
    assert np.array_equal(rolled, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_full_strength_brings_the_tone_back(dtype):
    tone = measure_tone(picture(dtype))
    changed = picture(dtype, seed=1)
    changed[:] = changed * 0.9 + (257 * 20 if dtype == np.uint16 else 20)
    assert keep_tone(changed, tone, 1.0)
    now = measure_tone(changed)
    np.testing.assert_allclose(now.mean, tone.mean, atol=0.05)
    np.testing.assert_allclose(now.deviation, tone.deviation, atol=0.1)


def test_half_strength_goes_half_the_way():
    tone, changed = measure_tone(picture(np.float32)), picture(np.float32) + np.float32(20)
    keep_tone(changed, tone, 0.5)
    np.testing.assert_allclose(measure_tone(changed).mean, tone.mean + 10, atol=1e-3)


def test_a_flat_picture_is_only_moved():
    flat = np.full((8, 9, 3), 90, np.uint8)
    keep_tone(flat, measure_tone(picture()), 1.0)
    assert np.array_equal(flat, np.broadcast_to(np.rint(measure_tone(picture()).mean), flat.shape))


def test_no_scratch_of_the_pictures_size():
    pixels, tone = picture(np.float32, 2000, 1000), measure_tone(picture())
    assert traced_peak(lambda: keep_tone(pixels, tone)) < pixels.nbytes / 6


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_tone_stays_put_over_200_frames_of_a_dream_that_brightens(dtype):
    """What each frame adds would make it white within 100 frames."""
    frame = picture(dtype)
    tone = measure_tone(frame)
    random = np.random.RandomState(5)
    for _ in range(200):
        values = (frame - 120.0) * 1.02 + 121.3 + random.randn(*frame.shape) * 3
        frame = np.clip(values, 0, 255).astype(dtype)
        keep_tone(frame, tone)
        now = measure_tone(frame)
        assert np.abs(now.mean - tone.mean).max() < 4
        assert np.abs(now.deviation / tone.deviation - 1).max() < 0.1
