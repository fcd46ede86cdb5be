"""Pixels and the network's values: nothing is lost by rounding; tensors have arrays' bits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.imaging.picture import Window
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.quantize import Quantizer, thresholds
from dreamlib.tiling.transfer import CARRIERS

RULES = {
    "bgr": Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(1)),
    "rgb, scaled": Preprocessing((0, 1, 2), np.float32([127.3, 99.9, 130.1]), np.float32(1 / 58.8)),
}
rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)

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


# -- rounding -------------------------------------------------------------------------------------


@rules
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_grey_level_survives_decoding_and_encoding(rule, dtype):
    quantizer, levels = Quantizer(rule, dtype), np.iinfo(dtype).max + 1
    count = 64 if dtype == "uint16" else 1024
    window = Window(0, 0, levels, count)  # a row for each level, among thresholds of all kinds
    pixels = np.empty((levels, count, 3), dtype)
    pixels[:] = np.arange(levels, dtype=dtype)[:, None, None]
    inside = quantizer.decode(pixels, np.empty((3, levels, count), np.float32))
    for rounding in (0, 1, 1000):
        assert np.array_equal(quantizer.encode(inside, window, rounding), pixels)


@rules
@given(data=st.data())
def test_float32_keeps_every_bit(rule, data):
    values = np.float32(np.random.RandomState(data.draw(st.integers(0, 99))).randn(3, 6, 5) * 200)
    quantizer = Quantizer(rule, "float32")
    rounding = data.draw(st.integers(-1, 10**6))
    pixels = quantizer.encode(values, Window(3, 4, 6, 5), rounding)
    assert np.array_equal(quantizer.decode(pixels, np.empty((3, 6, 5), np.float32)), values)


def test_channels_lie_on_the_canvas_as_red_green_blue():
    quantizer = Quantizer(RULES["bgr"], "uint8")
    inside = quantizer.decode(np.uint8([[[10, 20, 30]]]), np.empty((3, 1, 1), np.float32))
    assert inside.reshape(3).tolist() == [30 - 104, 20 - 116, 10 - 122]


def values_of(level, rule, height, width):
    """A picture of one grey level, in the network's values."""
    image = np.empty((3, height, width), np.float32)
    image[:] = ((level - rule.mean) * rule.scale)[:, None, None]
    return image


#: Largest error that rounding leaves in the mean of 32 x 32 places over 16 roundings, in grey
#: levels. Independent random thresholds would leave 0.004 with 8 bits, as their standard deviation.
BIAS = {"uint8": 0.0015, "uint16": 0.0001}


@rules
@pytest.mark.parametrize("dtype", BIAS)
@given(level=st.floats(1, 254), first=st.integers(0, 10**6), corner=st.integers(0, 10**6))
@settings(max_examples=30)
def test_rounding_is_unbiased(rule, dtype, level, first, corner):
    quantizer, window = Quantizer(rule, dtype), Window(corner, 3 * corner, 32, 32)
    image = values_of(level, rule, 32, 32)
    roundings = [
        quantizer.encode(image, window, first + rounding).mean((0, 1)) for rounding in range(16)
    ]
    means = np.mean(roundings, axis=0) / (np.iinfo(dtype).max / 255)
    assert np.abs(means - level).max() <= BIAS[dtype]


@rules
@pytest.mark.parametrize("change", [0.05, -0.05, 0.31])
def test_small_constant_steps_add_up(rule, change):
    quantizer, window, roundings = Quantizer(rule, "uint8"), Window(0, 0, 24, 24), 200
    pixels = np.full((24, 24, 3), 128, np.uint8)
    for rounding in range(roundings):
        image = quantizer.decode(pixels, np.empty((3, 24, 24), np.float32))
        image += change * rule.scale
        pixels = quantizer.encode(image, window, rounding)
    added = pixels.astype(float) - 128
    assert np.abs(added - roundings * change).max() <= 2
    assert added.mean() == pytest.approx(roundings * change, abs=0.05)


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-1, 10**6), st.data())
def test_rounding_of_a_part_is_that_part_of_the_rounded_whole(top, left, rounding, data):
    quantizer = Quantizer(RULES["bgr"], "uint8")
    image = np.float32(np.random.RandomState(0).rand(3, 12, 10) * 255 - 120)
    whole = quantizer.encode(image, Window(top, left, 12, 10), rounding)
    rows = slice(*sorted(data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))))
    columns = slice(*sorted(data.draw(st.tuples(st.integers(0, 10), st.integers(0, 10)))))
    part = image[:, rows, columns]
    window = Window(top + rows.start, left + columns.start, *part.shape[1:])
    assert np.array_equal(quantizer.encode(part, window, rounding), whole[rows, columns])


def test_rounding_differs_from_time_to_time():
    quantizer = Quantizer(RULES["bgr"], "uint8")
    image = values_of(100.5, RULES["bgr"], 8, 8)
    first, second = (quantizer.encode(image, Window(0, 0, 8, 8), rounding) for rounding in (0, 1))
    assert not np.array_equal(first, second)


@rules
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_beyond_the_range_become_its_ends(rule, dtype):
    quantizer, window = Quantizer(rule, dtype), Window(0, 0, 16, 16)
    for level, end in [(-40, 0), (300, np.iinfo(dtype).max)]:
        assert (quantizer.encode(values_of(level, rule, 16, 16), window, 5) == end).all()


def test_encoding_leaves_the_image_as_it_is():
    image = values_of(99.7, RULES["bgr"], 4, 4)
    before = image.copy()
    Quantizer(RULES["bgr"], "uint8").encode(image, Window(0, 0, 4, 4), 0)
    assert np.array_equal(image, before)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2), st.integers(-1, 10**6))
def test_thresholds_never_turn_a_whole_number_into_another(top, left, channel, rounding):
    values = thresholds(Window(top, left, 8, 8), channel, rounding, bits=12)
    assert values.min() > 0
    assert values.max() < 1
