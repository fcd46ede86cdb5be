"""The separable Gaussian: scipy's numbers, in place, on arrays and tensors."""

import numpy as np
import pytest
from scipy import ndimage

from dreamlib.imaging.filters import gaussian_blur, gaussian_taps
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
