"""The running estimate of a picture's mean |gradient|, against exact arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.tiling.gradient_scale import LARGEST_TREND, RunningMean

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
    assert RunningMean(**mean.as_dict()) == mean
