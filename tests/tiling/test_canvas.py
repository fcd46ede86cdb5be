"""Canvases: windows that go on beyond the borders, in RAM and in files."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import WRAPS, Window
from dreamlib.tiling.canvas import Canvas

wraps = st.sampled_from(sorted(WRAPS))
sides = st.integers(1, 9)
starts = st.integers(-30, 30)
lengths = st.integers(1, 30)

#: Beyond all that `starts` and `lengths` reach.
FAR = 70


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
