"""Masks: any file, stretched over any picture, part by part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from dreamlib.ascent.mask import Mask, _as_grey
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Picture, Window
from dreamlib.tiling.canvas import Canvas
from tests.memory import traced_peak


def grey(height, width):
    return np.random.RandomState(0).randint(0, 256, (height, width)).astype(np.uint8)


def whole(mask, height, width):
    return mask.part(Window(0, 0, height, width), (height, width))


def test_a_mask_of_the_pictures_size_is_taken_as_it_is():
    part = whole(Mask(grey(20, 30)), 20, 30)
    np.testing.assert_allclose(part, grey(20, 30) / 255, atol=1e-6)
    assert part.dtype == np.float32


@pytest.mark.parametrize("size", [(33, 50), (7, 9), (20, 61), (1, 1)])
def test_a_mask_is_stretched_as_scipy_does_with_pixels_as_areas(size):
    mask = grey(20, 30)
    rows, columns = (
        np.clip((np.arange(side) + 0.5) * own / side - 0.5, 0, own - 1)
        for side, own in zip(size, mask.shape)
    )
    places = np.meshgrid(rows, columns, indexing="ij")
    expected = ndimage.map_coordinates(np.float64(mask) / 255, places, order=1, mode="nearest")
    np.testing.assert_allclose(whole(Mask(mask), *size), expected, atol=1e-5)


@pytest.mark.parametrize("wrap", ["none", "horizontal", "both"])
def test_a_window_goes_on_beyond_borders_as_a_canvas_does(wrap):
    mask, window = Mask(grey(9, 11)), Window(-7, -25, 40, 60)
    levels = np.repeat(whole(mask, 20, 24)[..., None], 3, axis=2)
    expected = Canvas.of(levels, wrap).read(window)[..., 0]
    np.testing.assert_array_equal(mask.part(window, (20, 24), wrap), expected)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 80), st.integers(1, 80))
def test_a_mask_stays_between_0_and_1(height, width, rows, columns):
    part = whole(Mask(grey(height, width)), rows, columns)
    assert part.shape == (rows, columns)
    assert part.min() >= 0
    assert part.max() <= 1


def test_a_part_makes_no_more_floating_point_than_it_needs():
    mask, window = Mask(grey(2000, 3000)), Window(900, 1000, 50, 200)
    assert traced_peak(lambda: mask.part(window, (2000, 3000))) < 12 * 50 * 200 * 4 + 10_000


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "RGBA", "P"])
def test_a_mask_is_read_from_any_mode(tmp_path, mode):
    black_and_white = np.zeros((8, 10), np.uint8)
    black_and_white[:, 5:] = 255
    Image.fromarray(black_and_white).convert(mode).save(tmp_path / "mask.png")
    mask = whole(Mask.read(tmp_path / "mask.png"), 8, 10)
    np.testing.assert_allclose(mask, black_and_white / 255, atol=1e-6)


def test_a_mask_of_16_bits_is_read(tmp_path):
    Image.fromarray(np.uint16([[0, 32896, 65535]])).save(tmp_path / "mask.png")
    mask = whole(Mask.read(tmp_path / "mask.png"), 1, 3)
    np.testing.assert_allclose(mask, [[0, 128 / 255, 1]], atol=1e-6)


def test_what_is_no_mask_is_refused(tmp_path):
    with pytest.raises(DreamError, match="no such file"):
        Mask.read(tmp_path / "mask.png")


@pytest.mark.parametrize("size", [(64, 96), (61, 97), (130, 5)])
def test_a_large_mask_is_made_smaller_by_the_mean_of_squares(size, monkeypatch):
    monkeypatch.setattr("dreamlib.ascent.mask.STRIP", 16 * size[1])
    mask = np.uint8(np.linspace(0, 255, size[0] * size[1]).reshape(size))
    small = _as_grey(Picture(np.repeat(mask[..., None], 3, axis=2)), size[0] * size[1] // 15)
    assert small.shape == tuple(-(-side // 4) for side in size)
    expected = [
        [mask[top : top + 4, left : left + 4].mean() for left in range(0, size[1], 4)]
        for top in range(0, size[0], 4)
    ]
    np.testing.assert_allclose(small, expected, atol=0.51)
