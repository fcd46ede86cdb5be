"""The pyramid: the notebook's sizes, and scipy's resampling to the bit, by strips."""

import numpy as np
import pytest
import scipy.ndimage as nd
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.imaging.resample import (
    RING_ORIGIN,
    Combined,
    Resized,
    Stored,
    as_picture,
    carry_up,
    octave_base,
    octave_sizes,
    resize,
    shrink_in_place,
    strips,
)
from dreamlib.imaging.window import Window
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.quantize import Encoding

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


# -- chained pictures -----------------------------------------------------------------------------

ENCODING = Encoding(Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(1)), "float32")

chains = st.tuples(st.integers(9, 120), st.integers(9, 120), st.integers(2, 4))


def stored(image):
    """A picture (3, h, w), as a canvas holds it."""
    height, width = image.shape[1:]
    canvas = Canvas(height, width, "float32")
    window = Window(0, 0, height, width)
    canvas.write(window, ENCODING.encode(image, window, 0))
    return Stored(canvas, ENCODING)


def by_strips(picture, rows):
    """All of a chained picture, made by strips of so many rows."""
    height, width = picture.size
    parts = [picture.rows(top, bottom) for top, bottom in strips(height, width, 1, rows)]
    return np.concatenate(parts, axis=1)


def notebook_bases(image, sizes):
    """The notebook's octaves of the undreamt picture, the smallest first."""
    bases = [image]
    for size in sizes[-2::-1]:
        bases.append(zoomed(bases[-1], *size))
    return bases[::-1]


@given(chains, st.integers(1, 50))
@settings(deadline=None)
def test_an_octaves_base_has_the_bits_of_scipys_chain(chain, rows):
    height, width, octave_n = chain
    sizes = octave_sizes(height, width, octave_n)
    image = noise(3, height, width)
    for octave, expected in enumerate(notebook_bases(image, sizes)):
        base = octave_base(stored(image), sizes[octave:])
        assert base.size == sizes[octave]
        assert np.array_equal(by_strips(base, rows), expected)


@given(chains, st.integers(1, 50))
@settings(deadline=None)
def test_detail_is_carried_up_with_the_bits_of_the_notebook(chain, rows):
    height, width, octave_n = chain
    sizes = octave_sizes(height, width, octave_n)
    image = noise(3, height, width)
    bases = notebook_bases(image, sizes)
    dreamt = bases[0] + noise(3, *sizes[0], seed=1) / 9
    for octave in range(1, octave_n):
        # as in the notebook's loop
        h, w = sizes[octave]
        h1, w1 = sizes[octave - 1]
        detail = nd.zoom(dreamt - bases[octave - 1], (1, 1.0 * h / h1, 1.0 * w / w1), order=1)
        carried = carry_up(stored(dreamt), stored(image), sizes[octave - 1 :])
        dreamt = bases[octave] + detail
        assert carried.size == sizes[octave]
        assert np.array_equal(by_strips(carried, rows), dreamt)


@given(chains, st.data())
@settings(deadline=None)
def test_a_part_of_a_chained_picture_is_that_part_of_the_whole(chain, data):
    height, width, octave_n = chain
    sizes = octave_sizes(height, width, octave_n)
    dreamt, image = noise(3, *sizes[0], seed=1), noise(3, height, width)
    picture = carry_up(stored(dreamt), stored(image), sizes)
    height, width = picture.size
    whole = picture.rows(0, height)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom = data.draw(st.integers(top + 1, height))
    right = data.draw(st.integers(left + 1, width))
    part = picture.rows(top, bottom, left, right)
    assert np.array_equal(part, whole[:, top:bottom, left:right])


@given(sides, sides, sides, sides)
def test_a_resized_picture_has_the_bits_of_scipy(height, width, new_height, new_width):
    image = noise(3, height, width)
    picture = Resized(stored(image), (new_height, new_width))
    assert np.array_equal(picture.rows(0, new_height), zoomed(image, new_height, new_width))


@pytest.mark.parametrize("combine", [np.add, np.subtract])
def test_combined_pictures_are_added_or_subtracted(combine):
    first, second = noise(3, 20, 30), noise(3, 20, 30, seed=1)
    picture = Combined(combine, stored(first), stored(second))
    assert np.array_equal(picture.rows(3, 17), combine(first, second)[:, 3:17])


def test_a_part_of_a_picture_knows_where_it_lies():
    image = noise(3, 40, 50)
    canvas = stored(image[:, 10:30, 5:45]).canvas
    picture = Stored(canvas, ENCODING, (40, 50), (10, 5))
    assert np.array_equal(picture.rows(12, 20, 8, 40), image[:, 12:20, 8:40])


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 9000), st.integers(1, 40))
def test_strips_follow_each_other_from_top_to_bottom(height, width, pixels, least):
    cut = list(strips(height, width, pixels, least))
    assert [row for top, bottom in cut for row in range(top, bottom)] == list(range(height))
    assert all(bottom - top >= least for top, bottom in cut[:-1])


@given(sides, sides, sides, sides)
def test_on_a_ring_samples_lie_as_numpy_interpolates_periods(height, width, new_height, new_width):
    image = noise(3, height, width)
    canvas = Canvas(height, width, "float32", "both")
    window = Window(0, 0, height, width)
    canvas.write(window, ENCODING.encode(image, window, 0))
    picture = Resized(Stored(canvas, ENCODING), (new_height, new_width), (True, True))
    rows, columns = (
        (np.arange(new) + RING_ORIGIN) * (old / new) - RING_ORIGIN
        for old, new in [(height, new_height), (width, new_width)]
    )
    across = np.apply_along_axis(
        lambda line: np.interp(columns, np.arange(width), line, period=width), 2, image
    )
    expected = np.apply_along_axis(
        lambda line: np.interp(rows, np.arange(height), line, period=height), 1, across
    )
    assert np.allclose(picture.rows(0, new_height), expected, atol=1e-3)
