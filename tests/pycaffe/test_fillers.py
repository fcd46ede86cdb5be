"""The laws of Caffe's fillers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe.fillers import FILLERS, fill
from dreamlib.pycaffe.proto import caffe_pb2
from tests.pycaffe.recorded import recorded

SHAPE = (40, 30, 5, 5)


def filled(kind, shape=SHAPE, **options):
    array = np.full(shape, np.nan, np.float32)
    filler = caffe_pb2.FillerParameter(type=kind, **options)
    fill(array, filler, np.random.RandomState(0))
    return array


@given(st.floats(-1e6, 1e6, width=32))
def test_constant_is_constant(value):
    assert (filled("constant", (3, 4), value=value) == np.float32(value)).all()


def test_the_default_filler_is_zero():
    array = np.ones(5, np.float32)
    fill(array, caffe_pb2.FillerParameter(), np.random.RandomState(0))
    assert not array.any()


def test_uniform_fills_its_range():
    values = filled("uniform", min=-2, max=6)
    assert -2 <= values.min() < -1.99
    assert 5.99 < values.max() <= 6
    assert values.mean() == pytest.approx(2, abs=0.05)


def test_gaussian_has_its_mean_and_deviation():
    values = filled("gaussian", mean=3, std=0.5)
    assert values.mean() == pytest.approx(3, abs=0.01)
    assert values.std() == pytest.approx(0.5, rel=0.02)
    beyond = np.mean(abs(values - 3) > 1)  # two deviations
    assert beyond == pytest.approx(0.0455, rel=0.1)


def test_sparse_gaussian_keeps_so_many_inputs_of_each_output():
    # Caffe draws each value with probability sparse / outputs
    values = filled("gaussian", (40, 5000), std=1, sparse=10)
    assert np.mean(values != 0) == pytest.approx(10 / 40, rel=0.03)
    assert values[values != 0].std() == pytest.approx(1, rel=0.02)


def test_positive_unitball_sums_to_one_for_each_output():
    values = filled("positive_unitball")
    assert values.min() >= 0
    np.testing.assert_allclose(values.reshape(40, -1).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(("norm", "fan"), [(0, 30 * 25), (1, 40 * 25), (2, 35 * 25)])
def test_xavier_is_uniform_within_the_fans_limit(norm, fan):
    values = filled("xavier", variance_norm=norm)
    limit = np.sqrt(3 / fan)
    assert 0.999 * limit < abs(values).max() <= limit * (1 + 1e-6)
    assert values.var() == pytest.approx(1 / fan, rel=0.03)


@pytest.mark.parametrize(("norm", "fan"), [(0, 30 * 25), (1, 40 * 25), (2, 35 * 25)])
def test_msra_is_gaussian_with_the_fans_variance(norm, fan):
    values = filled("msra", variance_norm=norm)
    assert values.var() == pytest.approx(2 / fan, rel=0.03)
    assert abs(values).max() > 3 * np.sqrt(2 / fan)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
def test_bilinear_equals_real_caffe(side):
    expected = recorded(f"bilinear_{side}")
    np.testing.assert_allclose(filled("bilinear", expected.shape), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("shape", [(2, 2, 3, 4), (4, 4)])
def test_bilinear_refuses_what_is_not_a_square_kernel(shape):
    with pytest.raises(caffe.CaffeError, match="square 4-axis kernel"):
        filled("bilinear", shape)


@pytest.mark.parametrize("kind", sorted(FILLERS))
def test_a_seed_gives_the_same_values_again(kind):
    shape = (4, 4, 3, 3)
    np.testing.assert_array_equal(filled(kind, shape), filled(kind, shape))


def test_an_unknown_filler_is_refused_with_the_known_ones():
    with pytest.raises(caffe.CaffeError, match=r"'magic' is none of .*gaussian"):
        filled("magic")
