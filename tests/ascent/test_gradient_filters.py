"""Smoothed gradients: scipy's numbers in double precision, tiles that fit together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dreamlib.ascent.gradient_filters import normalise_laplacian, smooth_gaussian
from dreamlib.imaging import inplace
from tests.memory import traced_peak

sides = st.integers(1, 40)


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def bands_of(gradient, levels):
    """The bands in float64, by scipy's convolution: each low pass twice the pyramid's kernel."""
    rest, bands = np.float64(gradient), []
    kernel = np.convolve([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    for level in range(levels):
        spaced = np.zeros(8 * 2**level + 1)
        spaced[:: 2**level] = kernel
        low = rest
        for axis in (1, 2):
            low = ndimage.convolve1d(low, spaced, axis, mode="reflect")
        bands.append(rest - low)
        rest = low
    return [*bands, rest]


def root_mean_square(array):
    return np.sqrt(np.square(array, dtype=np.float64).mean())


@pytest.mark.parametrize("sigmas", [(1.0,), (0.5, 1.0, 2.0), (0.0, 3.7), (9.0,)])
def test_smooth_gaussian_is_the_mean_of_scipys_blurs(sigmas):
    gradient = noise(3, 70, 90)
    blurs = [
        ndimage.gaussian_filter(np.float64(gradient), (0, sigma, sigma), mode="reflect")
        for sigma in sigmas
    ]
    smooth_gaussian(gradient, sigmas)
    np.testing.assert_allclose(gradient, np.mean(blurs, axis=0), atol=1e-6)


def test_smooth_gaussian_crosses_its_strips_without_a_trace():
    gradient = noise(1, 40, inplace.BLOCK // 8)  # strips of eight rows
    expected = ndimage.gaussian_filter(np.float64(gradient), (0, 3, 3), mode="reflect")
    smooth_gaussian(gradient, (3.0,))
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_smooth_gaussian_with_no_sigma_keeps_the_bits():
    gradient = noise(3, 20, 30)
    smooth_gaussian(gradient, ())
    assert np.array_equal(gradient, noise(3, 20, 30))


@settings(max_examples=30)
@given(sides, sides, st.floats(0.3, 20), st.floats(-1e3, 1e3, width=32, allow_subnormal=False))
def test_smooth_gaussian_keeps_an_even_gradient(height, width, sigma, value):
    gradient = np.full((3, height, width), value, np.float32)
    smooth_gaussian(gradient, (sigma,))
    np.testing.assert_allclose(gradient, value, rtol=1e-5)


@settings(max_examples=30)
@given(sides, sides, st.floats(0.3, 20))
def test_smooth_gaussian_keeps_the_mean(height, width, sigma):
    gradient = noise(3, height, width)
    mean = gradient.mean(dtype=np.float64)
    smooth_gaussian(gradient, (sigma,))
    assert abs(gradient.mean(dtype=np.float64) - mean) < 1e-5


def test_smooth_gaussian_needs_two_planes():
    gradient = noise(3, 600, 800)
    allowed = 2 * gradient[0].nbytes + 8 * inplace.BLOCK * 4
    assert traced_peak(lambda: smooth_gaussian(gradient, (0.5, 2.0))) < allowed


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_normalise_laplacian_adds_up_bands_divided_by_their_deviation(levels):
    gradient = 1e-4 * noise(3, 66, 91)
    expected = sum(band / root_mean_square(band) for band in bands_of(gradient, levels))
    normalise_laplacian(gradient, levels)
    np.testing.assert_allclose(gradient, expected, atol=2e-5)


def test_normalise_laplacian_makes_bands_equally_loud():
    gradient = noise(3, 128, 128) + 100 * np.sin(np.arange(128, dtype=np.float32) / 10)
    loudness = [root_mean_square(band) for band in bands_of(gradient, 4)]
    assert max(loudness) > 20 * min(loudness)
    normalise_laplacian(gradient, 4)
    loudness = [root_mean_square(band) for band in bands_of(gradient, 4)]
    assert max(loudness) < 4 * min(loudness)  # bands overlap: each has something of the next ones


def test_normalise_laplacian_divides_by_the_deviations_it_is_given():
    gradient, deviations = noise(3, 40, 50), (0.5, 2.0, 8.0)
    expected = sum(band / d for band, d in zip(bands_of(gradient, 2), deviations))
    normalise_laplacian(gradient, 2, deviations)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_normalise_laplacian_returns_each_bands_squares_over_the_interior():
    gradient, interior = noise(3, 40, 50), (slice(5, 30), slice(10, 45))
    squares = normalise_laplacian(gradient.copy(), 3, interior=interior)
    expected = [np.square(band[(slice(None), *interior)]).sum() for band in bands_of(gradient, 3)]
    np.testing.assert_allclose(squares, expected, rtol=1e-5)


@settings(max_examples=20)
@given(st.floats(1e-6, 1e6))
def test_normalise_laplacian_forgets_the_gradients_scale(scale):
    plain, scaled = noise(3, 24, 33), np.float32(scale) * noise(3, 24, 33)
    normalise_laplacian(plain, 3)
    normalise_laplacian(scaled, 3)
    np.testing.assert_allclose(plain, scaled, atol=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 3))
def test_normalise_laplacian_of_a_window_is_a_window_of_the_wholes(top, left, levels):
    whole, reach = noise(3, 120, 130), 4 * (2**levels - 1)
    window = whole[:, top : top + 80, left : left + 90].copy()
    deviations = np.linspace(1, 2, levels + 1).tolist()
    normalise_laplacian(whole, levels, deviations)
    normalise_laplacian(window, levels, deviations)
    inner = window[:, reach:-reach, reach:-reach]
    there = whole[:, top + reach : top + 80 - reach, left + reach : left + 90 - reach]
    np.testing.assert_allclose(inner, there, atol=2e-6)


def test_normalise_laplacian_leaves_silence_silent():
    gradient = np.zeros((3, 20, 30), np.float32)
    normalise_laplacian(gradient, 3)
    assert not gradient.any()


def test_normalise_laplacian_does_not_amplify_rounding():
    gradient = np.full((3, 64, 64), 0.1, np.float32)  # nothing but the last band, and rounding
    normalise_laplacian(gradient, 3)
    np.testing.assert_allclose(gradient, 1, rtol=1e-4)


def test_normalise_laplacian_with_no_levels_keeps_the_bits():
    gradient = noise(3, 20, 30)
    assert normalise_laplacian(gradient, 0) == []
    assert np.array_equal(gradient, noise(3, 20, 30))


def test_normalise_laplacian_needs_twice_the_gradient():
    gradient = noise(3, 600, 800)
    allowed = 2 * gradient.nbytes + gradient[0].nbytes + 8 * inplace.BLOCK * 4
    assert traced_peak(lambda: normalise_laplacian(gradient, 4)) < allowed


@pytest.mark.parametrize("shape", [lambda g: smooth_gaussian(g, (0.7, 3.0)),
                                   lambda g: normalise_laplacian(g, 3),
                                   lambda g: normalise_laplacian(g, 1, (1.0, 0.5))])  # fmt: skip
def test_tensors_are_shaped_as_arrays_are(shape):
    torch = pytest.importorskip("torch")
    array, tensor = noise(3, 50, 60), torch.from_numpy(noise(3, 50, 60))
    shape(array)
    shape(tensor)
    np.testing.assert_allclose(tensor.numpy(), array, atol=1e-5)
