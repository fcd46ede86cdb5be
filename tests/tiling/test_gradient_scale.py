"""The running estimate of a picture's mean |gradient| and of its bands, from its tiles."""

import json
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.ascent.gradient_filters import normalise_laplacian
from dreamlib.tiling.gradient_scale import (
    LARGEST_TREND,
    GradientScale,
    RunningDeviations,
    RunningMean,
)
from tests.ascent.test_gradient_filters import bands_of, noise, root_mean_square

#: Tiles: sum of |gradient| over three channels, and pixels. Eighths, so that floats are exact.
tiles = st.lists(
    st.tuples(st.integers(1, 10**6).map(lambda eighths: eighths / 8), st.integers(1, 10**4)),
    min_size=1,
    max_size=8,
)


def exact(made):
    """Mean over tiles."""
    total = sum(Fraction(sum_abs) / 3 for sum_abs, _ in made)
    return float(total / sum(pixels for _, pixels in made))


def taken_in(mean, made):
    for sum_abs, pixels in made:
        mean.add(sum_abs, pixels)
    return mean


@given(tiles)
def test_once_a_pass_has_been_everywhere_the_mean_is_known(made):
    total = sum(pixels for _, pixels in made)
    mean = taken_in(RunningMean(predicted=123.0), made)
    assert mean.value(total) == pytest.approx(exact(made), rel=1e-12)


@given(tiles)
def test_where_tiles_overlap_the_mean_is_still_one_per_pixel(made):
    total = sum(pixels for _, pixels in made)
    assert taken_in(RunningMean(), made).value(total // 2) == pytest.approx(exact(made), rel=1e-12)


@given(tiles, st.integers(1, 10**5), st.floats(0.125, 1000))
def test_the_rest_of_the_picture_counts_as_predicted(made, rest, predicted):
    known = sum(pixels for _, pixels in made)
    mean = taken_in(RunningMean(predicted=predicted), made)
    whole = Fraction(exact(made)) * known + Fraction(predicted) * rest
    assert mean.value(known + rest) == pytest.approx(float(whole / (known + rest)), rel=1e-12)


def test_before_a_pass_has_been_anywhere_the_prediction_is_all():
    assert RunningMean(predicted=7.5).value(1000) == 7.5


@given(tiles)
def test_a_sample_predicts_its_own_mean(made):
    mean = taken_in(RunningMean(), made)
    mean.end_sample()
    assert mean.predicted == pytest.approx(exact(made), rel=1e-12)
    assert (mean.known, mean.pixels, mean.last) == (0, 0, None)


@given(tiles)
def test_the_second_pass_is_predicted_to_be_as_the_first(made):
    mean = taken_in(RunningMean(predicted=5.0), made)
    mean.end_pass()
    assert mean.predicted == mean.last == pytest.approx(exact(made), rel=1e-12)
    assert (mean.known, mean.pixels) == (0, 0)


@given(tiles, tiles)
def test_what_has_grown_is_predicted_to_grow_on_but_no_faster_than_allowed(first, second):
    mean = taken_in(RunningMean(predicted=5.0), first)
    mean.end_pass()
    taken_in(mean, second).end_pass()
    trend = Fraction(exact(second)) / Fraction(exact(first))
    limit = Fraction(LARGEST_TREND)
    expected = float(Fraction(exact(second)) * max(1 / limit, min(limit, trend)))
    assert mean.predicted == pytest.approx(expected, rel=1e-9)


def test_a_mean_that_doubles_every_pass_is_predicted_exactly():
    mean = RunningMean(predicted=1.0)
    for turn in range(6):
        taken_in(mean, [(3 * 2**turn * 100, 100)]).end_pass()
        assert turn == 0 or mean.predicted == 2 ** (turn + 1)


def test_where_nothing_was_active_nothing_is_predicted_to_be():
    mean = taken_in(RunningMean(predicted=1.0), [(0.0, 100)])
    mean.end_pass()
    taken_in(mean, [(0.0, 100)]).end_pass()
    assert mean.predicted == 0


@given(tiles)
def test_a_state_makes_the_mean_it_was_taken_from(made):
    mean = taken_in(RunningMean(predicted=2.0, last=1.5), made)
    assert RunningMean(**asdict(mean)) == mean


# -- with bands ------------------------------------------------------------------------------------


def tiles_of(gradient, levels):
    """Squares and pixels of four tiles of a gradient, each measured within the whole."""
    halves = slice(0, 30), slice(30, 64)
    for rows in halves:
        for columns in halves:
            squares = normalise_laplacian(gradient.copy(), levels, interior=(rows, columns))
            yield squares, (rows.stop - rows.start) * (columns.stop - columns.start)


def test_running_deviations_of_all_tiles_are_the_pictures():
    gradient, running = noise(3, 64, 64), RunningDeviations()
    for squares, pixels in tiles_of(gradient, 2):
        running.add(squares, pixels)
    expected = [root_mean_square(band) for band in bands_of(gradient, 2)]
    np.testing.assert_allclose(running.value(64 * 64), expected, rtol=1e-5)


def test_running_deviations_predict_from_a_sample():
    running = RunningDeviations()
    running.add([3 * 10 * 4.0, 3 * 10 * 9.0], 10)
    running.end_sample()
    np.testing.assert_allclose(running.value(1000), [2, 3])


def test_running_deviations_expect_no_growth_from_pass_to_pass():
    running = RunningDeviations()
    for square in (4.0, 9.0):
        running.add([3 * 10 * square, 3 * 10.0], 10)
        running.end_pass()
    np.testing.assert_allclose(running.value(10), [3.0, 1.0])


def test_running_deviations_of_no_levels_ask_for_nothing():
    running = RunningDeviations()
    running.add([], 10)
    running.end_sample()
    assert running.value(10) == []
    assert running.growth([], 10) == 1


def test_growth_tells_what_a_sample_will_measure_by_the_pictures_deviations():
    loud = noise(3, 64, 64) * np.repeat(np.float32([0.2, 1.8]), 32)  # one half quiet, one loud
    running, sample = RunningDeviations(), []
    for half in (slice(0, 32), slice(32, 64)):
        core, own = (slice(None), half), loud.copy()
        squares = normalise_laplacian(own, 3, interior=core)
        sample.append((squares, np.abs(own[(slice(None), *core)]).sum()))
        running.add(squares, 64 * 32)
    running.end_sample()
    predicted = sum(total * running.growth(squares, 64 * 32) for squares, total in sample)
    normalise_laplacian(loud, 3, running.value(64 * 64))
    assert predicted == pytest.approx(np.abs(loud).sum(), rel=0.02)


# -- with the mean --------------------------------------------------------------------------------


def sums_of(gradient, core, deviations=None):
    """What a tile reports of a gradient that is split into two bands and the rest."""
    own = gradient.copy()
    squares = normalise_laplacian(own, 2, deviations, core)
    return (float(np.abs(own[(slice(None), *core)]).sum()), *map(float, squares))


HALVES = [(slice(None), slice(0, 32)), (slice(None), slice(32, 64))]


def uneven():
    """A gradient with a quiet and a loud half."""
    return noise(3, 64, 64) * np.repeat(np.float32([0.2, 1.8]), 32)


def test_a_sample_predicts_what_tiles_are_by_the_pictures_deviations():
    scale, gradient = GradientScale(), uneven()
    assert scale.unknown
    scale.take_sample([(sums_of(gradient, core), 64 * 32) for core in HALVES])
    assert not scale.unknown
    mean, deviations = scale.value(64 * 64)
    normalise_laplacian(gradient, 2, deviations)
    assert mean == pytest.approx(np.abs(gradient).mean(), rel=0.02)


def test_tiles_by_the_pictures_deviations_are_the_whole_picture():
    scale, whole = GradientScale(), uneven()
    scale.take_sample([(sums_of(whole, core), 64 * 32) for core in HALVES])
    _, deviations = scale.value(64 * 64)
    np.testing.assert_allclose(
        deviations, [root_mean_square(band) for band in bands_of(whole, 2)], rtol=1e-5
    )
    for core in HALVES:
        scale.add(sums_of(whole, core, deviations), 64 * 32)
    normalise_laplacian(whole, 2)
    mean, again = scale.value(64 * 64)
    assert mean == pytest.approx(np.abs(whole).mean(), rel=1e-5)
    np.testing.assert_allclose(again, deviations, rtol=1e-5)


def test_without_bands_there_is_a_mean_alone():
    scale = GradientScale()
    scale.take_sample([((6.0,), 2), ((12.0,), 2)])
    assert scale.value(100) == (1.5, None)
    scale.add((30.0,), 10)
    scale.end_pass()
    assert scale.value(100) == (1.0, None)


def test_it_survives_a_journal():
    scale = GradientScale()
    scale.take_sample([((0.1, 2.0, 3.0), 7)])
    scale.add((0.3, 0.7, 5.0), 3)
    assert GradientScale.from_dict(json.loads(json.dumps(asdict(scale)))) == scale
