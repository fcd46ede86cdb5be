"""Looks together: off they touch nothing, on they act where they should."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dreamlib.ascent.gradient_filters import normalise_laplacian, smooth_gaussian
from dreamlib.ascent.mask import Mask
from dreamlib.ascent.pulls import pull_to_smooth
from dreamlib.ascent.regularizers import PULL_LEVELS, Looks, parse_sigmas
from dreamlib.errors import DreamError
from dreamlib.imaging import inplace
from dreamlib.imaging.color import blend_undreamt, keep_colour
from dreamlib.imaging.window import Window
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.quantize import Encoding

RULE = Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(0.5))
HALVES = np.repeat(np.uint8([[0, 255]]), 10, axis=0)  # a mask, black on the left


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def picture(height=20, width=30, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def test_looks_are_off_by_default():
    for looks in (Looks(), Looks.of(SimpleNamespace())):
        assert not looks.on_steps
        assert not looks.on_results
        assert not looks.masks_steps


def test_looks_that_are_off_keep_the_steps_bits():
    gradient, image = noise(3, 50, 60), noise(3, 50, 60, seed=1)
    mean = Looks().on_gradient(gradient, image, RULE)
    assert mean == inplace.mean_abs(noise(3, 50, 60))
    assert np.array_equal(gradient, noise(3, 50, 60))
    assert np.array_equal(image, noise(3, 50, 60, seed=1))


def test_looks_that_are_off_keep_the_results_bits():
    dreamt = noise(20, 30, 3)
    Looks().on_result(dreamt, picture())
    assert np.array_equal(dreamt, noise(20, 30, 3))


def test_looks_take_a_given_mean_for_the_steps():
    assert Looks(smooth=(2.0,)).on_gradient(noise(3, 9, 9), noise(3, 9, 9), RULE, mean=0.25) == 0.25


def test_shape_makes_bands_equal_before_it_smooths():
    gradient, expected = noise(3, 40, 50), noise(3, 40, 50)
    Looks(smooth=(0.5, 2.0), laplacian=2).shape(gradient)
    normalise_laplacian(expected, 2)
    smooth_gaussian(expected, (0.5, 2.0))
    assert np.array_equal(gradient, expected)


def test_the_mean_is_taken_of_the_smooth_gradient_without_pulls():
    expected = noise(3, 40, 50)
    smooth_gaussian(expected, (2.0,))
    looks = Looks(smooth=(2.0,), calm=1.0, pull_mean=1.0)
    mean = looks.on_gradient(noise(3, 40, 50), noise(3, 40, 50, seed=1), RULE)
    assert mean == inplace.mean_abs(expected)


def test_pull_mean_of_1_is_as_strong_as_the_ascent_so_many_levels_away():
    image = np.full((3, 5, 6), RULE.difference(PULL_LEVELS), np.float32)
    gradient = np.zeros_like(image)
    Looks(pull_mean=1.0).steer(gradient, image, 0.01, RULE)
    np.testing.assert_allclose(gradient, -0.01, rtol=1e-5)


def test_pull_base_of_1_is_as_strong_as_the_ascent_so_many_levels_away():
    base = noise(3, 5, 6)
    gradient, image = np.zeros_like(base), base - RULE.difference(PULL_LEVELS)
    Looks(pull_base=1.0).steer(gradient, image, 0.01, RULE, base)
    np.testing.assert_allclose(gradient, 0.01, rtol=1e-5)


def test_calm_is_measured_against_the_ascent_and_in_levels():
    image, gradient, expected = noise(3, 9, 8), noise(3, 9, 8, seed=1), noise(3, 9, 8, seed=1)
    Looks(calm=0.5).steer(gradient, image, 0.02, RULE)
    pull_to_smooth(expected, image, 0.01, 4.0)  # 8 levels are 4 of this network's units
    np.testing.assert_allclose(gradient, expected, atol=1e-7)


def test_a_mask_on_steps_scales_all_of_the_step():
    image, looks = noise(3, 10, 20), Looks(pull_mean=1.0, mask=Mask(HALVES), mask_on="steps")
    gradient, free = noise(3, 10, 20, seed=1), noise(3, 10, 20, seed=1)
    strength = looks.mask.part(Window(0, 0, 10, 20), (10, 20))
    looks.steer(gradient, image, 0.1, RULE, strength=strength)
    Looks(pull_mean=1.0).steer(free, image, 0.1, RULE)
    assert not gradient[..., :5].any()
    assert np.array_equal(gradient[..., 15:], free[..., 15:])


@pytest.mark.parametrize(
    ("mask_on", "steps", "result"),
    [("result", False, True), ("steps", True, False), ("both", True, True)],
)
def test_a_mask_acts_where_it_is_told(mask_on, steps, result):
    looks = Looks(mask=Mask(HALVES), mask_on=mask_on)
    assert (looks.masks_steps, looks.on_steps, looks.on_results) == (steps, steps, result)


def test_a_mask_on_the_result_shows_the_undreamt_picture_where_it_is_black():
    dreamt, undreamt = picture(), picture(seed=1)
    Looks(mask=Mask(HALVES)).on_result(dreamt, undreamt)
    assert np.array_equal(dreamt[:, :7], undreamt[:, :7])
    assert np.array_equal(dreamt[:, 23:], picture()[:, 23:])


def test_strength_is_a_share_of_what_the_mask_leaves():
    dreamt, expected = picture(), picture()
    Looks(strength=0.5, mask=Mask(HALVES)).on_result(dreamt, picture(seed=1))
    blend_undreamt(expected, picture(seed=1), 0.5)
    assert np.array_equal(dreamt[:, 23:], expected[:, 23:])


def test_colours_are_kept_before_a_share_is_taken():
    dreamt, expected = picture(), picture()
    Looks(keep_colour=True, strength=0.4).on_result(dreamt, picture(seed=1))
    keep_colour(expected, picture(seed=1))
    blend_undreamt(expected, picture(seed=1), 0.4)
    assert np.array_equal(dreamt, expected)


def test_strips_make_the_whole_result():
    looks = Looks(keep_colour=True, strength=0.7, mask=Mask(picture(9, 7)[..., 0]))
    whole, strips, undreamt = picture(), picture(), picture(seed=1)
    looks.on_result(whole, undreamt)
    for top in range(0, 20, 6):
        part = slice(top, top + 6)
        looks.on_result(strips[part], undreamt[part], top, size=(20, 30))
    assert np.array_equal(strips, whole)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_finish_does_it_to_a_canvas_of_any_depth(dtype):
    encoding, undreamt = Encoding(RULE, dtype), picture(seed=1)
    canvas, target = Canvas(20, 30, dtype), Canvas(20, 30, dtype)
    levels = picture().astype(np.float32)
    image = (levels[..., ::-1].transpose(2, 0, 1) - RULE.mean[:, None, None]) * RULE.scale
    window = Window(0, 0, 20, 30)
    canvas.write(window, encoding.encode(image, window, 0))
    looks = Looks(strength=0.25, mask=Mask(HALVES))
    looks.finish(canvas, target, encoding, Canvas.of(undreamt), window, (20, 30))
    looks.on_result(levels, undreamt)
    np.testing.assert_allclose(
        encoding.as_levels(target.array()), levels, atol={"uint8": 0.51}.get(dtype, 0.01)
    )


def test_finish_knows_where_a_region_lies():
    looks, encoding = Looks(mask=Mask(HALVES)), Encoding(RULE, "uint8")
    frame, dreamt = Window(4, 18, 10, 12), Canvas.of(picture(10, 12))
    undreamt = Canvas.of(picture(seed=1))
    looks.finish(dreamt, dreamt, encoding, undreamt, frame, (20, 30))
    assert np.array_equal(dreamt.array()[:, 5:], picture(10, 12)[:, 5:])  # of 30, from 23 on


def test_looks_are_made_of_settings(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "mask.png")
    given = SimpleNamespace(
        smooth="0.5,1", laplacian=4, calm=None, strength=0.5, mask=str(tmp_path / "mask.png")
    )
    looks = Looks.of(given)
    assert (looks.smooth, looks.laplacian, looks.calm, looks.strength) == ((0.5, 1.0), 4, 0, 0.5)
    assert looks.mask.part(Window(0, 0, 1, 2), (1, 2)).tolist() == [[0, 1]]


def test_a_tile_needs_no_more_context_than_the_reach():
    looks = Looks(smooth=(0.5, 2.0), laplacian=2)
    whole = noise(3, 100, 110)
    window, reach = whole[:, 10:90, 20:100].copy(), looks.reach
    looks.shape(whole, (1.0, 1.0, 1.0))
    looks.shape(window, (1.0, 1.0, 1.0))
    inner = slice(reach, -reach)
    np.testing.assert_allclose(
        window[:, inner, inner], whole[:, 10:90, 20:100][:, inner, inner], atol=1e-6
    )


@pytest.mark.parametrize("text", ["", "1,", "a", "-1", "1;2", "101"])
def test_sigmas_that_are_none_are_refused(text):
    with pytest.raises(DreamError, match=r"smooth is .*expected sigmas"):
        parse_sigmas(text)
