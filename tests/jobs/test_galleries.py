"""Sheets of classes, sheets with looks, and a sheet of a large picture's details."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.imaging.grid import draw_grid
from dreamlib.imaging.picture import Picture
from dreamlib.jobs.class_sheet import wanted_classes
from dreamlib.jobs.detail_sheet import SIZE, cut_windows, detailed_windows
from dreamlib.jobs.sheet_items import numbers
from dreamlib.models.zoo import find_model
from tests.command import ctrl_c_at, pixels, run
from tests.nets import picture, write_random_net


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The small model with a class layer and names."""
    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder)
    (folder / "model.toml").write_text('class_layer = "classifier"\nend = "mixed/output"\n')
    names = [f"n0000000{number} thing {number}, Res numerata" for number in range(10)]
    (folder / "labels.txt").write_text("\n".join(names))
    return str(folder)


@pytest.fixture
def drawn(monkeypatch):
    """The cells that a sheet is drawn from, and its heading."""
    kept = []

    def draw(cells, size, heading="", **more):
        kept.extend([cells, heading])
        return draw_grid(cells, size, heading, **more)

    for module in ("contact_sheet", "detail_sheet"):
        monkeypatch.setattr(f"dreamlib.jobs.{module}.draw_grid", draw)
    return kept


def sheet(model, *arguments):
    return run(*arguments, "--engine", "torch", "--model", model, "--quiet", "--seed", 3)


def test_classes_are_drawn_by_script_each_under_its_name(workplace, model, drawn):
    assert sheet(model, "noise:72x70", "sheet.png", "--contact-sheet", "classes:thing 4, 7-8") == 0
    (undreamt, *cells), heading = drawn
    assert undreamt.title == "undreamt"
    assert [(cell.title, cell.note) for cell in cells] == [
        ("thing 4", "class 4"), ("thing 7", "class 7"), ("thing 8", "class 8"),
    ]  # fmt: skip
    assert heading.startswith("classes 4, 7-8 of ")
    flags = ["--engine", "torch", "--model", model, "--seed", 3, "--target", 7]
    assert run("noise:72x70", "alone.png", *flags) == 0
    assert load_config("alone.png")["script"] == "direct"
    assert np.array_equal(cells[1].pixels, pixels("alone.png"))
    assert load_config("sheet.png")["seed"] == 3


def test_channels_of_the_class_layer_are_classes(workplace, model, drawn):
    assert sheet(model, "noise:70x70", "--contact-sheet", "classifier[2,5]") == 0
    assert [cell.title for cell in drawn[0][1:]] == ["thing 2", "thing 5"]


def test_ctrl_c_keeps_the_classes_that_are_drawn(workplace, model, drawn):
    with ctrl_c_at(70):  # 64 steps are a class
        assert sheet(model, "noise:70x70", "--contact-sheet", "classes:1, 2, 3") == 130
    assert [cell.title for cell in drawn[0]] == ["undreamt", "thing 1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("classes:thing 44", "there is no class 'thing 44'"),
        ("classes:0-999999", "at most 300 cells"),
        ("classes:4:-1", "a class of a sheet has no weight"),
        ("classes:", "name no class"),
        ("classifier[99]", "there is no class 99"),
    ],
)
def test_what_is_no_class_is_refused(model, text, says):
    with pytest.raises(DreamError, match=says):
        wanted_classes(text, find_model(model), 1)


def test_layers_are_no_classes(model):
    for text in ("", "conv1", "conv1[2]", "mixed*"):
        assert wanted_classes(text, find_model(model), 1) is None


def test_the_laplacian_and_smoothing_shape_the_cells(workplace, model, drawn):
    quick = ["--iterations", 3, "--octaves", 1, "--contact-sheet", "conv1", "--jitter", 0]
    cells = {}
    for name, more in {
        "plain": [],
        "laplacian": ["--laplacian", 3],
        "smooth": ["--smooth", 4],
    }.items():
        drawn.clear()
        assert sheet(model, "sky.png", f"{name}.png", *quick, *more) == 0
        cells[name] = drawn[0][1].pixels.astype(int)
    flags = ["--engine", "torch", "--model", model, "--layers", "conv1[0]", "--seed", 3]
    flags += ["--iterations", 3, "--octaves", 1, "--jitter", 0, "--step-size", 2]
    for name, more in {"laplacian": ["--laplacian", 3], "smooth": ["--smooth", 4]}.items():
        assert run("sky.png", f"{name}_alone.png", *flags, *more, "--schedule", "whole") == 0
        assert np.array_equal(cells[name], pixels(f"{name}_alone.png"))
        assert not np.array_equal(cells[name], cells["plain"])


def test_a_heading_names_the_channels_that_there_are(workplace, model, drawn):
    quick = ["--iterations", 1, "--octaves", 1]
    assert sheet(model, "sky.png", *quick, "--contact-sheet", "conv1[0-2,7]") == 0
    assert "channels 0-2, 7:" in drawn[1]
    assert numbers([5, 6, 7, 1, 3, 4]) == "5-7, 1, 3-4"


# -- details --------------------------------------------------------------------------------------


def test_six_windows_are_shown_at_their_true_scale(workplace, drawn):
    wide = picture(700, 1300)
    Image.fromarray(wide).save("large.png")
    assert run("large.png", "--detail-sheet") == 0
    (whole, *windows), heading = drawn
    assert heading == "large.png"
    assert whole.note == "1300 x 700 pixels"
    assert whole.pixels.shape == (*SIZE, 3)
    assert len(windows) == 6
    for cell in windows:
        left, top, width, height = map(int, cell.title.split(","))
        assert np.array_equal(cell.pixels, wide[top : top + height, left : left + width])
        assert cell.pixels.shape == (*SIZE, 3)
    assert Path("large_details.png").exists()


def test_windows_are_where_there_is_most_to_see():
    copy = np.full((500, 1000, 3), 128, np.uint8)
    places = [(60, 100), (30, 480), (90, 800), (400, 20), (300, 600), (420, 900)]
    for top, left in places:
        copy[top : top + 30, left : left + 30] = np.random.RandomState(0).randint(
            0, 256, (30, 30, 3)
        )
    for (top, left), window in zip(places, detailed_windows(copy, (5000, 10000))):
        assert window.top <= 10 * top
        assert window.top + window.height >= min(10 * top + 290, 5000)
        assert window.left <= 10 * left + 1
        assert window.left + window.width >= 10 * left + 290


def test_windows_of_sixteen_bits_are_cut_by_strips():
    deep = Picture(np.uint16(picture(700, 1300)) * 257)
    windows = detailed_windows(picture(700, 1300), (700, 1300))
    for window, shown in zip(windows, cut_windows(deep, windows)):
        part = deep.pixels[window.top : window.top + 300, window.left : window.left + 400]
        assert np.array_equal(shown, part // 257)


def test_a_detail_sheet_refuses_what_it_cannot_show(workplace, capsys):
    assert run("sky.png", "--detail-sheet") == 2
    assert (
        "six windows of 400 x 300 at true scale take 1200 x 600 or more" in capsys.readouterr().err
    )
    assert run("sky.png", "--detail-sheet", "--octaves", 3) == 2
    assert "--octaves means nothing to a sheet of details" in capsys.readouterr().err
