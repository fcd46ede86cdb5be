"""Regularizers: the gradients of what they keep small, and the rules of a step together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.ascent.gradient_filters import normalise_laplacian, smooth_gaussian
from dreamlib.ascent.regularizers import (
    FAR_LEVELS,
    GradientRules,
    add_anchor,
    add_decay,
    add_tv,
    parse_sigmas,
)
from dreamlib.errors import DreamError
from dreamlib.imaging import inplace
from dreamlib.models.preprocessing import Preprocessing
from tests.memory import traced_peak

RULE = Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(0.5))


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def total_variation(image, softness):
    """The sum that `add_tv` goes downhill on, in float64."""
    down = np.diff(image, axis=1, append=image[:, -1:])
    right = np.diff(image, axis=2, append=image[:, :, -1:])
    return np.sqrt(down**2 + right**2 + softness**2).sum()


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 6), (2, 6, 1), (1, 1, 1)])
def test_add_tv_is_downhill_of_total_variation(shape):
    image, gradient = 9 * noise(*shape), noise(*shape, seed=1)
    expected = gradient.astype(np.float64)
    for place in np.ndindex(*shape):
        nudge = np.zeros(shape)
        nudge[place] = 1e-4
        rise = total_variation(image + nudge, 2.0) - total_variation(image - nudge, 2.0)
        expected[place] -= 0.7 * rise / 2e-4
    add_tv(gradient, image, 0.7, 2.0)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_add_tv_crosses_its_strips_without_a_trace(rows, monkeypatch):
    image, expected, gradient = noise(3, 23, 11), noise(3, 23, 11), noise(3, 23, 11)
    add_tv(expected, image, 1.0, 0.5)
    monkeypatch.setattr("dreamlib.ascent.regularizers.BLOCK", rows * 11)
    add_tv(gradient, image, 1.0, 0.5)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.1, 50))
def test_add_tv_moves_no_mean_and_pulls_four_weights_at_most(height, width, softness):
    image, pull = 20 * noise(3, height, width), np.zeros((3, height, width), np.float32)
    add_tv(pull, image, 1.0, softness)
    assert np.abs(pull).max() <= 4
    assert abs(pull.sum(dtype=np.float64)) < 1e-4 * pull.size


def test_add_tv_lessens_total_variation():
    image = 20 * noise(3, 40, 50)
    before, pull = total_variation(image, 8.0), np.zeros_like(image)
    add_tv(pull, image, 1.5, 8.0)
    assert total_variation(image + pull, 8.0) < before


def test_add_tv_needs_some_blocks():
    gradient, image = noise(3, 600, 800), noise(3, 600, 800, seed=1)
    peak = traced_peak(lambda: add_tv(gradient, image, 1.0, 8.0))
    assert peak < 12 * 4 * inplace.BLOCK


def test_add_decay_takes_a_share_of_the_picture_off():
    gradient, image = noise(3, 20, 30), noise(3, 20, 30, seed=1)
    expected = np.float64(gradient) - 0.3 * np.float64(image)
    add_decay(gradient, image, 0.3)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_add_anchor_takes_a_share_of_what_was_dreamt_off():
    gradient, image, base = (noise(3, 20, 30, seed=seed) for seed in range(3))
    expected = np.float64(gradient) - 0.3 * (np.float64(image) - base)
    add_anchor(gradient, image, base, 0.3)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("pull", [lambda g, i: add_decay(g, i, 0.5),
                                  lambda g, i: add_anchor(g, i, i, 0.5)])  # fmt: skip
def test_pulls_to_a_picture_need_a_plane(pull):
    gradient, image = noise(3, 600, 800), noise(3, 600, 800, seed=1)
    assert traced_peak(lambda: pull(gradient, image)) < gradient[0].nbytes + 10_000


def test_add_anchor_lets_the_undreamt_picture_be():
    gradient, image = noise(3, 20, 30), noise(3, 20, 30, seed=1)
    add_anchor(gradient, image, image, 5.0)
    assert np.array_equal(gradient, noise(3, 20, 30))


@pytest.mark.parametrize("pull", [lambda g, i, b: add_tv(g, i, 0.5, 2.0),
                                  lambda g, i, b: add_decay(g, i, 0.5),
                                  lambda g, i, b: add_anchor(g, i, b, 0.5)])  # fmt: skip
def test_tensors_are_pulled_as_arrays_are(pull):
    torch = pytest.importorskip("torch")
    arrays = [noise(3, 30, 40, seed=seed) for seed in range(3)]
    tensors = [torch.from_numpy(array.copy()) for array in arrays]
    pull(*arrays)
    pull(*tensors)
    for array, tensor in zip(arrays, tensors):
        np.testing.assert_allclose(tensor.numpy(), array, atol=1e-5)


# -- the rules of a step --------------------------------------------------------------------------


def test_rules_that_are_off_keep_the_gradients_bits():
    gradient, image = noise(3, 50, 60), noise(3, 50, 60, seed=1)
    assert GradientRules().shape(gradient) == []
    GradientRules().steer(gradient, image, 0.1, RULE)
    assert np.array_equal(gradient, noise(3, 50, 60))
    assert np.array_equal(image, noise(3, 50, 60, seed=1))


def test_shape_makes_bands_equal_before_it_smooths():
    gradient, expected = noise(3, 40, 50), noise(3, 40, 50)
    GradientRules(smooth=(0.5, 2.0), laplacian=2).shape(gradient)
    normalise_laplacian(expected, 2)
    smooth_gaussian(expected, (0.5, 2.0))
    assert np.array_equal(gradient, expected)


def test_a_decay_of_1_is_as_strong_as_the_ascent_at_the_far_levels():
    image = np.full((3, 5, 6), RULE.difference(FAR_LEVELS), np.float32)
    gradient = np.zeros_like(image)
    GradientRules(decay=1.0).steer(gradient, image, 0.01, RULE)
    np.testing.assert_allclose(gradient, -0.01, rtol=1e-5)


def test_an_anchor_of_1_is_as_strong_as_the_ascent_at_the_far_levels():
    base = noise(3, 5, 6)
    gradient, image = np.zeros_like(base), base - RULE.difference(FAR_LEVELS)
    GradientRules(anchor=1.0).steer(gradient, image, 0.01, RULE, base)
    np.testing.assert_allclose(gradient, 0.01, rtol=1e-5)


def test_tv_is_measured_against_the_ascent_and_in_levels():
    image, gradient, expected = noise(3, 9, 8), noise(3, 9, 8, seed=1), noise(3, 9, 8, seed=1)
    GradientRules(tv=0.5).steer(gradient, image, 0.02, RULE)
    add_tv(expected, image, 0.01, 4.0)  # 8 levels are 4 of this network's units
    np.testing.assert_allclose(gradient, expected, atol=1e-7)


def test_a_mask_scales_all_of_the_step():
    image, rules = noise(3, 10, 20), GradientRules(decay=1.0)
    gradient, free = noise(3, 10, 20, seed=1), noise(3, 10, 20, seed=1)
    strength = np.repeat(np.float32([[0, 1]]), 10, axis=1).repeat(10, axis=0)
    rules.steer(gradient, image, 0.1, RULE, strength=strength)
    rules.steer(free, image, 0.1, RULE)
    assert not gradient[..., :10].any()
    assert np.array_equal(gradient[..., 10:], free[..., 10:])


@pytest.mark.parametrize("text", ["", "1,", "a", "-1", "1;2", "101"])
def test_sigmas_that_are_none_are_refused(text):
    with pytest.raises(DreamError, match=r"smooth is .*expected sigmas"):
        parse_sigmas(text)
