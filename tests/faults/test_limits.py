"""Limits before what would never end, and words where a dream would turn black."""

import numpy as np
import pytest
from PIL import Image

from dreamlib.util.progress import Progress
from tests.command import run
from tests.nets import INCEPTION, write_random_net

SMALL = ["--end", "conv1", "--iterations", 1, "--octaves", 1, "--seed", 1, "--quiet"]


@pytest.mark.parametrize("schedule", ["spiral", "random"])
def test_feathered_tiles_are_not_too_many(workplace, model, capsys, schedule):
    Image.fromarray(np.zeros((3, 100_000, 3), np.uint8)).save("thread.png")
    assert run("thread.png", "o.png", "--model", model, "--schedule", schedule, *SMALL) == 2
    assert f"--schedule {schedule} would take 50" in capsys.readouterr().err


def test_a_class_of_a_hundred_thousand_letters_is_not_looked_for(workplace, capsys):
    assert run("--model", "efficientnet_lite0", "--find-class", "a" * 100_000) == 2
    assert "a class of 100000 letters" in capsys.readouterr().err


def test_thousands_of_turns_are_refused(workplace, model, capsys):
    turns = "tv:" + "|".join(["0"] * 501)
    assert run("sky.png", "film", "--frames", 2, "--model", model, "--vary", turns, *SMALL) == 2
    assert "takes turns among 501 values; expected 500 at most" in capsys.readouterr().err


@pytest.mark.parametrize("schedule", ["whole", "shift"])
def test_a_dream_that_overflows_names_its_layer_and_step(workplace, model, capsys, schedule):
    end = ["--layers", "conv1:1e38", "--schedule", schedule]
    end += ["--tile-size", "48"] if schedule == "shift" else []
    assert run("sky.png", "o.png", "--model", model, *end, *SMALL[2:]) == 2
    assert "dream of layer 'conv1' ended at step 1 of octave 1" in capsys.readouterr().err
    assert not (workplace / "o.png").exists()


def test_an_overflow_of_float16_is_told_from_others(workplace, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("large")
    write_random_net(folder, INCEPTION.replace('type: "xavier"', 'type: "gaussian" std: 90', 1))
    made = ["--model", folder, "--precision", "float16", "--end", "mixed/output", *SMALL[2:]]
    assert run("sky.png", "o.png", *made) == 2
    assert "overflow in float16: take --precision bfloat16" in capsys.readouterr().err


def test_a_second_ctrl_c_says_that_a_films_frames_are_kept(
    workplace, model, capsys, monkeypatch
):  # fmt: skip
    take_step, taken = Progress.__call__, []

    def pressed(progress, step):
        taken.append(step)
        if len(taken) == 2:
            raise KeyboardInterrupt
        return take_step(progress, step)

    monkeypatch.setattr(Progress, "__call__", pressed)
    assert run("sky.png", "film", "--frames", 3, "--model", model, *SMALL) == 130
    said = capsys.readouterr().err
    assert "the whole frames are kept: resume with --resume" in said
    assert "nothing was written" not in said
    assert (workplace / "film" / "0000.png").exists()
