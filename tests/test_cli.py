"""The command, as a user runs it: real processes where signals and start-up matter."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib import cli
from dreamlib.config import load_config
from dreamlib.models.zoo import EMBEDDED, find_model
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.settings import SETTINGS, Settings
from tests.command import pixels, run
from tests.nets import picture

PROJECT = Path(__file__).parent.parent
END = "mixed/output"


def small(model, *more):
    """Flags of a dream that takes a moment."""
    return ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
            *more]  # fmt: skip


def test_a_picture_is_dreamt_into_the_output(workplace, model, capsys):
    assert run("sky.png", "out.png", *small(model, "--seed", 3)) == 0
    change = np.abs(pixels("out.png") - pixels("sky.png"))
    assert change.shape == (90, 120, 3)
    assert 0.5 < change.mean() < 40
    said = capsys.readouterr().out
    assert "out.png" in said
    assert END in said
    assert "torch on CPU" in said
    assert "seed 3" in said


def test_without_an_output_it_is_named_after_the_input(workplace, model):
    assert run("sky.png", *small(model)) == 0
    assert (workplace / "sky_dream.png").exists()


def test_noise_is_an_input(workplace, model):
    assert run("noise:70x50", "n.png", *small(model, "--seed", 1)) == 0
    assert Image.open("n.png").size == (70, 50)


def test_the_same_seed_gives_the_same_picture_and_another_does_not(workplace, model):
    for name, seed in (("a.png", 5), ("b.png", 5), ("c.png", 6)):
        assert run("sky.png", name, *small(model, "--seed", seed)) == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert not np.array_equal(pixels("a.png"), pixels("c.png"))


@pytest.mark.parametrize("name", ["first.png", "first.jpg", "first.webp", "first.tif"])
def test_a_dreamt_picture_repeats_its_dream(workplace, model, name):
    assert run("sky.png", name, *small(model, "--step-size", 2.5)) == 0
    assert run("sky.png", "again.png", "--config", name) == 0
    assert run("sky.png", "third.png", "--config", "again.png") == 0
    assert load_config(name) == load_config("again.png")
    assert np.array_equal(pixels("again.png"), pixels("third.png"))
    if name.endswith(("png", "tif")):
        assert np.array_equal(pixels(name), pixels("again.png"))


def test_a_warning_is_a_line_of_the_command(workplace, model, capsys):
    path = Path(shutil.copytree(model, "own")) / "random.caffemodel"
    weights = caffe_pb2.NetParameter.FromString(path.read_bytes())
    kept = [layer for layer in weights.layer if layer.name != "classifier"]
    path.write_bytes(caffe_pb2.NetParameter(layer=kept).SerializeToString())
    assert run("sky.png", "out.png", *small("./own")) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "warning" in line] == [
        f"dream.py: warning: {path} lacks the weights of 1 of the network's 4 layers, which are "
        "left as the prototxt fills them: 'classifier'"
    ]


def test_a_models_relative_folder_is_recorded_for_every_folder(workplace, model, monkeypatch):
    relative = os.path.relpath(model)
    assert run("sky.png", "out.png", *small(relative)) == 0
    assert run("--save-config", "all.toml", *small(relative)) == 0
    (workplace / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for config in ("../out.png", "../all.toml"):
        assert load_config(config)["model"] == model
    assert run("../sky.png", "again.png", "--config", "../out.png") == 0


def test_flags_override_the_configuration(workplace, model):
    assert run("--save-config", "all.toml", *small(model, "--jitter", 7)) == 0
    assert run("sky.png", "out.png", "--config", "all.toml", "--jitter", 3) == 0
    assert load_config("out.png")["jitter"] == 3
    assert load_config("out.png")["octaves"] == 2


def test_a_bmp_says_that_it_cannot_keep_the_settings(workplace, model, capsys):
    assert run("sky.png", "out.bmp", *small(model)) == 0
    assert "--save-config" in capsys.readouterr().err


def test_transparency_that_the_output_cannot_hold_is_told(workplace, model, capsys):
    Image.fromarray(picture(90, 120)).convert("RGBA").save("glass.png")
    assert run("glass.png", "out.jpg", *small(model)) == 0
    assert "transparency" in capsys.readouterr().err
    assert run("glass.png", "out.png", *small(model)) == 0
    assert "transparency" not in capsys.readouterr().err


def test_quiet_prints_nothing(workplace, model, capfd):
    assert run("sky.png", "out.png", *small(model, "--quiet")) == 0
    assert capfd.readouterr() == ("", "")


def test_log_lines_tell_percentage_and_octave(workplace, model, capsys):
    assert run("sky.png", "out.png", *small(model)) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "%" in line]
    assert "octave 1/2" in lines[0]
    assert "octave 2/2" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.png"], ["none.png", "no such file"]),
        (["out.png", "sky.png"], ["out.png: there is no such file", "INPUT stands before OUTPUT"]),
        (["skyy.png"], ["skyy.png: there is no such file; did you mean 'sky.png'?"]),
        (["noise"], ["no such file", "noise:512x384"]),
        (["sky.png", "out.xyz"], ["out.xyz", ".png"]),
        (["sky.png", "out.gif"], ["a film's name", "--frames N --gif out.gif", "--growth out.gif"]),
        (["sky.png", "out.mp4"], ["a film's name", "--frames N --mp4 out.mp4"]),
        (["sky.png", "frames"], ["no suffix", "--frames N", "--output-dir"]),
        (["sky.png", "--end", "inception_4c/output"], ["add --model bvlc_googlenet"]),
        (["sky.png", "--layers", "block6:2"], ["'block6'", "add --model efficientnet_lite0"]),
        (["--assemble", ".", "a.gif"], ["no INPUT", "--gif"]),
        (["sky.png", "nowhere/out.png"], ["nowhere"]),
        (["sky.png", "sky.png"], ["input"]),
        (["sky.png", "--octaves", "0"], ["--octaves", "--octaves is 0;", "1 to 100"]),
        (["sky.png", "--octave-scale", "1"], ["--octave-scale", "above 1"]),
        (["sky.png", "--step-size", "much"], ["--step-size", "'much'", "a number"]),
        (["sky.png", "--engine", "theano"], ["--engine", "theano", "torch"]),
        (["sky.png", "--end", "mixed/outputs"], ["mixed/outputs", "'mixed/output'"]),
        (["sky.png", "--end", ""], ["--end is ''", "not empty"]),
        (["sky.png", "--octaves", "12"], ["does not fit", "x"]),
        (["sky.png", "--model", "bvlc_googlnet"], ["bvlc_googlnet", "bvlc_googlenet"]),
        (["sky.png", "--config", "none.toml"], ["none.toml"]),
        (["sky.png", "--config", "sky.png"], ["sky.png", "no settings"]),
        (["noise:12", "o.png"], ["noise:12", "WIDTHxHEIGHT"]),
        (["noise:0x12", "o.png"], ["WIDTHxHEIGHT"]),
        (["."], ["folder"]),
    ],
)
def test_bad_input_is_refused_in_words_and_nothing_is_written(
    workplace, model, capsys, arguments, says
):
    flags = [] if "--model" in arguments else ["--model", model]
    flags += [] if {"--end", "--layers", "--assemble"} & set(arguments) else ["--end", END]
    assert run(*arguments, *flags) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    for part in says:
        assert part in error
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]


def test_a_model_without_a_default_layer_asks_for_one(workplace, model, capsys):
    assert run("sky.png", "--engine", "torch", "--model", model) == 2
    error = capsys.readouterr().err
    assert "names no layer to dream; choose one with --end, for instance 'mixed/" in error
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]


def test_the_output_may_come_after_a_flag(workplace, model):
    assert run("sky.png", *small(model), "later.png") == 0
    assert (workplace / "later.png").exists()


def test_no_input_is_refused(workplace, capsys):
    assert run() == 2
    assert "INPUT" in capsys.readouterr().err


def test_every_setting_has_a_flag_with_help(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for knob in SETTINGS:
        shown = "--no-" + knob.flag[2:] if knob.default is True else knob.flag
        assert shown in text


def test_flags_without_a_value_mean_what_the_table_says():
    parser = cli.build_parser()
    assert cli.settings_from(parser.parse_args(["x", "--gpu"])).gpu == 0
    assert cli.settings_from(parser.parse_args(["x", "--gpu", "2"])).gpu == 2
    assert cli.settings_from(parser.parse_args(["x", "--no-clip"])).clip is False
    assert cli.settings_from(parser.parse_args(["x"])) == Settings()


def test_models_are_listed_with_the_way_to_get_them(capsys):
    assert run("--list-models") == 0
    text = capsys.readouterr().out
    assert "fetch_bvlc_googlenet.sh" in text or "inception_4c/output" in text
    assert "efficientnet_lite0" in text


def test_layers_are_listed_with_their_shapes(model, capsys):
    assert run("--list-layers", "--model", model, "--engine", "torch") == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.split()[0] == END)
    assert "36 x 16 x 16" in row
    assert not any("split" in line for line in lines)


def test_layers_are_listed_without_the_weights(workplace, model, capsys):
    prototxt = Path(model, "deploy.prototxt").read_text()
    Path("bare").mkdir()
    Path("bare", "deploy.prototxt").write_text(prototxt)
    assert run("--list-layers", "--model", "./bare", "--engine", "torch") == 0
    assert END in capsys.readouterr().out
    Path("bare", "deploy.prototxt").write_text("layer {")
    assert run("--list-layers", "--model", "./bare", "--engine", "torch") == 2
    assert "is not a prototxt" in capsys.readouterr().err


def start(*arguments, **options):
    """Start the command as a process of its own."""
    command = [sys.executable, str(PROJECT / "dream.py"), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def buffering(unbuffered):
    return {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONPATH": ""}


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("flag", ["--list-models", "--help", "--version"])
def test_a_full_disk_under_the_output_is_one_line(flag, unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(PROJECT / "dream.py"), flag],
            stdout=full, stderr=subprocess.PIPE, text=True, env=buffering(unbuffered), check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(unbuffered):
    process = start("--list-models", env=buffering(unbuffered))
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


def test_a_python_without_the_packages_is_told_to_set_up(workplace):
    command = [sys.executable, "-S", str(PROJECT / "dream.py"), "sky.png"]
    done = subprocess.run(command, capture_output=True, text=True, env=buffering(""), check=False)
    assert done.returncode == 2
    assert "run 'make setup', then .venv/bin/python dream.py" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--octavs", "5"], "did you mean --octaves?"),
        (["--octavs=5"], "did you mean --octaves?"),
        (["--stepsize=2", "--itertions=3"], "did you mean --step-size, --iterations?"),
        (["--no-clipp"], "did you mean --no-clip?"),
    ],
)
def test_an_unknown_flag_names_the_nearest(capsys, arguments, says):
    assert run("sky.png", *arguments) == 2
    assert says in capsys.readouterr().err


def test_a_flag_like_no_other_is_refused_without_a_guess(capsys):
    assert run("sky.png", "--zzz") == 2
    error = capsys.readouterr().err
    assert "--zzz" in error
    assert "did you mean" not in error


def test_help_needs_no_network(tmp_path):
    script = (
        "import sys; from dreamlib import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'scipy', 'PIL'} & set(sys.modules), 'heavy imports'"
    )
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True, capture_output=True)


def test_ctrl_c_saves_the_picture_so_far(workplace, model):
    process = start("sky.png", "out.png", *small(model, "--iterations", 100_000))
    for line in process.stderr:
        if "%" in line:
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "stopped early" in error
    assert Image.open("out.png").size == (120, 90)
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5


def test_a_second_ctrl_c_leaves_at_once_and_writes_nothing(workplace, model):
    # Steps on a large picture are long enough to be interrupted twice.
    process = start("noise:1500x1500", "out.png", *small(model, "--octaves", 1, "--iterations", 99))
    for line in process.stderr:
        if "%" in line:
            break
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    while process.poll() is None and not (workplace / "out.png").exists():
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT), error
    assert "Traceback" not in error
    assert not (workplace / "out.png").exists()


def test_a_folder_that_is_not_writable_is_refused(workplace, model, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert run("sky.png", "out.png", *small(model)) == 2
    assert "not writable" in capsys.readouterr().err


def test_the_embedded_model_dreams_by_default(workplace):
    assert run("sky.png", "out.png", "--engine", "torch", "--octaves", 1, "--iterations", 2,
               "--model", "efficientnet_lite0") == 0  # fmt: skip
    assert load_config("out.png")["end"] == "block11"
    assert np.abs(pixels("out.png") - pixels("sky.png")).mean() > 0.5


def test_how_to_get_googlenet_is_told_once(workplace, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(workplace / "state"))
    if find_model(None).name != EMBEDDED:
        pytest.skip("GoogLeNet is there")
    more = ["--octaves", 1, "--iterations", 1, "--engine", "torch"]
    assert run("sky.png", "out.png", *more, "--quiet") == 0
    said = []
    for _ in range(2):
        assert run("sky.png", "out.png", *more) == 0
        said.append(capsys.readouterr().err)
    assert "for the notebook's bvlc_googlenet run:" in said[0]
    assert "bvlc_googlenet" not in said[1]
    assert "model: efficientnet_lite0" in said[1]


def test_a_mistyped_flag_is_one_line(capsys):
    assert run("sky.png", "--octavs", "5") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("dream.py: ")


def test_the_seed_that_was_drawn_is_saved(workplace, model):
    assert run("sky.png", "out.png", *small(model, "--save-config", "out.toml")) == 0
    assert load_config("out.toml")["seed"] == load_config("out.png")["seed"]
    frames = ["film", *small(model, "--frames", 2, "--save-config", "film.toml")]
    assert run("sky.png", *frames) == 0
    assert load_config("film.toml")["seed"] == load_config("film/0000.png")["seed"]
    assert run("--save-config", "none.toml") == 0
    assert "seed" not in load_config("none.toml")


def test_a_mixture_of_layers_is_dreamt_and_recorded(workplace, model):
    mixture = "mixed/output[0-3]:2, mixed/3x3, mean(pool1):-1"
    assert run("sky.png", "a.png", *small(model, "--seed", 1, "--layers", mixture)) == 0
    assert run("sky.png", "b.png", *small(model, "--seed", 1)) == 0
    assert load_config("a.png")["layers"] == mixture
    assert not np.array_equal(pixels("a.png"), pixels("b.png"))
    assert run("sky.png", "again.png", "--config", "a.png") == 0
    assert np.array_equal(pixels("again.png"), pixels("a.png"))


def test_a_guide_leads_the_dream_and_workers_follow_it(workplace, model):
    Image.fromarray(picture(80, 100, seed=5)).save("guide.png")
    flags = small(model, "--seed", 1, "--guide", "guide.png:2", "--guide-layer", "mixed/3x3")
    tiles = ["--schedule", "shift", "--tile-size", 64, "--overlap", 16]
    assert run("sky.png", "a.png", *flags, *tiles) == 0
    assert run("sky.png", "two.png", *flags, *tiles, "--devices", "cpu,cpu") == 0
    assert run("sky.png", "b.png", *small(model, "--seed", 1), *tiles) == 0
    assert np.abs(pixels("two.png") - pixels("a.png")).mean() < 0.05  # threads round differently
    assert np.abs(pixels("a.png") - pixels("b.png")).mean() > 0.5
    assert load_config("a.png")["guide"] == f"{workplace / 'guide.png'}:2"


def test_looks_change_the_dream_and_bring_the_picture_back(workplace, model):
    half = np.zeros((90, 120), np.uint8)
    half[:, 60:] = 255
    Image.fromarray(half).save("where.png")
    dream = {}
    for name, more in {
        "plain": [],
        "smooth": ["--smooth", "1,2", "--calm", 0.3],
        "colour": ["--keep-colour"],
        "half": ["--strength", 0.5],
        "mask": ["--mask", "where.png"],
        "steps": ["--mask", "where.png", "--mask-on", "steps"],
        "laplacian": ["--laplacian", 3],
        "base": ["--pull-base", 20],
    }.items():
        assert run("sky.png", f"{name}.png", *small(model, "--seed", 1), *more) == 0
        dream[name] = pixels(f"{name}.png") - pixels("sky.png")
    assert np.abs(dream["smooth"] - dream["plain"]).mean() > 0.5
    assert np.abs(dream["laplacian"] - dream["plain"]).mean() > 0.5
    assert np.abs(dream["base"]).mean() < 0.9 * np.abs(dream["plain"]).mean()
    assert np.abs(dream["half"] - dream["plain"] / 2).max() <= 1
    assert np.abs(dream["mask"][:, :50]).max() == 0
    assert np.array_equal(dream["mask"][:, 70:], dream["plain"][:, 70:])
    assert np.abs(dream["steps"][:, :40]).mean() < 0.2 * np.abs(dream["steps"][:, 80:]).mean()
    chroma = dream["colour"] - dream["colour"].mean(axis=2, keepdims=True)
    plain = dream["plain"] - dream["plain"].mean(axis=2, keepdims=True)
    assert np.abs(chroma).mean() < 0.5 * np.abs(plain).mean()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--layers", "mixed/outputs"], "'mixed/output'"),
        (["--layers", "mixed/output[99]"], "channels 0 to 35"),
        (["--layers", "mixed/output:0"], "'mixed/output:0': the weight is 0; expected a number"),
        (["--layers", "mixed/output:1e999"], "the weight is inf"),
        (["--guide", "none.jpg"], "none.jpg"),
        (["--guide", "sky.png:0"], "'sky.png:0': the weight is 0; expected a number other than 0"),
        (["--guide", "sky.png:nan"], "the weight is nan"),
        (["--guide", "sky.png", "--guide-layer", "nowhere"], "--guide-layer"),
        (["--guide", "tiny.png"], "tiny.png is 1 x 1 pixels as it is seen; layer"),
        (["--smooth", "much"], "sigmas"),
        (["--mask", "none.png"], "none.png"),
    ],
)
def test_what_a_lucid_dream_cannot_have_is_refused(workplace, model, capsys, flags, says):
    Image.fromarray(picture(1, 1)).save("tiny.png")
    assert run("sky.png", "out.png", *small(model), *flags) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert sorted(path.name for path in workplace.iterdir()) == ["sky.png", "tiny.png"]
