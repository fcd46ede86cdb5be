"""Canvases: windows that go on beyond the borders, and pixels that lose nothing by rounding."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.imaging.window import WRAPS, Window
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.quantize import Encoding, thresholds

wraps = st.sampled_from(sorted(WRAPS))
sides = st.integers(1, 9)
starts = st.integers(-30, 30)
lengths = st.integers(1, 30)

#: Beyond all that `starts` and `lengths` reach.
FAR = 70

RULES = {
    "bgr": Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(1)),
    "rgb, scaled": Preprocessing((0, 1, 2), np.float32([127.3, 99.9, 130.1]), np.float32(1 / 58.8)),
}
rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def noise(height, width, dtype="uint8", seed=0):
    return (np.random.RandomState(seed).rand(height, width, 3) * 250).astype(dtype)


@contextlib.contextmanager
def canvas_of(pixels, wrap, in_file):
    """A canvas with these pixels, in RAM or in a file of its own."""
    if not in_file:
        yield Canvas.of(pixels.copy(), wrap)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "canvas"
        path.write_bytes(pixels.tobytes())
        canvas = Canvas(*pixels.shape[:2], pixels.dtype, wrap, path)
        yield canvas
        canvas.close()


def seen(start, length, size, closed):
    """Which pixels of an axis numpy's padding finds at the places from `start` on."""
    padded = np.pad(np.arange(size), FAR, mode="wrap" if closed else "symmetric")
    return padded[FAR + start : FAR + start + length]


def expected_window(pixels, window, wrap):
    rows = seen(window.top, window.height, pixels.shape[0], WRAPS[wrap][0])
    columns = seen(window.left, window.width, pixels.shape[1], WRAPS[wrap][1])
    return pixels.take(rows, axis=0).take(columns, axis=1)


# -- windows --------------------------------------------------------------------------------------


@given(sides, sides, starts, starts, lengths, lengths, wraps, st.booleans())
def test_any_window_reads_as_numpy_pads(height, width, top, left, rows, columns, wrap, in_file):
    pixels, window = noise(height, width), Window(top, left, rows, columns)
    with canvas_of(pixels, wrap, in_file) as canvas:
        assert np.array_equal(canvas.read(window), expected_window(pixels, window, wrap))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_window_is_read_into_the_array_that_is_given(dtype, in_file):
    pixels, window = noise(7, 5, dtype), Window(-3, 2, 12, 8)
    out = np.empty((12, 8, 3), dtype)
    with canvas_of(pixels, "none", in_file) as canvas:
        assert canvas.read(window, out) is out
    assert np.array_equal(out, expected_window(pixels, window, "none"))


@pytest.mark.parametrize("in_file", [False, True])
def test_rows_are_whole_rows(in_file):
    pixels = noise(7, 5)
    with canvas_of(pixels, "both", in_file) as canvas:
        assert np.array_equal(canvas.rows(2, 6), pixels[2:6])


@given(sides, sides, starts, starts, st.data(), st.booleans())
def test_writing_across_closed_borders_goes_on_at_the_other_side(
    height, width, top, left, data, in_file
):
    rows = data.draw(st.integers(1, height))
    columns = data.draw(st.integers(1, width))
    before, tile = noise(height, width), noise(rows, columns, seed=1)
    expected = before.copy()
    expected[
        np.ix_(np.arange(top, top + rows) % height, np.arange(left, left + columns) % width)
    ] = tile
    with canvas_of(before, "both", in_file) as canvas:
        canvas.write(Window(top, left, rows, columns), tile)
        assert np.array_equal(canvas.array(), expected)


@given(sides, sides, starts, lengths, st.sampled_from(["none", "horizontal"]), st.booleans())
def test_writing_beyond_an_open_border_is_refused_and_changes_nothing(
    height, width, top, rows, wrap, in_file
):
    inside = top >= 0 and top + rows <= height
    before = noise(height, width)
    with canvas_of(before, wrap, in_file) as canvas:
        if inside:
            canvas.write(Window(top, 0, rows, width), before[top : top + rows])
        else:
            with pytest.raises(ValueError, match="beyond a border"):
                canvas.write(Window(top, 0, rows, width), np.zeros((rows, width, 3), np.uint8))
        assert np.array_equal(canvas.array(), before)


def test_writing_beyond_the_left_border_is_refused_unless_columns_are_closed():
    tile = np.zeros((4, 3, 3), np.uint8)
    with pytest.raises(ValueError, match="beyond a border"):
        Canvas(4, 4, "uint8", "none").write(Window(0, -1, 4, 3), tile)
    Canvas(4, 4, "uint8", "horizontal").write(Window(0, -1, 4, 3), tile)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_file_holds_the_pixels_row_by_row(tmp_path, dtype):
    pixels = noise(6, 4, dtype)
    canvas = Canvas(6, 4, dtype, path=tmp_path / "canvas")
    canvas.write(Window(0, 0, 6, 4), pixels)
    canvas.close()
    assert (tmp_path / "canvas").read_bytes() == pixels.tobytes()


def test_a_new_file_is_black(tmp_path):
    canvas = Canvas(6, 4, "uint16", path=tmp_path / "canvas")
    assert np.array_equal(canvas.rows(0, 6), np.zeros((6, 4, 3), np.uint16))


@pytest.mark.parametrize("surplus", [-1, 1])
def test_a_file_of_another_size_is_refused(tmp_path, surplus):
    (tmp_path / "canvas").write_bytes(bytes(6 * 4 * 3 + surplus))
    with pytest.raises(DreamError, match=f"has {72 + surplus} bytes.* needs 72"):
        Canvas(6, 4, "uint8", path=tmp_path / "canvas")


def test_a_file_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DreamError, match="nowhere/canvas cannot be opened"):
        Canvas(6, 4, "uint8", path=tmp_path / "nowhere" / "canvas")


def test_a_file_cut_short_is_an_error_that_names_it(tmp_path):
    canvas = Canvas(6, 4, "uint8", path=tmp_path / "canvas")
    (tmp_path / "canvas").write_bytes(bytes(40))
    with pytest.raises(DreamError, match="canvas has been cut short"):
        canvas.rows(0, 6)


# -- rounding -------------------------------------------------------------------------------------


@rules
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_grey_level_survives_decoding_and_encoding(rule, dtype):
    encoding, levels = Encoding(rule, dtype), np.iinfo(dtype).max + 1
    count = 64 if dtype == "uint16" else 1024
    window = Window(0, 0, levels, count)  # a row for each level, among thresholds of all kinds
    pixels = np.empty((levels, count, 3), dtype)
    pixels[:] = np.arange(levels, dtype=dtype)[:, None, None]
    inside = encoding.decode(pixels, np.empty((3, levels, count), np.float32))
    for turn in (0, 1, 1000):
        assert np.array_equal(encoding.encode(inside, window, turn), pixels)


@rules
@given(data=st.data())
@settings(deadline=None)
def test_float32_keeps_every_bit(rule, data):
    values = np.float32(np.random.RandomState(data.draw(st.integers(0, 99))).randn(3, 6, 5) * 200)
    encoding = Encoding(rule, "float32")
    turn = data.draw(st.integers(-1, 10**6))
    pixels = encoding.encode(values, Window(3, 4, 6, 5), turn)
    assert np.array_equal(encoding.decode(pixels, np.empty((3, 6, 5), np.float32)), values)


def test_channels_lie_on_the_canvas_as_red_green_blue():
    encoding = Encoding(RULES["bgr"], "uint8")
    inside = encoding.decode(np.uint8([[[10, 20, 30]]]), np.empty((3, 1, 1), np.float32))
    assert inside.reshape(3).tolist() == [30 - 104, 20 - 116, 10 - 122]


def values_of(level, rule, height, width):
    """A picture of one grey level, in the network's values."""
    image = np.empty((3, height, width), np.float32)
    image[:] = ((level - rule.mean) * rule.scale)[:, None, None]
    return image


#: Largest error that rounding leaves in the mean of 32 x 32 places over 16 turns, in grey levels.
#: Independent random thresholds would leave 0.004 with 8 bits, as their standard deviation.
BIAS = {"uint8": 0.0015, "uint16": 0.0001}


@rules
@pytest.mark.parametrize("dtype", BIAS)
@given(level=st.floats(1, 254), first=st.integers(0, 10**6), corner=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_rounding_is_unbiased(rule, dtype, level, first, corner):
    encoding, window = Encoding(rule, dtype), Window(corner, 3 * corner, 32, 32)
    image = values_of(level, rule, 32, 32)
    turns = [encoding.encode(image, window, first + turn).mean((0, 1)) for turn in range(16)]
    means = np.mean(turns, axis=0) / (np.iinfo(dtype).max / 255)
    assert np.abs(means - level).max() <= BIAS[dtype]


@rules
@pytest.mark.parametrize("change", [0.05, -0.05, 0.31])
def test_small_constant_steps_add_up(rule, change):
    encoding, window, turns = Encoding(rule, "uint8"), Window(0, 0, 24, 24), 200
    pixels = np.full((24, 24, 3), 128, np.uint8)
    for turn in range(turns):
        image = encoding.decode(pixels, np.empty((3, 24, 24), np.float32))
        image += change * rule.scale
        pixels = encoding.encode(image, window, turn)
    added = pixels.astype(float) - 128
    assert np.abs(added - turns * change).max() <= 2
    assert added.mean() == pytest.approx(turns * change, abs=0.05)


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-1, 10**6), st.data())
def test_rounding_of_a_part_is_that_part_of_the_rounded_whole(top, left, turn, data):
    encoding = Encoding(RULES["bgr"], "uint8")
    image = np.float32(np.random.RandomState(0).rand(3, 12, 10) * 255 - 120)
    whole = encoding.encode(image, Window(top, left, 12, 10), turn)
    rows = slice(*sorted(data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))))
    columns = slice(*sorted(data.draw(st.tuples(st.integers(0, 10), st.integers(0, 10)))))
    part = image[:, rows, columns]
    window = Window(top + rows.start, left + columns.start, *part.shape[1:])
    assert np.array_equal(encoding.encode(part, window, turn), whole[rows, columns])


def test_rounding_differs_from_turn_to_turn():
    encoding = Encoding(RULES["bgr"], "uint8")
    image = values_of(100.5, RULES["bgr"], 8, 8)
    first, second = (encoding.encode(image, Window(0, 0, 8, 8), turn) for turn in (0, 1))
    assert not np.array_equal(first, second)


@rules
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_beyond_the_range_become_its_ends(rule, dtype):
    encoding, window = Encoding(rule, dtype), Window(0, 0, 16, 16)
    for level, end in [(-40, 0), (300, np.iinfo(dtype).max)]:
        assert (encoding.encode(values_of(level, rule, 16, 16), window, 5) == end).all()


def test_encoding_leaves_the_image_as_it_is():
    image = values_of(99.7, RULES["bgr"], 4, 4)
    before = image.copy()
    Encoding(RULES["bgr"], "uint8").encode(image, Window(0, 0, 4, 4), 0)
    assert np.array_equal(image, before)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2), st.integers(-1, 10**6))
def test_thresholds_never_turn_a_whole_number_into_another(top, left, channel, turn):
    values = thresholds(Window(top, left, 8, 8), channel, turn, bits=12)
    assert values.min() > 0
    assert values.max() < 1
