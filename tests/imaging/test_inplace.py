"""In-place arithmetic: the same numbers as numpy's expressions, without their temporaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dreamlib.imaging import inplace
from tests.memory import traced_peak

sides = st.integers(1, 70)
shifts = st.integers(-150, 150)


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


@given(sides, sides, shifts, shifts)
def test_roll_equals_two_np_rolls(height, width, dx, dy):
    image = noise(3, height, width)
    expected = np.roll(np.roll(image, dx, -1), dy, -2)
    inplace.roll(image, dx, dy)
    assert np.array_equal(image, expected)


@given(sides, sides, shifts, shifts)
def test_roll_is_a_permutation_that_rolling_back_undoes(height, width, dx, dy):
    image = np.arange(3 * height * width).reshape(3, height, width)
    inplace.roll(image, dx, dy)
    assert len(np.unique(image)) == image.size
    inplace.roll(image, -dx, -dy)
    assert np.array_equal(image.ravel(), np.arange(image.size))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_roll_moves_any_dtype(dtype):
    image = np.arange(3 * 40 * 50).reshape(3, 40, 50).astype(dtype)
    expected = np.roll(image, (7, -9), (1, 2))
    inplace.roll(image, -9, 7)
    assert np.array_equal(image, expected)


@pytest.mark.parametrize("shift", [1, 32, 64, 200])
def test_roll_sets_aside_at_most_64_rows_and_columns(shift):
    image = noise(3, 500, 600)
    allowed = 3 * 4 * 64 * (500 + 600)
    assert traced_peak(lambda: inplace.roll(image, shift, shift)) <= allowed + 10_000


def test_roll_refuses_what_it_cannot_move_in_place():
    with pytest.raises(ValueError, match="contiguous"):
        inplace.roll(noise(3, 8, 8).transpose(0, 2, 1), 1, 1)


@pytest.mark.parametrize(
    "shape", [(3, 575, 1024), (3, 294, 522), (3, 7, 5), (1, 1, 1), (2, 100003)]
)
def test_mean_abs_has_the_bits_of_numpy(shape):
    for seed in range(5):
        gradient = noise(*shape, seed=seed)
        assert inplace.mean_abs(gradient) == np.abs(gradient).mean()


def test_mean_abs_makes_no_copy_of_the_picture():
    gradient = noise(3, 600, 800)
    assert traced_peak(lambda: inplace.mean_abs(gradient)) < 4 * inplace.BLOCK + 10_000


@given(arrays(np.float32, st.integers(1, 300), elements=st.floats(-99, 99, width=32)))
def test_add_scaled_has_the_bits_of_numpy(values):
    target, source = values[::-1].copy(), values
    expected = target + np.float32(0.37) * source
    inplace.add_scaled(target, source, np.float32(0.37))
    assert np.array_equal(target, expected)


def test_add_scaled_leaves_the_source_and_needs_one_block():
    target, source = noise(3, 600, 800), noise(3, 600, 800, seed=1)
    kept = source.copy()
    assert traced_peak(lambda: inplace.add_scaled(target, source, 0.5)) < 4 * inplace.BLOCK + 10_000
    assert np.array_equal(source, kept)


def test_clip_limits_each_channel_by_its_own():
    image = noise(3, 20, 30) * 300
    low, high = np.float32([-104, -116, -122]), np.float32([151, 139, 133])
    expected = np.clip(image, low[:, None, None], high[:, None, None])
    inplace.clip(image, low, high)
    assert np.array_equal(image, expected)
