"""Pictures in a grid, their names under them."""

import numpy as np
import pytest
from PIL import ImageFont

from dreamlib.imaging.grid import (
    BACKGROUND,
    BRIGHT,
    MARGIN,
    PLATE,
    TITLE,
    Cell,
    _lines,
    _mask,
    draw_grid,
)


@pytest.fixture(params=["scalable font", "font of dots"])
def font(request, monkeypatch):
    """The two fonts that Pillow's versions have."""
    if request.param == "font of dots":
        real = ImageFont.load_default_imagefont if hasattr(
            ImageFont, "load_default_imagefont") else ImageFont.load_default  # fmt: skip
        monkeypatch.setattr(ImageFont, "load_default", lambda: real())


def test_names_are_written_under_their_pictures_in_any_pillow(font):
    size = (100, 240)
    blank = [Cell("", "", np.zeros((*size, 3), np.uint8))] * 3
    named = [cell._replace(title="block/expand", note="Clip") for cell in blank]
    sheet, bare = draw_grid(named, size), draw_grid(blank, size)
    letters = (sheet[: len(bare)] != bare).any(axis=(1, 2))
    assert not letters[: MARGIN + size[0]].any()
    assert 10 <= letters.sum() <= 30


def test_a_name_too_long_for_its_cell_does_not_reach_the_next(font):
    size = (20, 240)
    cells = [Cell(title, "", np.zeros((*size, 3), np.uint8)) for title in ("x" * 300, "")]
    sheet = draw_grid(cells, size)
    beyond = MARGIN + size[1]
    under = sheet[MARGIN + size[0] :]
    assert (under[:, :beyond] != BACKGROUND).any()
    assert (under[:, beyond:] == BACKGROUND).all()


def test_a_fault_is_written_into_its_cell(font):
    sheet = draw_grid([Cell("pool", "", None, "not reached: much too small")], (120, 240))
    assert (sheet == BRIGHT).all(axis=2).any()
    assert (sheet == PLATE).all(axis=2).sum() > 120 * 240 / 2


@pytest.mark.parametrize("size", [(144, 256), (256, 144), (5, 3)])
def test_a_sheet_is_no_wider_than_a_screen(size):
    cells = [Cell("name", "note", np.zeros((*size, 3), np.uint8))] * 40
    height, width, _ = draw_grid(cells, size, "heading").shape
    assert 1700 < width <= 2000
    assert height > 40 * 256 / 9 * size[0] / 256


def written(sheet, top):
    """Whether there are letters on each row of a sheet from `top` on."""
    return ((sheet[top:] > 100) & (sheet[top:] != BACKGROUND)).any(axis=(1, 2))


def blocks(rows):
    """Count the lines of letters among rows."""
    return int((np.diff(rows.astype(int), prepend=0) == 1).sum())


@pytest.mark.parametrize("title", ["stage2/unit7/branch2b/bn/output", "a very long class's name"])
def test_a_long_name_is_broken_into_lines_and_never_cut(title):
    lines = _lines(title, TITLE, 120)
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == title.replace(" ", "")
    assert all(_mask(line, TITLE).width <= 120 for line in lines)


def test_cells_with_long_names_make_room_for_them():
    size = (60, 200)
    short = Cell("conv1", "", np.zeros((*size, 3), np.uint8))
    long = short._replace(
        title="inception/branch/with/a/very/long/name", note="Convolution, 128 channels"
    )
    assert blocks(written(draw_grid([short], size), MARGIN + size[0])) == 1
    sheet = draw_grid([short, long], size)
    assert blocks(written(sheet, MARGIN + size[0])) >= 3
    heading = draw_grid([short], size, "channels 0-31, 47 of a layer with a long name: 10 steps")
    assert len(heading) > len(draw_grid([short], size, "short")) + 20
