"""Pixels and the network's values: tensors as arrays, on the CPU and on a GPU."""

import numpy as np
import pytest
import torch

from dreamlib.imaging.dither import thresholds
from dreamlib.imaging.window import Window
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.quantize import Quantizer
from dreamlib.tiling.transfer import CARRIERS

DTYPES = ("uint8", "uint16", "float32")
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])


@devices
@pytest.mark.parametrize("order", [(2, 1, 0), (0, 1, 2)])
@pytest.mark.parametrize("scale", [1.0, 0.017, 1 / 127.5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_have_the_bits_of_arrays(dtype, scale, order, device):
    rule = Preprocessing(order, np.float32([104.007, 116.669, 122.679]), np.float32(scale))
    quantizer = Quantizer(rule, dtype)
    random = np.random.RandomState(2)
    pixels = np.arange(256 * 256 * 3).reshape(256, 256, 3).astype(dtype)  # each of 65536 values
    expected = quantizer.decode(pixels, np.empty((3, 256, 256), np.float32))
    carried = torch.from_numpy(pixels.view(CARRIERS[dtype])).to(device)
    found = quantizer.decode(carried, torch.empty(3, 256, 256, device=device))
    np.testing.assert_array_equal(found.cpu().numpy(), expected)

    expected += random.normal(0, 20 * scale, expected.shape).astype(np.float32)  # beyond 0..255 too
    values = torch.from_numpy(expected).to(device)
    for rounding in (-1, 0, 77):
        window = Window(-9, 31, 256, 256)
        out = quantizer.encode(values, window, rounding, torch.empty_like(carried))
        wanted = quantizer.encode(expected, window, rounding)
        np.testing.assert_array_equal(out.cpu().numpy().view(dtype), wanted)


@devices
@pytest.mark.parametrize("bits", [5, 12])
def test_thresholds_are_the_same_everywhere_on_a_giant_canvas(bits, device):
    random = np.random.RandomState(0)
    for _ in range(50):
        top, left = (int(place) for place in random.randint(-200_000, 200_000, 2))
        window = Window(top, left, random.randint(1, 40), random.randint(1, 50))
        channel, rounding = random.randint(0, 3), random.randint(-1, 100_000)
        like = torch.empty(window[2:], device=device)
        found = thresholds(window, channel, rounding, bits, like).cpu().numpy()
        np.testing.assert_array_equal(found, thresholds(window, channel, rounding, bits))
