"""Checksums of canvases: kept up to date, and whatever changes is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.imaging.picture import Window
from dreamlib.tiling import checksums
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.checksums import Checksums

HEIGHT, WIDTH = 37, 53


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK", 8)
        yield


@pytest.fixture(scope="module")
def canvas(tmp_path_factory):
    """A closed canvas of noise in a file."""
    path = tmp_path_factory.mktemp("canvas") / "canvas"
    made = Canvas(HEIGHT, WIDTH, np.uint8, "both", path)
    noise = np.random.RandomState(0).randint(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    made.write(Window(0, 0, HEIGHT, WIDTH), noise)
    yield made
    made.close()


windows = st.builds(
    Window, st.integers(-HEIGHT, HEIGHT), st.integers(-WIDTH, WIDTH),
    st.integers(1, HEIGHT), st.integers(1, WIDTH),
)  # fmt: skip


@given(st.lists(windows, min_size=1, max_size=3))
def test_checksums_of_what_has_changed_are_those_of_the_whole(canvas, changed):
    kept = Checksums(HEIGHT, WIDTH, np.uint8)
    kept.to_dict(canvas.path)
    for window in changed:
        canvas.write(window, 255 - canvas.read(window))
    kept.change(changed)
    anew = Checksums(HEIGHT, WIDTH, np.uint8)
    assert kept.to_dict(canvas.path) == anew.to_dict(canvas.path)
    assert kept.fault(canvas.path) is None


@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), windows)
def test_a_pixel_that_was_altered_is_found_unless_it_is_excepted(canvas, row, column, excepted):
    known = Checksums(HEIGHT, WIDTH, np.uint8)
    values = known.to_dict(canvas.path)
    place = Window(row, column, 1, 1)
    canvas.write(place, canvas.read(place) ^ 1)
    again = Checksums.from_dict(values)
    assert f"rows {row // 8 * 8} to" in again.fault(canvas.path)
    assert again.fault(canvas.path, [place], again.beside(canvas.path, [place])) is None
    canvas.write(place, canvas.read(place) ^ 1)
    beside = again.beside(canvas.path, [excepted])
    canvas.write(place, canvas.read(place) ^ 1)
    rows = np.arange(excepted.top, excepted.top + excepted.height) % HEIGHT
    columns = np.arange(excepted.left, excepted.left + excepted.width) % WIDTH
    inside = row in rows and column in columns
    assert (again.fault(canvas.path, [excepted], beside) is None) == inside


def test_a_file_that_is_cut_or_missing_is_said_to_be_so(canvas, tmp_path):
    known = Checksums(HEIGHT, WIDTH, np.uint8)
    known.to_dict(canvas.path)
    assert known.fault(tmp_path / "nowhere") == "is missing"
    (tmp_path / "cut").write_bytes(b"123")
    assert "has 3 bytes" in known.fault(tmp_path / "cut")
