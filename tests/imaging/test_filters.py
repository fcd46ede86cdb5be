"""The separable Gaussian: scipy's numbers, in place, on arrays and tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from scipy import ndimage

from dreamlib.imaging.filters import (
    double,
    emphasise,
    gaussian_blur,
    gaussian_taps,
    halve,
    low_pass,
)
from dreamlib.imaging.inplace import BLOCK
from tests.memory import traced_peak


def noise(*shape):
    return np.random.RandomState(0).randn(*shape).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.4, 2.3, 9.0])
def test_gaussian_blur_is_scipys_in_place(sigma):
    image = noise(3, 50, 70)
    expected = ndimage.gaussian_filter(np.float64(image), (0, sigma, sigma), mode="reflect")
    gaussian_blur(image, sigma)
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_gaussian_blur_takes_a_part_of_a_picture():
    image = noise(3, 60, 80)
    part = image[:, 10:50, 20:70].copy()
    gaussian_blur(part, 2.0)
    gaussian_blur(image[:, 10:50, 20:70], 2.0)
    assert np.array_equal(image[:, 10:50, 20:70], part)


def test_gaussian_blur_of_zero_keeps_the_bits():
    image = noise(3, 20, 30)
    gaussian_blur(image, 0)
    assert np.array_equal(image, noise(3, 20, 30))


def test_gaussian_blur_needs_a_plane():
    image = noise(3, 600, 800)
    assert traced_peak(lambda: gaussian_blur(image, 2.0)) < image[0].nbytes + 8 * BLOCK * 4


def test_gaussian_blur_of_a_tensor_is_that_of_an_array():
    torch = pytest.importorskip("torch")
    array, tensor = noise(3, 50, 60), torch.from_numpy(noise(3, 50, 60))
    gaussian_blur(array, 3.0)
    gaussian_blur(tensor, 3.0)
    np.testing.assert_allclose(tensor.numpy(), array, atol=1e-5)


def test_a_gaussians_taps_add_up_to_one():
    taps = gaussian_taps(2.3)
    assert taps[0] + 2 * sum(taps[1:]) == pytest.approx(1)


@pytest.mark.parametrize("sigma", [0.5, 4.0, 10.0, 30.0])
def test_a_wide_blur_on_a_smaller_copy_is_the_gaussian(sigma):
    image = ndimage.gaussian_filter(noise(2, 240, 320), (0, 3, 3))
    image /= image.std()
    expected = ndimage.gaussian_filter(np.float64(image), (0, sigma, sigma), mode="reflect")
    low_pass(image, sigma)
    assert np.abs(image - expected).max() < 0.05
    assert (image - expected).std() < 0.01


@given(some.integers(1, 70), some.integers(1, 70), some.floats(0, 60))
def test_a_blur_of_any_width_keeps_what_is_even(height, width, sigma):
    image = np.full((1, height, width), 3, np.float32)
    low_pass(image, sigma)
    np.testing.assert_allclose(image, 3, rtol=1e-5)


@given(some.integers(1, 40), some.integers(1, 40))
def test_a_plane_of_any_size_is_halved_and_doubled_again(height, width):
    small = halve(np.full((height, width), 2, np.float32))
    assert small.shape == (-(-height // 2), -(-width // 2))
    back = np.zeros((height, width), np.float32)
    double(small, back)
    np.testing.assert_allclose(back, 2, rtol=1e-6)


def test_tensors_are_emphasised_as_arrays_are():
    image = noise(3, 50, 77)
    tensor = torch.tensor(image)
    emphasise(image, 1.0)
    emphasise(tensor, 1.0)
    np.testing.assert_allclose(image, tensor.numpy(), rtol=1e-4, atol=1e-3)


def test_emphasis_adds_the_picture_at_each_of_its_sizes():
    image = noise(1, 40, 48)
    expected, small, sizes = image[0].copy(), image[0], []
    for level in range(1, round(np.log2(40))):
        sizes.append(small)
        small = halve(small)
        back = small
        for larger in sizes[::-1]:
            wide = np.zeros_like(larger)
            double(back, wide)
            back = wide
        expected += 2**level * back
    emphasise(image, 1.0)
    np.testing.assert_allclose(image[0], expected, rtol=1e-4, atol=1e-3)
