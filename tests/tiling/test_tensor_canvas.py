"""Canvases in a device's memory: the pixels, and the dreams, of canvases in RAM."""

import weakref
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.ascent.regularizers import GradientRules
from dreamlib.imaging.picture import WRAPS, Window
from dreamlib.tiling.canvas import BACK_BUFFER, FINISHED, SOURCE, Canvas, InMemory
from dreamlib.tiling.canvas_memory import split_bytes
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.stepper import Stepper
from dreamlib.tiling.tensor_canvas import TensorCanvas
from dreamlib.tiling.transfer import CARRIERS
from tests import dreams
from tests.nets import picture

END = "mixed/output"
DTYPES = ("uint8", "uint16", "float32")
ON_DEVICE = partial(TensorCanvas, device="cpu")

wraps, dtypes = st.sampled_from(sorted(WRAPS)), st.sampled_from(DTYPES)
sides, starts, lengths = st.integers(1, 9), st.integers(-30, 30), st.integers(1, 30)
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])


def noise(height, width, dtype="uint8", seed=0):
    """Pixels that make use of all bits of their dtype."""
    random = np.random.RandomState(seed)
    if dtype == "float32":
        return random.randn(height, width, 3).astype(dtype)
    return random.randint(0, np.iinfo(dtype).max + 1, (height, width, 3)).astype(dtype)


def both(pixels, wrap, device="cpu"):
    """The same picture on a canvas in RAM and on one on the device."""
    there = TensorCanvas(*pixels.shape[:2], pixels.dtype, wrap, device=device)
    there.write(Window(0, 0, *pixels.shape[:2]), pixels)
    return Canvas.of(pixels.copy(), wrap), there


def as_tensor(pixels, device="cpu"):
    """Pixels as they are carried."""
    return torch.from_numpy(pixels.view(CARRIERS[pixels.dtype.name])).to(device)


def as_array(tensor, dtype):
    """Pixels that were carried."""
    return tensor.cpu().numpy().view(dtype)


# -- pixels ---------------------------------------------------------------------------------------


@devices
@given(sides, sides, starts, starts, lengths, lengths, wraps, dtypes)
def test_any_window_reads_as_that_of_a_canvas_in_ram(
    device, height, width, top, left, rows, columns, wrap, dtype
):
    here, there = both(noise(height, width, dtype), wrap, device)
    window = Window(top, left, rows, columns)
    expected = here.read(window)
    found = there.read(window)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    out = torch.empty(rows, columns, 3, dtype=as_tensor(expected).dtype, device=device)
    assert there.read(window, out) is out
    assert np.array_equal(as_array(out, dtype), expected)


@devices
@given(sides, sides, starts, starts, st.data(), wraps, dtypes, st.booleans())
def test_any_window_is_written_as_that_of_a_canvas_in_ram(
    device, height, width, top, left, data, wrap, dtype, carried
):
    rows, columns = (data.draw(st.integers(1, side)) for side in (height, width))
    if not WRAPS[wrap][0]:
        top %= height - rows + 1
    if not WRAPS[wrap][1]:
        left %= width - columns + 1
    here, there = both(noise(height, width, dtype), wrap, device)
    window, pixels = Window(top, left, rows, columns), noise(rows, columns, dtype, seed=1)
    here.write(window, pixels)
    there.write(window, as_tensor(pixels, device) if carried else pixels)
    assert np.array_equal(there.array(), here.array())


@devices
@given(sides, sides, starts, starts, st.data(), dtypes)
def test_a_window_is_copied_from_another_canvas(device, height, width, top, left, data, dtype):
    rows, columns = (data.draw(st.integers(1, side)) for side in (height, width))
    window = Window(top, left, rows, columns)
    results = []
    for canvas, source in zip(
        both(noise(height, width, dtype), "both", device),
        both(noise(height, width, dtype, seed=1), "both", device),
    ):
        canvas.copy(window, source)
        results.append(canvas.array())
    assert np.array_equal(*results)


def test_writing_beyond_an_open_border_is_refused_and_changes_nothing():
    _, there = both(noise(4, 4), "horizontal")
    before = there.array()
    with pytest.raises(ValueError, match="beyond a border"):
        there.write(Window(-1, 0, 2, 4), noise(2, 4))
    assert np.array_equal(there.array(), before)


@pytest.mark.parametrize("pixels", [
    noise(12, 10)[::-2, 2:8], np.broadcast_to(np.uint8([1, 2, 3]), (6, 6, 3)),
], ids=["backwards", "read-only"])  # fmt: skip
def test_arrays_of_any_strides_are_written(pixels):
    canvas = TensorCanvas(6, 6, "uint8", device="cpu")
    canvas.write(Window(0, 0, 6, 6), pixels)
    assert np.array_equal(canvas.array(), pixels)


def test_rows_are_whole_rows_and_the_array_is_a_copy():
    pixels = noise(7, 5, "uint16")
    _, there = both(pixels, "both")
    assert np.array_equal(there.rows(2, 6), pixels[2:6])
    there.array()[:] = 0
    assert np.array_equal(there.array(), pixels)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_new_one_is_black_and_knows_its_bytes(dtype):
    canvas = TensorCanvas(6, 4, dtype, device="cpu")
    assert not canvas.array().any()
    assert canvas.nbytes == canvas.array().nbytes
    assert str(canvas) == f"4 x 6 pixels of {dtype}"


def test_a_store_makes_on_the_device_what_is_dreamt_and_nothing_else():
    store = InMemory("uint8", "none", ON_DEVICE)
    names = ("octave-0", "base-0", SOURCE, FINISHED)
    there = [name for name in names if store.new_canvas(name, (4, 5)).device is not None]
    assert there == ["octave-0", "base-0"]
    assert store.back_buffer(Place(0, 0, 0), (4, 5), 2).device is not None
    assert store.canvas(BACK_BUFFER, (4, 5)).shape == (4, 5, 3)


# -- dreams ---------------------------------------------------------------------------------------


def dreamt(net, make, schedule, storage="uint8", wrap="none", **values):
    """Dream by our engine on canvases that are made so; return the pixels."""
    how = dreams.options(
        schedule, storage=storage, wrap=wrap, end=END, tile_size=48, overlap=16, jitter=8, **values
    )
    image = picture(70, 90).astype("uint16" if storage == "uint16" else "uint8")
    image *= 257 if storage == "uint16" else 1
    stepper = Stepper(net, dreams.dream_of(how, image.shape[:2]))
    return dreams.in_memory(how, image, make, stepper=stepper), image


@pytest.mark.parametrize("wrap", sorted(WRAPS))
@pytest.mark.parametrize("storage", DTYPES)
@pytest.mark.parametrize("schedule", dreams.SCHEDULES)
def test_a_dream_has_the_bits_of_one_in_ram(net, schedule, storage, wrap):
    expected, image = dreamt(net, Canvas, schedule, storage, wrap)
    found, _ = dreamt(net, ON_DEVICE, schedule, storage, wrap)
    assert found.dtype == storage
    assert np.abs(expected.astype(float) - image).mean() > 0.5
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("values", [
    {"gradient": GradientRules(anchor=1.0)}, {"gradient": GradientRules(adam=True)},
    {"gradient": GradientRules(keep_forms=0.5)}, {"blur": (0.7, 0.5), "tile_steps": 2},
    {"carry": "picture"},
], ids=str)  # fmt: skip
def test_so_has_a_dream_that_looks_at_the_undreamt_picture_or_shapes_its_steps(net, values):
    expected, _ = dreamt(net, Canvas, "shift", **values)
    assert np.array_equal(dreamt(net, ON_DEVICE, "shift", **values)[0], expected)
    assert not np.array_equal(expected, dreamt(net, Canvas, "shift")[0])


@pytest.mark.parametrize("after", [1, 5])
def test_a_dream_ended_early_is_carried_to_its_size_as_in_ram(net, after):
    expected, found = (
        dreams.in_memory(
            dreams.options("shift", octaves=3), dreams.picture(40, 50), make,
            progress=dreams.Steps(stop_after=after),
        )
        for make in (Canvas, ON_DEVICE)
    )  # fmt: skip
    assert found.shape == (40, 50, 3)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("stop_after", [None, 3, 9])
@pytest.mark.parametrize("anchor", [0.0, 1.0])
@pytest.mark.parametrize("schedule", dreams.SCHEDULES)
def test_there_are_never_more_of_them_than_was_reckoned(schedule, anchor, stop_after):
    """Nor does anything hold one that was given up: a GPU gives its memory back at once."""
    size, alive, most = (60, 75), weakref.WeakSet(), [0]

    def make(*given):
        canvas = ON_DEVICE(*given)
        alive.add(canvas)
        most[0] = max(most[0], sum(one.nbytes for one in alive))
        return canvas

    how = dreams.options(schedule, octaves=4, gradient=GradientRules(anchor=anchor))
    dreams.in_memory(how, dreams.picture(*size), make, progress=dreams.Steps(stop_after))
    sizes = [octave.size for octave in dreams.dream_of(how, size).octaves]
    reckoned = split_bytes(sizes, "uint8", 0, bool(anchor))[1]
    assert most[0] <= reckoned
    if stop_after is None and schedule != "whole":  # which needs no back buffer
        assert most[0] == reckoned
