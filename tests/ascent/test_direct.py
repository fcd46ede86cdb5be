"""Direct ascent: steps on the values behind pixels, and gradients with a natural spectrum."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from dreamlib.ascent.direct import Direct, naturalise, step_values, to_values
from dreamlib.ascent.views import Viewing
from dreamlib.models.preprocessing import Preprocessing

RULE = Preprocessing((2, 1, 0), np.float32([104, 117, 123]), np.float32(0.5))
GREY_STEP = RULE.difference(127.5)


def as_network(levels):
    """A picture of grey levels (3, h, w), BGR, in the network's values."""
    return ((np.float64(levels) - RULE.mean[:, None, None]) * RULE.scale).astype(np.float32)


def as_levels(image):
    return np.float64(image) / RULE.scale + RULE.mean[:, None, None]


def picture(seed=0, shape=(3, 20, 30)):
    return np.random.RandomState(seed).uniform(3, 252, shape)


@given(some.floats(-3, 3), some.integers(0, 100))
def test_a_step_adds_to_the_values_behind_the_pixels(change, seed):
    levels = picture(seed)
    image, step = as_network(levels), np.full(levels.shape, change * GREY_STEP, np.float32)
    step_values(image, step, RULE)
    expected = (np.tanh(np.arctanh(levels / 127.5 - 1) + change) + 1) * 127.5
    np.testing.assert_allclose(as_levels(image), expected, atol=2e-3)


def test_no_step_leads_far_beyond_the_grey_levels():
    levels = np.concatenate([np.zeros((3, 5, 5)), np.full((3, 5, 5), 255.0)], 1)
    image = as_network(levels)
    for sign in (1, -1, 1):
        step_values(image, np.full(image.shape, sign * 50 * GREY_STEP, np.float32), RULE)
        assert as_levels(image).min() > -1.5
        assert as_levels(image).max() < 256.5
        image = image.clip(*(limit[:, None, None] for limit in RULE.limits()))


def test_no_step_changes_no_bit():
    image = as_network(np.concatenate([np.zeros((3, 5, 5)), picture(shape=(3, 5, 5))], 1))
    before = image.copy()
    step_values(image, np.zeros_like(image), RULE)
    assert np.array_equal(image, before)


def test_black_and_white_can_be_left_again():
    image = as_network(np.full((3, 4, 4), 255.0))
    step_values(image, np.full(image.shape, -4 * GREY_STEP, np.float32), RULE)
    assert as_levels(image).max() < 30


def test_the_gradient_of_the_values_is_the_change_of_the_pixels():
    levels, small = picture(), 1e-4
    behind = np.arctanh(levels / 127.5 - 1)
    slope = 127.5 * (np.tanh(behind + small) - np.tanh(behind - small)) / (2 * small)
    gradient = np.ones(levels.shape, np.float32)
    to_values(gradient, as_network(levels), RULE)
    np.testing.assert_allclose(gradient, slope / 127.5, atol=1e-4)


def amplitudes(image):
    """Mean amplitude of a plane's waves, and their cycles per pixel."""
    spectrum = np.abs(np.fft.rfft2(image))
    cycles = np.hypot(
        np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    )
    edges = np.geomspace(1 / 64, 1 / 3, 9)
    bands = [(cycles >= low) & (cycles < high) for low, high in zip(edges, edges[1:])]
    return np.sqrt(edges[1:] * edges[:-1]), np.array([spectrum[band].mean() for band in bands])


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4])
def test_what_is_added_falls_off_as_natural_pictures_do(exponent):
    noise = np.random.RandomState(0).randn(1, 256, 256).astype(np.float32)
    gradient = np.repeat(noise, 3, 0)  # grey, which keeps its strength
    naturalise(gradient, exponent, RULE.order)
    cycles, strength = amplitudes(gradient[0])
    slope = np.polyfit(np.log(cycles), np.log(strength), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.25)


def test_colours_are_held_back_as_in_natural_pictures():
    rough = np.random.RandomState(0).randn(96, 96).astype(np.float32)
    kept = []
    for blue, green, red in ((1, 1, 1), (1, 0, -1), (1, -2, 1)):
        gradient = np.stack([rough * blue, rough * green, rough * red])
        before = gradient.copy()
        naturalise(gradient, 0, RULE.order)
        kept.append(np.vdot(gradient, before) / np.vdot(before, before))
    assert np.array(kept) / kept[0] == pytest.approx([1, 0.28, 0.13], rel=1e-3)


def test_arrays_and_tensors_take_the_same_way():
    levels, change = picture(), np.random.RandomState(3).randn(3, 20, 30).astype(np.float32)
    image, gradient = as_network(levels), change.copy()
    there, along = torch.tensor(image), torch.tensor(change)
    for one, other in ((image, gradient), (there, along)):
        to_values(other, one, RULE)
        naturalise(other, 1.0, RULE.order)
        step_values(one, other, RULE)
    np.testing.assert_allclose(image, there.numpy(), atol=1e-3)


def test_a_larger_picture_takes_more_views():
    direct = Direct(8, Viewing(0.8, 1.5, 0, 0, 0), 1.0)
    assert direct.count((150, 150), 100) == direct.count((40, 90), 100) == 8
    assert direct.count((300, 300), 100) == 32
