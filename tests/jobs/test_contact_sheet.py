"""The contact sheet: a labelled cell for every layer, or for every channel of one."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.imaging.grid import MARGIN, draw_grid
from dreamlib.jobs.contact_sheet import Item, contact_sheet
from dreamlib.jobs.sheet_items import choose_items
from dreamlib.models import engines
from dreamlib.models.zoo import find_model
from tests.command import run
from tests.nets import picture

QUICK = {"iterations": 2, "octaves": 2}


@pytest.fixture(scope="module")
def found(model):
    return find_model(model)


@pytest.fixture
def net(found):
    return engines.load_net(found, "torch")


@pytest.fixture
def drawn(monkeypatch):
    """The cells that a sheet is drawn from."""
    kept = []

    def draw(cells, *more):
        kept.extend(cells)
        return draw_grid(cells, *more)

    monkeypatch.setattr("dreamlib.jobs.contact_sheet.draw_grid", draw)
    return kept


def run_quickly(model, *arguments):
    """Run the command quickly; return its exit code."""
    return run(*arguments, "--engine", "torch", "--model", model, "--iterations", 2, "--octaves", 2)


def test_the_undreamt_picture_comes_first_and_every_item_after_it(net, drawn):
    small = picture(60, 80)
    items = [Item("conv1"), Item("mixed/output"), Item("mixed/output", 3)]
    sheet = contact_sheet(net, small, items, quiet=True, **QUICK)
    assert sheet[1:] == (3, False)
    assert [cell.title for cell in drawn] == ["undreamt", "conv1", "mixed/output", "channel 3"]
    assert drawn[1].note == "Convolution, 16 channels"
    assert np.array_equal(drawn[0].pixels, small)
    for cell in drawn[1:]:
        assert np.abs(np.int32(cell.pixels) - small).mean() > 0.5
    assert sheet.pixels.dtype == np.uint8


def test_a_cell_does_not_depend_on_its_neighbours(net, drawn):
    for items in ([Item("conv1"), Item("pool1")], [Item("pool1")]):
        contact_sheet(net, picture(60, 80), items, quiet=True, **QUICK)
    assert np.array_equal(drawn[2].pixels, drawn[4].pixels)


def test_channels_dream_different_pictures(net, drawn):
    items = [Item("conv1", channel) for channel in (0, 1)]
    contact_sheet(net, picture(60, 80), items, quiet=True, **QUICK)
    assert np.abs(np.int32(drawn[1].pixels) - drawn[2].pixels).mean() > 0.5


def test_a_layer_that_the_picture_does_not_reach_says_so(net, found, drawn):
    definition = engines.read_definition(found, "torch")
    definition.layer[0].input_param.shape[0].dim[2:] = [200, 200]
    definition.layer[3].pooling_param.kernel_size = 40  # of pool1
    items = [Item("conv1"), Item("pool1")]
    contact_sheet(net, picture(50, 60), items, definition, quiet=True, **QUICK)
    assert drawn[1].pixels is not None
    assert drawn[2].fault == "not reached: takes pictures from 77 x 77 pixels on"


def test_fewer_octaves_are_taken_where_the_smallest_does_not_reach(net, found, drawn, monkeypatch):
    definition = engines.read_definition(found, "torch")
    fits = []
    monkeypatch.setattr(
        "dreamlib.jobs.contact_sheet.misfit", lambda _, layer, h, w: "" if h >= 40 else "too small"
    )
    real = contact_sheet.__globals__["deepdream"]
    monkeypatch.setattr(
        "dreamlib.jobs.contact_sheet.deepdream",
        lambda net, pixels, steps, octaves, *more, **step: (
            fits.append(octaves) or real(net, pixels, steps, octaves, *more, **step)
        ),
    )
    contact_sheet(net, picture(60, 80), [Item("pool1")], definition, quiet=True, **QUICK)
    contact_sheet(net, picture(30, 80), [Item("pool1")], definition, quiet=True, **QUICK)
    assert fits == [2]
    assert drawn[-1].fault == "not reached: too small"


def test_a_layer_without_a_gradient_says_so(net, drawn):
    for blob in net.params["conv1"]:
        blob.data[:] = 0
    items = [Item("conv1"), Item("conv1", 2)]
    sheet = contact_sheet(net, picture(60, 80), items, quiet=True, **QUICK)
    assert sheet.cells == 2
    assert drawn[1].pixels is None
    assert "no gradient" in drawn[1].fault
    assert "layer" in drawn[1].fault
    assert "channel" in drawn[2].fault


def test_ctrl_c_keeps_the_finished_cells(net, drawn, monkeypatch):
    def press(progress, step, real=contact_sheet.__globals__["Progress"].__call__):
        if step.octave == 1 and step.iteration == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(progress, step)

    monkeypatch.setattr("dreamlib.jobs.contact_sheet.Progress.__call__", press)
    items = [Item(name) for name in ("conv1", "pool1", "norm1")]
    sheet = contact_sheet(net, picture(60, 80), items, quiet=True, iterations=4, octaves=2)
    assert sheet.cells == 1
    assert sheet.interrupted
    assert [cell.title for cell in drawn] == ["undreamt", "conv1"]


def test_all_layers_are_chosen_by_default(net, found):
    names = [item.layer for item in choose_items(net, found)]
    assert names[0] == "conv1"
    assert names[-1] == "prob"


def test_a_pattern_chooses_layers(net, found):
    items = choose_items(net, found, "mixed/?x?")
    assert items == [Item("mixed/1x1"), Item("mixed/3x3")]


def test_a_layer_means_its_channels_and_brackets_some_of_them(net, found):
    assert choose_items(net, found, "conv1") == [Item("conv1", number) for number in range(16)]
    assert choose_items(net, found, "conv1[2-4]") == [Item("conv1", number) for number in (2, 3, 4)]
    assert choose_items(net, found, "conv1[7]") == [Item("conv1", 7)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mixed/outputs", ["did you mean", "mixed/output"]),
        ("relu1", ["works in place", "--contact-sheet conv1"]),
        ("conv1[3-99]", ["--contact-sheet", "no 3-99", "0 to 15"]),
        ("conv1[2,4-2]", ["no 4-2", "0 to 15"]),
        ("conf*", ["conf*", "--list-layers"]),
    ],
)
def test_what_is_not_there_is_refused_in_words(net, found, text, says):
    with pytest.raises(DreamError) as refusal:
        choose_items(net, found, text)
    for part in says:
        assert part in str(refusal.value)


def test_more_channels_than_a_sheet_holds_are_refused_with_a_range(net, found, monkeypatch):
    monkeypatch.setattr("dreamlib.jobs.sheet_items.MOST_CELLS", 8)
    with pytest.raises(DreamError, match=r"16 channels .* at most 8 cells; take conv1\[0-7\]"):
        choose_items(net, found, "conv1")
    with pytest.raises(DreamError, match=r"take conv1\[3-10\]"):
        choose_items(net, found, "conv1[3-12]")
    with pytest.raises(DreamError, match="a pattern"):
        choose_items(net, found)


def test_an_item_that_the_net_does_not_have_is_refused(net):
    for item in (Item("conv9"), Item("conv1", 16)):
        with pytest.raises(DreamError, match="not in the network"):
            contact_sheet(net, picture(60, 80), [item], quiet=True)


def test_the_command_makes_a_sheet_of_all_layers(workplace, model, capsys):
    assert run_quickly(model, "sky.png", "sheet.png", "--contact-sheet", "--seed", 4) == 0
    assert "10 small dreams" in capsys.readouterr().out
    assert Image.open("sheet.png").width > 1000
    config = load_config("sheet.png")
    assert (config["seed"], config["iterations"], config["jitter"]) == (4, 2, 16)
    assert sorted(path.name for path in workplace.iterdir()) == ["sheet.png", "sky.png"]


def test_the_command_makes_a_sheet_of_channels_from_noise(workplace, model, capsys):
    assert run_quickly(model, "noise:900x600", "--contact-sheet", "conv1[0-2]", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert load_config("noise_sheet.png")["end"] == "conv1"
    sheet = np.asarray(Image.open("noise_sheet.png"))
    corner = MARGIN
    first = sheet[corner + 60 : corner + 150, corner : corner + 200]
    assert first.std() > 20  # noise of its own size, not noise averaged to grey


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--contact-sheet", "sky.png"], "INPUT"),
        (["sky.png", "--contact-sheet", "sky.png"], "after INPUT and OUTPUT"),
        (["sky.png", "--contact-sheet", "--plan"], "--plan"),
        (
            ["sky.png", "--contact-sheet", "--end", "conv1", "--region", "0,0,9,9"],
            "--end, --region",
        ),
        (["sky.png", "--contact-sheet", "--target", "1", "--gif", "a.gif"], "--target, --gif mean"),
        (["sky.png", "sky.png", "--contact-sheet"], "is the input"),
    ],
)
def test_the_command_refuses_what_cannot_be(workplace, model, capsys, arguments, says):
    assert run_quickly(model, *arguments) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["sky.png"]
