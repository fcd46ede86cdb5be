"""Octaves: the notebook's sizes, and scipy's resampling to the bit, by strips."""

import numpy as np
import pytest
import scipy.ndimage as nd
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.imaging.resample import (
    as_picture,
    octave_sizes,
    resize,
    shrink_in_place,
    strips,
)

sides = st.integers(1, 90)


def noise(*shape, seed=0):
    return (np.random.RandomState(seed).rand(*shape) * 255 - 120).astype(np.float32)


def zoomed(image, height, width):
    return nd.zoom(image, (1, height / image.shape[1], width / image.shape[2]), order=1)


@given(st.integers(8, 3000), st.integers(8, 3000), st.integers(1, 6), st.floats(1.05, 2))
def test_octave_sizes_are_those_of_the_notebooks_zooms(height, width, octave_n, octave_scale):
    sizes = octave_sizes(height, width, octave_n, octave_scale)
    assert len(sizes) == octave_n
    assert sizes[-1] == (height, width)
    for larger, smaller in zip(sizes[::-1], sizes[-2::-1]):
        # scipy rounds the product of a side and the zoom factor
        assert smaller == tuple(round(side * (1.0 / octave_scale)) for side in larger)


def test_octave_sizes_of_the_notebooks_sky():
    assert octave_sizes(575, 1024) == [(210, 373), (294, 522), (411, 731), (575, 1024)]


@given(sides, sides, sides, sides)
def test_resize_has_the_bits_of_scipy(height, width, new_height, new_width):
    image = noise(2, height, width)
    out = np.empty((2, new_height, new_width), np.float32)
    resize(image, out)
    assert np.array_equal(out, zoomed(image, new_height, new_width))


def test_resize_by_several_strips_has_the_bits_of_scipy():
    image = noise(1, 700, 900)
    out = np.empty((1, 500, 640), np.float32)
    resize(image, out)
    assert np.array_equal(out, zoomed(image, 500, 640))


@given(sides, sides, st.floats(0.05, 1), st.floats(0.05, 1))
def test_shrinking_in_place_equals_shrinking_into_another_buffer(height, width, down, across):
    size = max(1, int(height * down)), max(1, int(width * across))
    image = noise(3, height, width)
    expected = np.empty((3,) + size, np.float32)
    resize(image, expected)
    buffer = image.copy().reshape(-1)
    assert np.array_equal(shrink_in_place(buffer, 3, (height, width), size), expected)


def test_shrinking_a_large_picture_in_place_equals_shrinking_into_another_buffer():
    image = noise(3, 800, 1100)
    expected = np.empty((3, 790, 1000), np.float32)
    resize(image, expected)
    assert np.array_equal(shrink_in_place(image.reshape(-1), 3, (800, 1100), (790, 1000)), expected)


def test_shrinking_refuses_to_enlarge():
    with pytest.raises(ValueError, match="cannot give"):
        shrink_in_place(np.zeros(3 * 8 * 8, np.float32), 3, (4, 4), (5, 4))


def test_as_picture_views_the_start_of_the_buffer():
    buffer = np.arange(100, dtype=np.float32)
    picture = as_picture(buffer, 3, (4, 5))
    assert picture.shape == (3, 4, 5)
    assert np.shares_memory(picture, buffer)
    assert picture[2, 3, 4] == 59


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 9000), st.integers(1, 40))
def test_strips_follow_each_other_from_top_to_bottom(height, width, pixels, least):
    cut = list(strips(height, width, pixels, least))
    assert [row for top, bottom in cut for row in range(top, bottom)] == list(range(height))
    assert all(bottom - top >= least for top, bottom in cut[:-1])
