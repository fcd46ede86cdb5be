"""The octaves' pictures: the notebook's chain of reductions and its detail, bit for bit."""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage as nd
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.imaging.picture import Window
from dreamlib.imaging.resample import RING_ORIGIN, octave_sizes, strips
from dreamlib.tiling.canvas import Canvas, InMemory
from dreamlib.tiling.pyramid import Combined, Pyramid, Resized, Stored
from dreamlib.tiling.quantize import Quantizer
from tests import dreams

sides = st.integers(1, 90)


def noise(*shape, seed=0):
    return (np.random.RandomState(seed).rand(*shape) * 255 - 120).astype(np.float32)


def zoomed(image, height, width):
    return nd.zoom(image, (1, height / image.shape[1], width / image.shape[2]), order=1)


def pyramid(source, octaves, sizes=None, **changes):
    """A pyramid over a source; its octaves are the notebook's unless `sizes` says otherwise."""
    dream = dreams.dream_of(dreams.options("whole", octaves=octaves, **changes), source.size)
    if sizes:
        made = [
            dataclasses.replace(dream.octaves[0], size=size, window=Window(0, 0, *size))
            for size in sizes
        ]
        dream = dataclasses.replace(dream, octaves=tuple(made))
    return Pyramid(source, dream, QUANTIZER, InMemory("float32", "none"))


QUANTIZER = Quantizer(dreams.RULE, "float32")

chains = st.tuples(st.integers(9, 120), st.integers(9, 120), st.integers(2, 4))


def stored(image):
    """A picture (3, h, w), as a canvas holds it."""
    height, width = image.shape[1:]
    canvas = Canvas(height, width, "float32")
    window = Window(0, 0, height, width)
    canvas.write(window, QUANTIZER.encode(image, window, 0))
    return Stored(canvas, QUANTIZER)


def by_strips(picture, rows):
    """All of a chained picture, made by strips of this number of rows."""
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
def test_an_octaves_base_has_the_bits_of_scipys_chain(chain, rows):
    height, width, octave_n = chain
    sizes = octave_sizes(height, width, octave_n)
    image = noise(3, height, width)
    for octave, expected in enumerate(notebook_bases(image, sizes)):
        base = pyramid(stored(image), octave_n).undreamt(octave)
        assert base.size == sizes[octave]
        assert np.array_equal(by_strips(base, rows), expected)


@given(chains, st.integers(1, 50))
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
        carried = pyramid(stored(image), octave_n)._carried(stored(dreamt).canvas, octave)
        dreamt = bases[octave] + detail
        assert carried.size == sizes[octave]
        assert np.array_equal(by_strips(carried, rows), dreamt)


@given(chains, st.data())
def test_a_part_of_a_chained_picture_is_that_part_of_the_whole(chain, data):
    height, width, octave_n = chain
    sizes = octave_sizes(height, width, octave_n)
    dreamt, image = noise(3, *sizes[0], seed=1), noise(3, height, width)
    picture = pyramid(stored(image), octave_n)._carried(stored(dreamt).canvas, 1)
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
    picture = Stored(canvas, QUANTIZER, (40, 50), (10, 5))
    assert np.array_equal(picture.rows(12, 20, 8, 40), image[:, 12:20, 8:40])


@given(sides, sides, sides, sides)
def test_on_a_ring_samples_lie_as_numpy_interpolates_periods(height, width, new_height, new_width):
    image = noise(3, height, width)
    canvas = Canvas(height, width, "float32", "both")
    window = Window(0, 0, height, width)
    canvas.write(window, QUANTIZER.encode(image, window, 0))
    picture = Resized(Stored(canvas, QUANTIZER), (new_height, new_width), (True, True))
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


def test_all_of_a_picture_can_be_carried_instead_of_its_detail():
    image, dreamt = noise(3, 40, 50), noise(3, 20, 25, seed=1)
    made = pyramid(stored(image), 2, [(20, 25), (40, 50)], carry="picture")
    carried = made._carried(stored(dreamt).canvas, 1)
    assert np.array_equal(carried.rows(0, 40), zoomed(dreamt, 40, 50))


@pytest.mark.parametrize("octave", [0, 1])
def test_octaves_larger_than_the_source_are_made_of_the_enlarged_source(octave):
    image, sizes = noise(3, 20, 30), [(32, 48), (40, 60), (20, 30)]
    expected = zoomed(image, 40, 60)
    if octave == 0:
        expected = zoomed(expected, 32, 48)
    found = pyramid(stored(image), 3, sizes).undreamt(octave)
    assert np.array_equal(found.rows(0, found.size[0]), expected)


def test_an_octave_beyond_the_sources_size_is_made_of_the_source_at_once():
    image, sizes = noise(3, 40, 60), [(20, 30), (40, 60), (16, 24)]
    found = pyramid(stored(image), 3, sizes).undreamt(2)
    assert np.array_equal(found.rows(0, 16), zoomed(image, 16, 24))
