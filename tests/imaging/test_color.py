"""Colours and shares of the undreamt picture; brightness and contrast over many frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dreamlib.imaging import inplace
from dreamlib.imaging.color import blend_undreamt, keep_colour, match, measure
from tests.memory import traced_peak

DTYPES = ["uint8", "uint16", "float32"]
WEIGHTS = np.array([0.299, 0.587, 0.114])
pixels = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def picture(dtype, height=20, width=30, seed=0):
    levels = np.random.RandomState(seed).randint(0, 256, (height, width, 3))
    return (levels * (257 if dtype == "uint16" else 1)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_keep_colour_takes_the_dreams_luminance(dtype):
    dreamt, undreamt = picture(dtype), picture(dtype, seed=1)
    expected = dreamt @ WEIGHTS
    keep_colour(dreamt, undreamt)
    np.testing.assert_allclose(dreamt @ WEIGHTS, expected, atol=0.02 if dtype == "float32" else 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_keep_colour_keeps_the_hue_of_every_pixel(dtype):
    dreamt, undreamt = picture(dtype).astype(np.float32), picture(dtype, seed=1)
    keep_colour(dreamt, undreamt)
    chroma = dreamt - (dreamt @ WEIGHTS)[..., None]
    undreamt = undreamt / (257 if dtype == "uint16" else 1)
    original = undreamt - (undreamt @ WEIGHTS)[..., None]
    share = np.sum(chroma * original, -1) / np.maximum(np.sum(original**2, -1), 1e-9)
    np.testing.assert_allclose(chroma, share[..., None] * original, atol=1e-3)
    assert share.min() >= 0
    assert share.max() < 1.0001


def test_keep_colour_keeps_all_of_the_chroma_where_it_can():
    dreamt, undreamt = picture("float32") / 4 + 96, picture("float32", seed=1) / 4 + 96
    expected = undreamt + ((dreamt - undreamt) @ WEIGHTS)[..., None]
    keep_colour(dreamt, undreamt)
    np.testing.assert_allclose(dreamt, expected, atol=1e-3)


@given(pixels)
def test_keep_colour_changes_nothing_where_nothing_was_dreamt(undreamt):
    dreamt = undreamt.copy()
    keep_colour(dreamt, undreamt)
    assert np.array_equal(dreamt, undreamt)


def test_keep_colour_brings_unclipped_dreams_into_range():
    dreamt = np.float32([[[-80, -20, -30], [400, 300, 280]]])
    keep_colour(dreamt, np.float32([[[200, 10, 10], [10, 200, 90]]]))
    np.testing.assert_allclose(dreamt, [[[0, 0, 0], [255, 255, 255]]], atol=1e-3)


def test_keep_colour_takes_colours_of_another_depth():
    deep, plain = picture("uint16"), picture("uint16")
    keep_colour(deep, picture("uint8", seed=1))
    keep_colour(plain, picture("uint16", seed=1))
    assert np.array_equal(deep, plain)


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_blend_undreamt_is_linear_in_strength(dtype, strength):
    dreamt, undreamt = picture(dtype), picture(dtype, seed=1)
    expected = undreamt + strength * (np.float64(dreamt) - undreamt)
    blend_undreamt(dreamt, undreamt, strength)
    np.testing.assert_allclose(dreamt, expected, atol=1e-3 if dtype == "float32" else 0.51)


@settings(max_examples=50)
@given(pixels)
def test_blend_undreamt_has_both_pictures_bits_at_its_ends(dreamt):
    undreamt, nothing, all_of_it = dreamt[::-1].copy(), dreamt.copy(), dreamt.copy()
    blend_undreamt(nothing, undreamt, 0)
    blend_undreamt(all_of_it, undreamt, 1)
    assert np.array_equal(nothing, undreamt)
    assert np.array_equal(all_of_it, dreamt)


def test_blend_undreamt_takes_a_strength_for_each_pixel_across_blocks():
    height = 3 * inplace.BLOCK // 1000
    dreamt, undreamt = picture("uint8", height, 500), picture("uint8", height, 500, seed=1)
    strength = np.random.RandomState(2).rand(height, 500).astype(np.float32)
    expected = undreamt + strength[..., None] * (np.float64(dreamt) - undreamt)
    blend_undreamt(dreamt, undreamt, strength)
    np.testing.assert_allclose(dreamt, expected, atol=0.51)


def test_blend_undreamt_stays_in_range_beyond_full_strength():
    dreamt = np.uint8([[[250, 5, 100]]])
    blend_undreamt(dreamt, np.uint8([[[100, 100, 100]]]), 2.0)
    assert dreamt.tolist() == [[[255, 0, 100]]]


@pytest.mark.parametrize("grade", [keep_colour, lambda d, u: blend_undreamt(d, u, 0.5)])
def test_grading_needs_some_blocks(grade):
    dreamt, undreamt = picture("uint8", 700, 900), picture("uint8", 700, 900, seed=1)
    assert traced_peak(lambda: grade(dreamt, undreamt)) < 8 * 4 * inplace.BLOCK


def muted(dtype="uint8", height=40, width=50, seed=0):
    levels = np.random.RandomState(seed).uniform(40, 200, (height, width, 3))
    levels[..., 2] *= 0.5
    return (levels * (257 if dtype == "uint16" else 1)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tone_is_each_channels_mean_and_deviation_in_grey_levels(dtype):
    pixels = muted(dtype)
    units = 257 if dtype == "uint16" else 1
    tone = measure(pixels)
    np.testing.assert_allclose(tone.mean, pixels.mean((0, 1), np.float64) / units, rtol=1e-10)
    np.testing.assert_allclose(tone.deviation, pixels.std((0, 1), np.float64) / units, rtol=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_picture_of_the_same_tone_keeps_every_bit(dtype):
    pixels = muted(dtype)
    rolled = np.ascontiguousarray(np.roll(pixels, 17, 0)[:, ::-1])
    before = rolled.copy()
    assert match(rolled, measure(pixels), 1.0) is False
    assert np.array_equal(rolled, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_full_strength_brings_the_tone_back(dtype):
    tone = measure(muted(dtype))
    changed = muted(dtype, seed=1)
    changed[:] = changed * 0.9 + (257 * 20 if dtype == "uint16" else 20)
    assert match(changed, tone, 1.0)
    now = measure(changed)
    np.testing.assert_allclose(now.mean, tone.mean, atol=0.05)
    np.testing.assert_allclose(now.deviation, tone.deviation, atol=0.1)


def test_half_strength_goes_half_the_way():
    tone, changed = measure(muted("float32")), muted("float32") + np.float32(20)
    match(changed, tone, 0.5)
    np.testing.assert_allclose(measure(changed).mean, tone.mean + 10, atol=1e-3)


def test_a_flat_picture_is_only_moved():
    flat = np.full((8, 9, 3), 90, np.uint8)
    match(flat, measure(muted()), 1.0)
    assert np.array_equal(flat, np.broadcast_to(np.rint(measure(muted()).mean), flat.shape))


def test_no_scratch_of_the_pictures_size():
    pixels, tone = muted("float32", 2000, 1000), measure(muted())
    assert traced_peak(lambda: match(pixels, tone)) < pixels.nbytes / 6


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_tone_stays_put_over_200_frames_of_a_dream_that_brightens(dtype):
    """What each frame adds would make it white within 100 frames."""
    frame = muted(dtype)
    tone = measure(frame)
    random = np.random.RandomState(5)
    for _ in range(200):
        values = (frame - 120.0) * 1.02 + 121.3 + random.randn(*frame.shape) * 3
        frame = np.clip(values, 0, 255).astype(dtype)
        match(frame, tone)
        now = measure(frame)
        assert np.abs(now.mean - tone.mean).max() < 4
        assert np.abs(now.deviation / tone.deviation - 1).max() < 0.1
