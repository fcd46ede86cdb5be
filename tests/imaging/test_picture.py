"""Pictures that are made as they are read, rounded levels, small copies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import Noise, Picture, shrunken, to_levels
from tests.imaging.pictures import noise
from tests.memory import traced_peak


def noise_pixels(seed, rows):
    """All of a noise, read by strips."""
    return np.concatenate([pixels for _, pixels in Noise.of("noise:64x48", seed).strips(rows)])


def test_noise_is_grey_on_average_and_repeats_with_its_seed():
    made = noise_pixels(3, 48)
    assert made.shape == (48, 64, 3)
    assert made.dtype == np.uint8
    assert abs(made.mean() - 128) < 3
    assert made.std() > 10
    assert np.array_equal(made, noise_pixels(3, 7))
    assert not np.array_equal(made, noise_pixels(4, 48))


@pytest.mark.parametrize("spec", ["noise:", "noise:64", "noise:0x5", "noise:-1x5", "noise:axb"])
def test_a_bad_noise_is_refused(spec):
    with pytest.raises(DreamError, match="WIDTHxHEIGHT"):
        Noise.of(spec, 0)


@pytest.mark.parametrize("size", [(575, 1024), (1024, 575), (90, 120), (3, 4000), (1, 1)])
def test_a_picture_is_reduced_to_its_cell_and_never_enlarged(size):
    small = shrunken(Picture(noise(*size)), 256)
    scale = min(1, 256 / max(size))
    assert small.shape == (*[max(1, round(side * scale)) for side in size], 3)
    assert small.dtype == np.uint8


def test_reducing_keeps_the_colours():
    grey = np.full((700, 900, 3), (10, 128, 250), np.uint16) * 257
    assert np.array_equal(np.unique(shrunken(Picture(grey), 256), axis=None), [10, 128, 250])


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1), st.sampled_from([np.uint8, np.uint16]))
def test_levels_are_rounded_and_limited(values, dtype):
    values = np.float32(values)
    expected = np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
    levels = to_levels(values, dtype)
    assert levels.dtype == dtype
    assert np.array_equal(levels, expected)


def test_sixteen_bits_are_rounded_to_the_nearest_eight():
    deep = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_levels(deep, np.uint8, 1 / 257), np.rint(deep / 257))


def test_levels_that_are_whole_already_are_not_copied():
    levels = noise()
    assert to_levels(levels) is levels


def test_levels_go_into_another_array_in_its_own_dtype():
    values, out = np.float32([[-1.5, 3.6]]), np.zeros((1, 2))
    assert to_levels(values, out=out) is out
    assert np.array_equal(out, values)


def test_rounding_needs_some_blocks():
    values, out = np.zeros((900, 700, 3), np.float32), np.zeros((900, 700, 3), np.uint8)
    assert traced_peak(lambda: to_levels(values, out=out)) < 4 * 4 * BLOCK
