"""Pulls: the gradients of what they keep small, by finite differences in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.ascent.pulls import pull_to_base, pull_to_mean, pull_to_smooth
from dreamlib.imaging import inplace
from tests.memory import traced_peak


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def total_variation(image, softness):
    """The sum that `pull_to_smooth` goes downhill on, in float64."""
    down = np.diff(image, axis=1, append=image[:, -1:])
    right = np.diff(image, axis=2, append=image[:, :, -1:])
    return np.sqrt(down**2 + right**2 + softness**2).sum()


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 6), (2, 6, 1), (1, 1, 1)])
def test_pull_to_smooth_is_downhill_of_total_variation(shape):
    image, gradient = 9 * noise(*shape), noise(*shape, seed=1)
    expected = gradient.astype(np.float64)
    for place in np.ndindex(*shape):
        nudge = np.zeros(shape)
        nudge[place] = 1e-4
        rise = total_variation(image + nudge, 2.0) - total_variation(image - nudge, 2.0)
        expected[place] -= 0.7 * rise / 2e-4
    pull_to_smooth(gradient, image, 0.7, 2.0)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_pull_to_smooth_crosses_its_strips_without_a_trace(rows, monkeypatch):
    image, expected, gradient = noise(3, 23, 11), noise(3, 23, 11), noise(3, 23, 11)
    pull_to_smooth(expected, image, 1.0, 0.5)
    monkeypatch.setattr("dreamlib.ascent.pulls.BLOCK", rows * 11)
    pull_to_smooth(gradient, image, 1.0, 0.5)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.1, 50))
def test_pull_to_smooth_moves_no_mean_and_pulls_four_weights_at_most(height, width, softness):
    image, pull = 20 * noise(3, height, width), np.zeros((3, height, width), np.float32)
    pull_to_smooth(pull, image, 1.0, softness)
    assert np.abs(pull).max() <= 4
    assert abs(pull.sum(dtype=np.float64)) < 1e-4 * pull.size


def test_pull_to_smooth_lessens_total_variation():
    image = 20 * noise(3, 40, 50)
    before, pull = total_variation(image, 8.0), np.zeros_like(image)
    pull_to_smooth(pull, image, 1.5, 8.0)
    assert total_variation(image + pull, 8.0) < before


def test_pull_to_smooth_needs_some_blocks():
    gradient, image = noise(3, 600, 800), noise(3, 600, 800, seed=1)
    peak = traced_peak(lambda: pull_to_smooth(gradient, image, 1.0, 8.0))
    assert peak < 12 * 4 * inplace.BLOCK


def test_pull_to_mean_takes_a_share_of_the_picture_off():
    gradient, image = noise(3, 20, 30), noise(3, 20, 30, seed=1)
    expected = np.float64(gradient) - 0.3 * np.float64(image)
    pull_to_mean(gradient, image, 0.3)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_pull_to_base_takes_a_share_of_what_was_dreamt_off():
    gradient, image, base = (noise(3, 20, 30, seed=seed) for seed in range(3))
    expected = np.float64(gradient) - 0.3 * (np.float64(image) - base)
    pull_to_base(gradient, image, base, 0.3)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("pull", [lambda g, i: pull_to_mean(g, i, 0.5),
                                  lambda g, i: pull_to_base(g, i, i, 0.5)])  # fmt: skip
def test_pulls_to_a_picture_need_a_plane(pull):
    gradient, image = noise(3, 600, 800), noise(3, 600, 800, seed=1)
    assert traced_peak(lambda: pull(gradient, image)) < gradient[0].nbytes + 10_000


def test_pull_to_base_lets_the_undreamt_picture_be():
    gradient, image = noise(3, 20, 30), noise(3, 20, 30, seed=1)
    pull_to_base(gradient, image, image, 5.0)
    assert np.array_equal(gradient, noise(3, 20, 30))


@pytest.mark.parametrize("pull", [lambda g, i, b: pull_to_smooth(g, i, 0.5, 2.0),
                                  lambda g, i, b: pull_to_mean(g, i, 0.5),
                                  lambda g, i, b: pull_to_base(g, i, b, 0.5)])  # fmt: skip
def test_tensors_are_pulled_as_arrays_are(pull):
    torch = pytest.importorskip("torch")
    arrays = [noise(3, 30, 40, seed=seed) for seed in range(3)]
    tensors = [torch.from_numpy(array.copy()) for array in arrays]
    pull(*arrays)
    pull(*tensors)
    for array, tensor in zip(arrays, tensors):
        np.testing.assert_allclose(tensor.numpy(), array, atol=1e-5)
