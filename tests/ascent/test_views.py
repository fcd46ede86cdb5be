"""Views of a picture: what they show, and the way of their gradients back."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from dreamlib.ascent.views import Look, View, Viewing, coverage, draw_view

ONES, ZEROS = np.ones(3, np.float32), np.zeros(3, np.float32)
SIDE, GRID = 16, (16, 16)
VIEWING = Viewing(0.7, 1.4, 20, 25, 50)

shapes = some.tuples(some.integers(5, 40), some.integers(5, 40))
looks = some.builds(
    View,
    some.tuples(some.floats(-5, 45), some.floats(-5, 45)),
    some.floats(0.3, 3),
    some.floats(-1, 1),
    some.just(ONES), some.just(ZEROS), some.just(0), some.just(0),
)  # fmt: skip


def of_array(array):
    return array


def random_picture(shape, seed=0):
    return np.random.RandomState(seed).randn(3, *shape).astype(np.float32)


def view_at(row, column, scale=1.0, angle=0.0):
    return View((row, column), scale, angle, ONES, ZEROS, 0, 0)


def test_a_straight_view_is_the_pixels_themselves():
    image = random_picture((30, 40))
    look = Look(view_at(12.5, 20.5), (30, 40), GRID, SIDE, of_array)
    np.testing.assert_allclose(look.at(image), image[:, 5:21, 13:29], atol=1e-6)


def test_a_quarter_turn_turns_the_pixels():
    image = random_picture((30, 40))
    look = Look(view_at(12.5, 20.5, angle=np.pi / 2), (30, 40), GRID, SIDE, of_array)
    turned = np.rot90(image[:, 5:21, 13:29], 1, (1, 2))
    np.testing.assert_allclose(look.at(image), turned, atol=1e-4)


def test_beyond_the_borders_a_picture_is_mirrored():
    image = random_picture((16, 16))
    look = Look(view_at(7.5 - 4, 7.5), (16, 16), GRID, SIDE, of_array)
    np.testing.assert_allclose(look.at(image)[:, :4], image[:, 3::-1], atol=1e-6)


@given(looks, shapes, some.integers(0, 1000))
def test_the_way_back_is_the_transpose(view, shape, seed):
    image, gradient = random_picture(shape, seed), random_picture(GRID, seed + 1)
    look, back = Look(view, shape, GRID, SIDE, of_array), np.zeros((3, *shape), np.float32)
    look.put_back(gradient, back)
    there = np.vdot(np.float64(look.at(image)), gradient)
    np.testing.assert_allclose(there, np.vdot(np.float64(back), image), rtol=1e-3, atol=1e-2)


@given(looks, shapes)
def test_a_view_of_a_constant_is_constant(view, shape):
    image = np.full((3, *shape), 7, np.float32)
    seen = Look(view, shape, GRID, SIDE, of_array).at(image)
    np.testing.assert_allclose(seen, 7, rtol=1e-5)


@given(looks, shapes)
def test_tensors_are_seen_as_arrays_are(view, shape):
    image, gradient = random_picture(shape), random_picture(GRID, 1)
    here = Look(view, shape, GRID, SIDE, of_array)
    there = Look(view, shape, GRID, SIDE, torch.from_numpy)
    np.testing.assert_allclose(here.at(image), there.at(torch.tensor(image)).numpy(), atol=1e-5)
    array, tensor = np.zeros_like(image), torch.zeros(image.shape)
    here.put_back(gradient, array)
    there.put_back(torch.tensor(gradient), tensor)
    np.testing.assert_allclose(array, tensor.numpy(), atol=1e-4)


@given(shapes, some.integers(0, 1000))
def test_a_view_that_fits_lies_within_the_picture(shape, seed):
    view = draw_view(np.random.RandomState(seed), VIEWING._replace(turn=0), shape, 4)
    half = (view.scale * 4 - 1) / 2
    for middle, length in zip(view.middle, shape):
        if view.scale * 4 <= length:
            assert middle - half >= -0.5
            assert middle + half <= length - 0.5


def test_views_are_as_near_and_as_turned_as_they_may_be():
    random = np.random.RandomState(0)
    views = [draw_view(random, VIEWING, (300, 300), 100) for _ in range(300)]
    scales, angles = [v.scale for v in views], np.degrees([v.angle for v in views])
    assert 0.7 <= min(scales) < 0.72 < 1.38 < max(scales) <= 1.4
    assert -20 <= angles.min() < -19 < 19 < angles.max() <= 20


def test_a_view_has_noise_of_its_own_that_repeats():
    first, second = (draw_view(np.random.RandomState(5), VIEWING, (50, 50), 16) for _ in range(2))
    noise = first.noise_of(GRID)
    assert np.array_equal(noise, second.noise_of(GRID))
    assert 0 <= noise.min() < 5 < 45 < noise.max() <= 50


def test_places_that_are_seen_less_are_helped():
    helped = coverage(VIEWING, (320, 320), 224)
    assert helped.min() == 1
    assert helped[160, 160] < 1.2 < helped[2, 160] < helped[2, 2]


@pytest.mark.parametrize("shape", [(40, 500), (30, 30), (1000, 700)])
def test_the_help_is_what_views_that_are_drawn_leave_out(shape):
    random, seen = np.random.RandomState(0), np.zeros((3, *shape), np.float32)
    for _ in range(1500):
        view = draw_view(random, VIEWING._replace(turn=0), shape, 100)
        grid = (round(100 * view.scale),) * 2
        Look(view, shape, grid, 100, of_array).put_back(np.ones((3, *grid), np.float32), seen)
    wanted = coverage(VIEWING, shape, 100)
    inside = tuple(slice(side // 8, side - side // 8) for side in shape)
    even = (seen[0] / seen[0].max() * wanted ** (1 / 0.7))[inside]
    assert even.std() / even.mean() < 0.25
