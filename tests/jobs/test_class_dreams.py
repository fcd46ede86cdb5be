"""Class dreams as the command makes them: targets, scripts, octaves, what the network sees."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.commands import describe
from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.jobs.objective import resolve_objective
from dreamlib.jobs.prepare import FROM_NOISE, INTO_PICTURE, choose_script
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from dreamlib.settings import Settings
from dreamlib.util.progress import Progress
from tests.command import ctrl_c_at, pixels, run
from tests.embedded import prepared_model
from tests.nets import INCEPTION, picture, write_random_net

SCRIPT = """
[[octave]]
iter_n = 3
start_sigma = 1
end_sigma = 0.5
start_step_size = 8
end_step_size = 4
"""
LABELS = "goldfish, Carassius auratus\nostrich\nballoon\ngolf ball\nnudibranch\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small classifier in a folder of its own, with class names."""
    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder, INCEPTION)
    (folder / "model.toml").write_text(
        'weights = "random.caffemodel"\nend = "mixed/output"\nclass_layer = "classifier"\n'
    )
    classes = load_net(find_model(str(folder)), "torch").blobs["classifier"].shape[1]
    names = LABELS.splitlines() + [f"thing {index}" for index in range(5, classes)]
    (folder / "labels.txt").write_text("\n".join(names[:classes]) + "\n")
    return str(folder)


@pytest.fixture
def workplace(workplace):
    (workplace / "script.toml").write_text(SCRIPT)
    return workplace


def dream(model, *more):
    return run("sky.png", "out.png", "--engine", "torch", "--model", model, "--seed", 5, *more)


def test_a_class_is_drawn_into_a_picture_and_told(workplace, model, capsys):
    assert dream(model, "--target", "ostrich", "--script", "script.toml") == 0
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5
    assert "class 1 (ostrich)" in capsys.readouterr().out


def test_a_drawing_repeats_from_its_own_settings(workplace, model):
    dream(model, "--target", "random, nudibranch:0.5", "--script", "script.toml")
    shutil.copy("out.png", "first.png")
    assert run("sky.png", "out.png", "--config", "first.png") == 0
    assert np.array_equal(pixels("first.png"), pixels("out.png"))
    assert load_config("out.png")["target"].endswith(", 4:0.5")


def test_a_drawing_without_targets_repeats_from_its_own_settings(workplace, model, capsys):
    dream(model, "--layers", "pool1[0]", "--script", "script.toml")
    shutil.copy("out.png", "first.png")
    assert run("sky.png", "out.png", "--config", "first.png") == 0
    assert np.array_equal(pixels("first.png"), pixels("out.png"))


def test_a_drawing_without_targets_is_told_by_its_script(workplace, model, capsys):
    assert dream(model, "--script", "script.toml") == 0
    assert "script script.toml of" in capsys.readouterr().out


def test_noise_smaller_than_the_input_is_drawn_with_room_and_comes_in_its_size(workplace, model):
    code = run("noise:40x50", "out.png", "--model", model, "--engine", "torch", "--target", 2,
               "--script", "script.toml")  # fmt: skip
    assert code == 0
    assert Image.open("out.png").size == (40, 50)


def test_a_mixture_of_layers_adds_to_a_drawing(workplace, model):
    dream(model, "--target", 2, "--script", "script.toml")
    alone = pixels("out.png")
    dream(model, "--target", 2, "--script", "script.toml", "--layers", "pool1[0]:5")
    assert np.abs(pixels("out.png") - alone).mean() > 0.1


def test_filters_and_shares_work_on_drawings(workplace, model):
    dream(model, "--target", 2, "--script", "script.toml", "--smooth", 2, "--strength", 0)
    assert np.abs(pixels("out.png") - pixels("sky.png")).max() <= 1


@pytest.mark.parametrize("schedule", ["whole", "shift", "spiral", "random"])
def test_classes_are_dreamt_by_octaves_on_every_schedule(workplace, model, schedule):
    Image.fromarray(picture(160, 150)).save("sky.png")
    flags = ["--iterations", 2, "--schedule", schedule, "--target", "balloon:2"]
    if schedule != "whole":
        flags += ["--tile-size", 128]
    assert dream(model, *flags) == 0
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5
    assert "script" not in load_config("out.png")


def test_workers_dream_classes_as_one_process_does(workplace, model):
    Image.fromarray(picture(160, 150)).save("sky.png")
    flags = ["--iterations", 1, "--schedule", "shift", "--tile-size", 128, "--target", 1]
    dream(model, *flags, "--devices", "cpu")
    first = pixels("out.png")
    dream(model, *flags, "--devices", "cpu,cpu")
    assert np.array_equal(first, pixels("out.png"))
    assert np.abs(first - pixels("sky.png")).mean() > 0.5


def test_octaves_that_are_asked_for_are_dreamt_though_their_number_is_the_default(workplace, model):
    dream(model, "--iterations", 10, "--target", 1)
    assert "script" not in load_config("out.png")


@pytest.mark.parametrize("sky_size", [(300, 400)])
def test_a_region_too_small_for_a_script_is_refused_by_its_name(workplace, sky_size, capsys):
    folder = str(prepared_model().folder)
    assert run("sky.png", "--model", folder, "--engine", "torch", "--target", 1, "--script",
               "photograph", "--region", "10,20,64,64", "--plan") == 2  # fmt: skip
    refused = capsys.readouterr().err
    assert "region 10,20,64,64 is too small for the script" in refused
    assert "the network takes 224 x 224 or more" in refused


def test_octaves_cannot_change_where_a_script_has_its_own(workplace, model, capsys):
    more = ["--target", 1, "--script", "script.toml", "--frames", 2, "--vary", "octaves:1..2"]
    assert dream(model, *more) == 2
    assert "octaves cannot change with --script" in capsys.readouterr().err


def test_a_class_takes_as_many_octaves_as_reach_its_layer(workplace, model):
    dream(model, "--iterations", 1, "--schedule", "whole", "--target", 1)
    assert load_config("out.png")["octaves"] == 1 + int(np.log(90 / 64) / np.log(1.4))


def test_the_whole_of_a_picture_is_drawn_by_a_script(workplace, model):
    assert dream(model, "--target", 0, "--script", "script.toml", "--schedule", "whole") == 0
    assert (pixels("out.png") != pixels("sky.png")).any(2).mean() > 0.9


def test_what_is_seen_is_told_before_and_after(workplace, model, capsys):
    dream(model, "--target", 3, "--script", "script.toml", "--classify")
    before, _, after = capsys.readouterr().out.splitlines()
    assert before.startswith("before: ")
    assert before.count("%") == after.count("%") == 5


def share(line, name):
    """The percentage of a class in a line of what is seen; 0 where it is not among the first."""
    parts = (part.rsplit(" ", 2) for part in line.split(": ")[1].split(", "))
    return next((float(number) for found, number, _ in parts if found == name), 0.0)


def test_the_embedded_model_draws_a_balloon_by_number_alone(workplace, capsys):
    folder = str(prepared_model().folder)
    assert run("noise:256x256", "out.png", "--model", folder, "--engine", "torch", "--target", 417,
               "--classify", "--seed", 3) == 0  # fmt: skip
    before, told, after = capsys.readouterr().out.splitlines()
    assert "class 417 (balloon)" in told
    assert share(before, "balloon") < 10
    assert share(after, "balloon") > 90


def test_classes_are_found_by_name(model, capsys):
    assert run("--model", model, "--find-class", "gold") == 0
    assert capsys.readouterr().out.splitlines()[0] == "   0 goldfish, Carassius auratus"


def test_a_word_without_a_class_is_refused(model, capsys):
    assert run("--model", model, "--find-class", "xyzzyplugh") == 2
    assert "no class named 'xyzzyplugh'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--target", "goldfih"], "no class 'goldfih'.*nearest: 0 .goldfish"),
        (["--target", "99999"], "no class 99999"),
        (["--target", "1:x"], "CLASS or CLASS:WEIGHT"),
        (["--target", "1", "--script", "drow"], "no preset 'drow'.*did you mean 'draw'"),
        (["--target", "1", "--script", "draw", "--octaves", "3"], "--octaves means nothing"),
        (["--target", "1", "--octaves", "9"], "octaves.*or leave out --octaves: then the class"),
        (["--target", "9", "--script", "few.toml"], "'mixed/1x1'.*0 to 7: there is no 9"),
        (["--target", "1", "--script", "data.toml"], "no layer 'data' to draw"),
        (["--target", "1", "--memory", "100M"], "a memory of 0.10G is too small"),
        (["--target", "1", "--iterations", "1", "--tile-size", "64"], "tiles of 64.*too small"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(workplace, model, capsys, flags, says):
    import re

    for name, layer in (("few", "mixed/1x1"), ("data", "data")):
        (workplace / f"{name}.toml").write_text(f'{SCRIPT}layer = "{layer}"\n')
    assert dream(model, *flags) == 2
    assert re.search(says, capsys.readouterr().err, re.DOTALL)
    assert not (workplace / "out.png").exists()


def test_a_photograph_smaller_than_the_input_is_drawn_on_and_stays_sharp(workplace, model):
    Image.fromarray(np.uint8(np.indices((50, 60)).sum(0) % 2 * 100 + 50)).save("sky.png")
    (workplace / "still.toml").write_text(
        SCRIPT.replace("size = 8", "size = 0").replace("= 4", "= 0")
    )
    assert dream(model, "--target", 1, "--script", "still.toml") == 0
    assert np.abs(pixels("out.png") - pixels("sky.png")).max() <= 1
    dream(model, "--target", 1, "--script", "script.toml")
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5


def test_deep_zoom_cannot_be_classified(workplace, model, capsys):
    assert run("sky.png", "out.dzi", "--model", model, "--engine", "torch", "--classify") == 2
    assert "--classify reads the output back" in capsys.readouterr().err


def test_a_model_without_a_class_layer_is_refused(workplace, model, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_random_net(folder)
    plain = find_model(str(folder))
    with pytest.raises(DreamError, match="class_layer = LAYER"):
        resolve_objective(load_net(plain, "torch"), plain, Settings(target="1", seed=1))


@pytest.mark.parametrize(
    ("settings", "noise", "pixels", "script"),
    [
        ({}, True, 100, None),
        ({"target": "1"}, True, 100, FROM_NOISE),
        ({"target": "1"}, False, 100, INTO_PICTURE),
        ({"target": "1"}, False, 10**8, INTO_PICTURE),
        ({"target": "1", "schedule": "shift"}, False, 100, INTO_PICTURE),
        ({"target": "1", "schedule": "spiral"}, False, 100, None),
        ({"target": "1", "octaves": 3}, False, 100, None),
        ({"target": "1", "script": "fine"}, True, 100, "fine"),
    ],
)
def test_a_class_is_drawn_unless_octaves_are_asked_for(settings, noise, pixels, script):
    side = int(pixels**0.5)
    picture = (
        Noise(side, side, 1) if noise else Picture(np.broadcast_to(np.uint8(0), (side, side, 3)))
    )
    assert choose_script(Settings(seed=1, **settings), picture)[0].script == script


def test_a_mixture_is_told_as_one(model):
    one, mixed = Settings(layers="conv1:2", end="conv1"), Settings(layers="conv1, b", end="b")
    assert describe(find_model(model), one).startswith("layer conv1 of ")
    assert describe(find_model(model), mixed).startswith("mixture up to layer b of ")


def test_a_class_is_described_by_number_and_name(model):
    assert describe(find_model(model), Settings(target="1, 2:-0.5")).startswith(
        "class 1 (ostrich), without class 2 (balloon) of "
    )


def test_a_drawing_is_planned(workplace, model, capsys):
    assert dream(model, "--target", 1, "--script", "script.toml", "--plan") == 0
    told = capsys.readouterr().out
    assert "120 x 90             3         0.0 M" in told  # windows of 64 x 64, and pixel-steps
    assert "schedule     random windows of 64, float32 canvases" in told
    assert "script       " in told
    assert not (workplace / "out.png").exists()


@pytest.mark.parametrize("steps", [2, 3, 8])  # within an octave, at its end, in the second one
def test_a_resumed_drawing_is_the_same(workplace, model, steps):
    second = "[[octave]]\nscale = 1.2\njitter = 5"
    (workplace / "script.toml").write_text(SCRIPT + SCRIPT.replace("[[octave]]", second))
    flags = ["--target", "random", "--script", "script.toml"]
    dream(model, *flags)
    whole = pixels("out.png")
    with ctrl_c_at(steps):
        assert dream(model, *flags, "--work-dir", "work") == 130
    assert not np.array_equal(pixels("out.png"), whole)
    assert run("sky.png", "out.png", "--work-dir", "work", "--resume") == 0
    assert np.array_equal(pixels("out.png"), whole)
    assert not (workplace / "work").exists()


def test_a_drawing_is_previewed_in_its_colours(workplace, model):
    (workplace / "still.toml").write_text(
        SCRIPT.replace("size = 8", "size = 0").replace("size = 4", "size = 0")
    )
    Image.new("RGB", (120, 90), (200, 120, 40)).save("sky.png")
    assert dream(model, "--target", 1, "--script", "still.toml", "--preview", 1e-6) == 0
    preview = pixels("out.png.preview.jpg")
    assert preview.shape == (90, 120, 3)
    assert np.abs(preview - [200, 120, 40]).max() <= 3


def test_a_script_without_a_target_dreams_the_layer_that_is_named(workplace, model):
    command = ["--script", "script.toml", "--end"]
    assert dream(model, *command, "pool1") == 0
    assert load_config("out.png")["end"] == "pool1"
    low = pixels("out.png")
    assert run("sky.png", "again.png", "--config", "out.png") == 0
    assert np.array_equal(pixels("again.png"), low)
    dream(model, *command, "mixed/output")
    assert np.abs(pixels("out.png") - low).mean() > 0.5


@pytest.mark.parametrize(
    ("schedule", "tiles"),
    [
        ("whole", []),
        ("shift", ["--tile-size", 128, "--overlap", 16]),
        ("spiral", ["--tile-size", 128, "--overlap", 16]),
        ("windows", ["--tile-size", 128]),
    ],
)
def test_a_script_draws_by_any_schedule(workplace, model, schedule, tiles):
    flags = ["--target", 1, "--script", "script.toml", "--schedule", schedule]
    assert dream(model, *flags, *tiles) == 0
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5


def test_workers_draw_as_one_process_does(workplace, model):
    flags = ["--target", 1, "--script", "script.toml"]
    assert dream(model, *flags, "--devices", "cpu,cpu") == 0
    two = pixels("out.png")
    assert dream(model, *flags, "--devices", "cpu") == 0
    assert np.array_equal(pixels("out.png"), two)


def test_a_region_of_a_drawing_comes_in_its_size(workplace, model):
    assert dream(model, "--target", 1, "--script", "script.toml", "--region", "20,10,70,64") == 0
    assert pixels("out.png").shape == (64, 70, 3)
    assert np.abs(pixels("out.png") - pixels("sky.png")[10:74, 20:90]).mean() > 0.5


@pytest.mark.parametrize("script", [SCRIPT, SCRIPT + "views = 2\n"])
def test_classes_fade_into_each_other_over_the_frames_of_a_script(workplace, model, script):
    """Each frame draws, into the one before, what its share of both classes is."""
    (workplace / "script.toml").write_text(script)
    how = ["--script", "script.toml", "--engine", "torch", "--model", model]
    fade = ["--vary", "target:ostrich..balloon:0.5", "--frames", 3, "--distort", "hue:1"]
    assert run("sky.png", "film", *how, "--seed", 5, *fade, "--no-keep-tone") == 0
    assert run("sky.png", "first.png", *how, "--seed", 5, "--target", "ostrich") == 0
    assert np.array_equal(pixels("film/0000.png"), pixels("first.png"))
    seed = int(np.random.SeedSequence([5, 1]).generate_state(1)[0])
    off = {}
    for target in ("ostrich:0.5, balloon:0.25", "ostrich", "balloon"):
        Path("next.png").unlink(missing_ok=True)
        assert run("film/0000.png", "next.png", *how, "--seed", seed, "--target", target) == 0
        off[target] = np.abs(pixels("film/0001.png") - pixels("next.png")).mean()
    assert min(off, key=off.get) == "ostrich:0.5, balloon:0.25"
    assert 2 * min(off.values()) < sorted(off.values())[1]


def test_a_film_of_a_class_out_of_noise_expects_the_work_that_it_does(
    workplace, model, monkeypatch
):
    """Only the first frame is drawn out of noise; the others, by another script, into pictures."""
    made = []

    def watched(*arguments):
        made.append(Progress(*arguments))
        return made[-1]

    monkeypatch.setattr("dreamlib.jobs.film.Progress", watched)
    film = ["film", "--frames", 2, "--target", 1, "--engine", "torch", "--model", model]
    assert run("noise:24x24", *film) == 0
    assert made[0].done == made[0].total
