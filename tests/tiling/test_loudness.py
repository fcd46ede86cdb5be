"""How loud a picture's gradient is, put together from what its tiles report."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from dreamlib.ascent.gradient_filters import normalise_laplacian
from dreamlib.tiling.gradient_scale import GradientScale, RunningDeviations
from tests.ascent.test_gradient_filters import bands_of, noise, root_mean_square


def tiles_of(gradient, levels):
    """Squares and pixels of four tiles of a gradient, each measured within the whole."""
    halves = slice(0, 30), slice(30, 64)
    for rows in halves:
        for columns in halves:
            squares = normalise_laplacian(gradient.copy(), levels, core=(rows, columns))
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
    assert running.loudness([], 10) == 1


def test_loudness_tells_what_a_sample_will_measure_by_the_pictures_deviations():
    loud = noise(3, 64, 64) * np.repeat(np.float32([0.2, 1.8]), 32)  # one half quiet, one loud
    running, sample = RunningDeviations(), []
    for half in (slice(0, 32), slice(32, 64)):
        core, own = (slice(None), half), loud.copy()
        squares = normalise_laplacian(own, 3, core=core)
        sample.append((squares, np.abs(own[(slice(None), *core)]).sum()))
        running.add(squares, 64 * 32)
    running.end_sample()
    predicted = sum(total * running.loudness(squares, 64 * 32) for squares, total in sample)
    normalise_laplacian(loud, 3, running.value(64 * 64))
    assert predicted == pytest.approx(np.abs(loud).sum(), rel=0.02)


# -- with the mean --------------------------------------------------------------------------------


def sums_of(gradient, core, deviations=None):
    """What a visit reports of a gradient that is split into two bands and the rest."""
    own = gradient.copy()
    squares = normalise_laplacian(own, 2, deviations, core)
    return (float(np.abs(own[(slice(None), *core)]).sum()), *map(float, squares))


HALVES = [(slice(None), slice(0, 32)), (slice(None), slice(32, 64))]


def uneven():
    """A gradient with a quiet and a loud half."""
    return noise(3, 64, 64) * np.repeat(np.float32([0.2, 1.8]), 32)


def test_a_sample_predicts_what_tiles_are_by_the_pictures_deviations():
    loudness, gradient = GradientScale(), uneven()
    assert loudness.unknown
    loudness.take_sample([(sums_of(gradient, core), 64 * 32) for core in HALVES])
    assert not loudness.unknown
    mean, deviations = loudness.value(64 * 64)
    normalise_laplacian(gradient, 2, deviations)
    assert mean == pytest.approx(np.abs(gradient).mean(), rel=0.02)


def test_tiles_by_the_pictures_deviations_are_the_whole_picture():
    loudness, whole = GradientScale(), uneven()
    loudness.take_sample([(sums_of(whole, core), 64 * 32) for core in HALVES])
    _, deviations = loudness.value(64 * 64)
    np.testing.assert_allclose(
        deviations, [root_mean_square(band) for band in bands_of(whole, 2)], rtol=1e-5
    )
    for core in HALVES:
        loudness.add(sums_of(whole, core, deviations), 64 * 32)
    normalise_laplacian(whole, 2)
    mean, again = loudness.value(64 * 64)
    assert mean == pytest.approx(np.abs(whole).mean(), rel=1e-5)
    np.testing.assert_allclose(again, deviations, rtol=1e-5)


def test_without_bands_there_is_a_mean_alone():
    loudness = GradientScale()
    loudness.take_sample([((6.0,), 2), ((12.0,), 2)])
    assert loudness.value(100) == (1.5, None)
    loudness.add((30.0,), 10)
    loudness.end_pass()
    assert loudness.value(100) == (1.0, None)


def test_it_survives_a_journal():
    loudness = GradientScale()
    loudness.take_sample([((0.1, 2.0, 3.0), 7)])
    loudness.add((0.3, 0.7, 5.0), 3)
    assert GradientScale.from_dict(json.loads(json.dumps(asdict(loudness)))) == loudness
