"""Nothing happens in silence: what a flag does not do is refused, what surprises is said."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dreamlib
from dreamlib.config import load_config
from dreamlib.errors import DreamError
from tests.command import pixels, run
from tests.nets import picture, write_random_net

END = "mixed/output"

#: A net of which all that comes after a layer is 0, and so is its gradient.
DEAD = """
name: "dead"
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "low" type: "Power" bottom: "conv" top: "low" power_param { shift: -1000000 } }
layer { name: "cut" type: "ReLU" bottom: "low" top: "cut" }
layer { name: "last" type: "Convolution" bottom: "cut" top: "last"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 1 } } }
"""  # noqa: E501


def flags(model, *more, end=END):
    ends = ["--end", end] if end else []
    return ["--engine", "torch", "--model", model, *ends, "--octaves", 2, "--iterations", 2, *more]


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dead")
    write_random_net(folder, DEAD)
    return str(folder)


@pytest.fixture
def class_model(model, tmp_path_factory):
    """The small model with a class layer, which takes larger pictures."""
    folder = tmp_path_factory.mktemp("classes")
    write_random_net(folder)
    (folder / "model.toml").write_text('class_layer = "classifier"\nend = "mixed/output"\n')
    names = [f"n0000000{number} thing {number}" for number in range(10)]
    (folder / "labels.txt").write_text("\n".join(names))
    return str(folder)


# -- flags that would do nothing ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--layers", "conv1"], "--end mixed/output means nothing beside --layers"),
        (["--schedule", "whole", "--overlap", 9], "--overlap means nothing to --schedule"),
        (["--schedule", "whole", "--tile-size", 64], "--tile-size means nothing to --schedule"),
        (["--schedule", "windows", "--overlap", 9], "--overlap means nothing to --schedule"),
        (["--region", "0,0,50,50", "--wrap", "both"], "--wrap means nothing to --region"),
        (["--gpu", "0", "--devices", "cpu,cpu"], "--gpu means nothing to --devices"),
        (["--quality", 50], "--quality means nothing to an output without loss"),
        (["--tiff", "tile"], "--tiff means nothing to an output that is no TIFF"),
        (["--no-keep-tone"], "--no-keep-tone means nothing to one picture"),
        (["--frames", 2, "--reverse"], "--reverse means nothing to frames of which no film"),
        (["--frames", 2, "--boomerang"], "--boomerang means nothing to frames"),
        (["--frames", 2, "--fps", 5], "--fps means nothing to frames"),
        (["--frames", 2, "--mp4", "a.mp4", "--loop", 2], "--loop means nothing to an MP4 or"),
        (["--frames", 2, "--gif", "a.gif", "--quality", 5], "--quality means nothing"),
        (["--frames", 2, "--vary", "end:conv1|pool1", "--layers", "norm1"], "beside --layers"),
    ],
)  # fmt: skip
def test_a_flag_that_would_do_nothing_is_refused(workplace, model, capsys, more, says):
    output = "out" if "--frames" in more else "out.png"
    assert run("sky.png", output, *flags(model, *more)) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]


def test_a_class_leaves_no_meaning_to_end(workplace, class_model, capsys):
    arguments = ["--target", "3", "--engine", "torch", "--model", class_model]
    assert run("sky.png", "out.png", *arguments, "--end", "conv1", "--iterations", 1) == 2
    assert "--end conv1 means nothing beside --target" in capsys.readouterr().err


def test_python_refuses_them_too(workplace, model):
    settings = {"engine": "torch", "model": model, "iterations": 1}
    with pytest.raises(DreamError, match="--quality means nothing"):
        dreamlib.run("sky.png", "out.png", **settings, quality=50)
    with pytest.raises(DreamError, match="--end conv1 means nothing"):
        dreamlib.run("sky.png", "out.png", **settings, end="conv1", layers="pool1")


def test_the_layer_that_is_dreamt_may_be_named_twice(workplace, model):
    assert run("sky.png", "out.png", *flags(model, "--layers", f"conv1, {END}")) == 0


def test_an_overlap_alone_asks_for_tiles(workplace, model):
    assert run("sky.png", "out.png", *flags(model, "--overlap", 8)) == 0
    made = load_config("out.png")
    assert (made["schedule"], made["overlap"]) == ("shift", 8)


def test_a_guide_with_a_layer_of_its_own_says_that_end_is_not_dreamt(workplace, model, capsys):
    Image.fromarray(picture(80, 100, seed=5)).save("guide.png")
    more = ["--guide", "guide.png", "--guide-layer", "mixed/3x3"]
    assert run("sky.png", "out.png", *flags(model, *more)) == 0
    assert "--end mixed/output is not dreamt: the guide is followed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--list-models", "--list-layers"], "ask for different things; write one of them"),
        (["--list-layers", "--contact-sheet"], "ask for different things"),
        (["--assemble", ".", "--contact-sheet"], "ask for different things"),
        (["--list-layers", "--octaves", "3"], "--octaves would do nothing beside --list-layers"),
        (["--find-class", "dog", "--plan"], "--plan would do nothing beside --find-class"),
        (["--list-models", "sky.png"], "--list-models looks at no picture; leave sky.png out"),
        (["--plan", "--save-config", "a.toml"], "INPUT"),
    ],
)
def test_what_a_list_does_not_look_at_is_refused(workplace, capsys, arguments, says):
    assert run(*arguments) == 2
    assert says in capsys.readouterr().err
    assert not Path("a.toml").exists()


# -- flags that have the last word over a file ----------------------------------------------------


def test_a_flag_takes_the_place_of_what_a_file_says_to_dream(workplace, model):
    mixture = ["--layers", "conv1, mixed/1x1"]
    assert run("sky.png", "made.png", *flags(model, *mixture, "--seed", 1, end=None)) == 0
    assert run("sky.png", "one.png", "--config", "made.png", "--end", "conv1") == 0
    assert run("sky.png", "alone.png", *flags(model, "--seed", 1, end="conv1")) == 0
    assert np.array_equal(pixels("one.png"), pixels("alone.png"))
    assert run("sky.png", "two.png", "--config", "one.png", "--layers", "pool1") == 0
    assert load_config("two.png")["end"] == "pool1"


def test_a_schedule_takes_the_place_of_a_files_tiles(workplace, model):
    assert run("sky.png", "made.png", *flags(model, "--tile-size", 64)) == 0
    assert run("sky.png", "whole.png", "--config", "made.png", "--schedule", "whole") == 0
    assert load_config("whole.png")["schedule"] == "whole"
    assert "tile_size" not in load_config("whole.png")


def test_another_script_takes_the_place_of_octaves_and_of_judges(workplace, class_model):
    judge = Path(class_model).parent / "judge"
    if not judge.exists():
        judge.mkdir()
        for name in ("deploy.prototxt", "random.caffemodel", "model.toml", "labels.txt"):
            (judge / name).write_bytes(Path(class_model, name).read_bytes())
    script = "[[octave]]\niter_n = 1\nstart_step_size = 2\nend_step_size = 2\n"
    Path("direct.toml").write_text(script + "views = 2\n")
    Path("plain.toml").write_text(script)
    own = ["--engine", "torch", "--model", class_model]
    target = ["--target", "3", "--script", "direct.toml", "--judges", judge]
    assert run("noise:70x70", "made.png", *own, *target) == 0
    assert load_config("made.png")["judges"] == str(judge)
    assert run("noise:70x70", "again.png", "--config", "made.png", "--script", "plain.toml") == 0
    assert "judges" not in load_config("again.png")
    assert run("noise:70x70", "both.png", "--config", "made.png", "--script", "direct.toml") == 0
    assert load_config("both.png")["judges"] == str(judge)
    octaves = [*own, "--end", END, "--octaves", 2, "--iterations", 3]
    assert run("sky.png", "octaves.png", *octaves) == 0
    assert run("sky.png", "drawn.png", "--config", "octaves.png", "--script", "plain.toml") == 0
    assert load_config("drawn.png")["script"] == str(Path("plain.toml").resolve())


# -- what surprises -------------------------------------------------------------------------------


def test_a_dream_of_which_no_step_moved_is_none(workplace, dead, capsys):
    assert run("sky.png", "out.png", *flags(dead, end="last")) == 2
    error = capsys.readouterr().err
    assert "no gradient of 'last' reaches the picture: not one of 4 steps moved it" in error
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]
    assert run("sky.png", "out.png", *flags(dead, "--work-dir", "work", end="last")) == 2
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]
    assert run("sky.png", "film", *flags(dead, "--frames", 2, end="last")) == 2
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]
    assert run("sky.png", "out.png", *flags(dead, end="conv")) == 0


def test_a_frame_without_a_gradient_does_not_end_the_film(workplace, dead, capsys):
    more = ["--frames", 3, "--vary", "end:conv|last", "--distort", "zoom:0.05"]
    assert run("sky.png", "film", *flags(dead, *more, end=None)) == 0
    error = capsys.readouterr().err
    assert re.search(r"frame 1: \d+ of \d+ steps moved nothing: there no gradient of 'last'", error)
    assert len(list(Path("film").glob("*.png"))) == 3


def test_a_softmax_is_named_and_the_layer_before_it(workplace, class_model, capsys):
    own = ["--engine", "torch", "--model", class_model, "--octaves", 1, "--iterations", 1]
    assert run("noise:64x64", "out.png", *own, "--end", "prob") == 0
    assert "'prob' is a softmax" in (said := capsys.readouterr().err)
    assert "The layer before it is 'classifier'" in said
    assert run("noise:64x64", "out.png", *own, "--end", "classifier") == 0
    assert "softmax" not in capsys.readouterr().err


def test_a_class_by_the_notebooks_octaves_says_so(workplace, class_model, capsys):
    own = ["--engine", "torch", "--model", class_model, "--target", "3"]
    assert run("noise:70x70", "out.png", *own, "--octaves", 1, "--iterations", 1) == 0
    assert "classes are drawn by the notebook's octaves" in capsys.readouterr().err


def test_what_the_models_own_dream_has_besides_is_told_where_a_layer_is_chosen(
    workplace, class_model, capsys
):
    with open(Path(class_model, "model.toml"), "a") as file:
        file.write("[dream]\nlaplacian = 2\n")
    own = ["--engine", "torch", "--model", class_model, "--octaves", 1, "--iterations", 1]
    assert run("sky.png", "out.png", *own, "--end", END) == 0
    assert "own dream has --laplacian 2" in capsys.readouterr().err
    for more in ([], ["--end", END, "--laplacian", 2]):
        assert run("sky.png", "out.png", *own, *more) == 0
        assert "own dream" not in capsys.readouterr().err


def test_that_sharing_a_picture_dreams_it_in_tiles_is_said(workplace, model, capsys):
    shared = ["--devices", "cpu,cpu", "--plan"]
    assert run("sky.png", "a.png", *flags(model), *shared) == 0
    assert "--devices shares tiles (--schedule shift)" in capsys.readouterr().err
    for more in (["--schedule", "shift"], ["--tile-size", 48]):
        assert run("sky.png", "a.png", *flags(model), *shared, *more) == 0
        assert "shares tiles" not in capsys.readouterr().err


def test_a_class_may_be_named_by_its_wordnet_number(workplace, class_model, capsys):
    own = ["--engine", "torch", "--model", class_model]
    more = ["--octaves", 1, "--iterations", 1]
    assert run("noise:70x70", "out.png", *own, *more, "--target", "n00000004, N00000007:-1") == 0
    assert load_config("out.png")["target"] == "4, 7:-1"
    assert "class 4 (thing 4), without class 7 (thing 7) of" in capsys.readouterr().out
    assert run("--find-class", "n00000004", "--model", class_model) == 0
    assert capsys.readouterr().out == "   4 thing 4\n"
    assert run("noise:70x70", "out.png", *own, *more, "--target", "n00000044") == 2
    assert "there is no class 'n00000044'" in capsys.readouterr().err
