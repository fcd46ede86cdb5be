"""The time that is left: the first estimate is right within a factor of two."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.util.pace import LEAST, Pace


def estimates(octaves, first):
    """Walk through steps; yield at each what was estimated, and what was true.

    `octaves` are (steps, pixels, seconds of a step); `first` are seconds that the first step takes
    beside its own.
    """
    steps = [step for count, *step in octaves for _ in range(count)]
    total, true = sum(pixels for pixels, _ in steps), sum(seconds for _, seconds in steps)
    pace, done, now = Pace(), 0, 100.0
    for number, (pixels, seconds) in enumerate(steps):
        done, now, true = done + pixels, now + seconds + first * (not number), true - seconds
        pace.mark(done, now)
        yield pace.seconds_for(total - done), true


#: The notebook's octaves of 1024 x 768 as two cores take them: a pixel costs more in a small one.
OCTAVES = [(20, 104_000, 0.13), (20, 205_000, 0.22), (20, 401_000, 0.4), (20, 786_000, 0.75)]


@pytest.mark.parametrize("first", [0, 1, 10])
def test_estimates_are_right_within_a_factor_of_two_from_the_first(first):
    known = [(told, true) for told, true in estimates(OCTAVES, first) if not math.isnan(told)]
    assert len(known) > 60
    assert all(true / 2 - 0.01 <= told <= 2 * true + 0.01 for told, true in known)


def test_there_is_none_before_steps_have_been_taken_for_a_while():
    told = [seconds for seconds, _ in estimates([(10, 50, LEAST / 4)], first=60)]
    assert [math.isnan(seconds) for seconds in told] == [True] * 4 + [False] * 6


@given(st.floats(0.05, 5), st.integers(20, 200), st.floats(0, 100))
def test_even_steps_are_estimated_exactly(seconds, count, first):
    for told, true in estimates([(count, 1000, seconds)], first):
        assert math.isnan(told) or told == pytest.approx(true, abs=1e-6 * count * seconds)
