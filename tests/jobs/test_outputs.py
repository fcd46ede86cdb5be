"""What is written over, and what is not; many inputs into one folder."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dreamlib
from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.imaging import samples
from dreamlib.jobs.outputs import is_dreams_own
from dreamlib.util.progress import Progress
from dreamlib.video.clip import open_clip
from dreamlib.video.encode import assemble
from dreamlib.video.mark import MARK, is_marked
from tests.command import ctrl_c_at, film_frames, pixels, run
from tests.nets import picture
from tests.video.test_encode import make_frames

END = "mixed/output"


def flags(model, *more):
    return ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
            "--quiet", *more]  # fmt: skip


@pytest.fixture
def photographs(workplace):
    """Two photographs beside ``sky.png``, and what they are, by name."""
    for seed, name in enumerate(["fold/a.png", "fold/b.jpg"], 1):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(60, 80, seed)).save(name)
    return {name: Path(name).read_bytes() for name in ("fold/a.png", "fold/b.jpg")}


def test_a_second_photograph_is_not_dreamt_over(photographs, model, capsys):
    assert run(*photographs, *flags(model)) == 2
    error = capsys.readouterr().err
    assert "fold/a.png and fold/b.jpg are both there already." in error
    assert "Then add --output-dir FOLDER." in error
    assert "Then add --overwrite" in error
    assert {name: Path(name).read_bytes() for name in photographs} == photographs


def test_overwrite_allows_it(photographs, model):
    assert run(*photographs, *flags(model, "--overwrite")) == 0
    assert load_config("fold/b.jpg")["end"] == END


def test_a_dream_may_take_the_place_of_a_dream(workplace, model):
    for name in ("out.png", "out.jpg", "out.webp", "out.tif"):
        for seed in (1, 2):
            assert run("sky.png", name, *flags(model, "--seed", seed)) == 0
        assert load_config(name)["seed"] == 2


def test_two_dreams_by_a_pattern_are_two_inputs(workplace, model, capsys):
    for name in ("a.png", "b.png"):
        assert run("sky.png", name, *flags(model)) == 0
    before = Path("b.png").read_bytes()
    assert run("a.png", "b.png", *flags(model)) == 2
    assert "Are both to be dreamt?" in capsys.readouterr().err
    assert Path("b.png").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["sky.png", "mine.png"],
        ["noise:60x60", "mine.png"],
        ["noise:60x60", "mine.bmp"],
        ["sky.png", "out.png", "--preview", "5"],
        ["sky.png", "mine.png", "--contact-sheet", "conv1[0]"],
        ["sky.png", "film", "--frames", "2", "--gif", "mine.gif"],
        ["sky.png", "film", "--frames", "2", "--mp4", "mine.mp4"],
        ["sky.png", "out.png", "--save-config", "mine.toml"],
        ["sky.png", "out.png", "--save-config", "mine.json"],
    ],
)
def test_nothing_of_the_users_is_written_over(workplace, model, capsys, arguments):
    for name in ("mine.png", "mine.bmp", "mine.gif", "out.png.preview.jpg"):
        Image.fromarray(picture(20, 20)).save(name)
    Path("mine.mp4").write_bytes(b"a holiday")
    Path("mine.toml").write_text("octaves = 3\n")
    Path("mine.json").write_text('{"octaves": 3}\n')
    before = {path: path.read_bytes() for path in workplace.iterdir()}
    arguments = [*arguments, "--engine", "torch", "--model", model]
    arguments += [] if "--contact-sheet" in arguments else ["--end", END]
    assert run(*arguments, "--octaves", 1, "--iterations", 1) == 2
    error = capsys.readouterr().err
    assert "--overwrite" in error
    assert {path: path.read_bytes() for path in workplace.iterdir()} == before


def test_python_asks_too(workplace, model):
    Image.fromarray(picture(20, 20)).save("mine.png")
    settings = {"engine": "torch", "model": model, "end": END, "octaves": 1, "iterations": 1}
    with pytest.raises(DreamError, match="it would be lost"):
        dreamlib.run("sky.png", "mine.png", **settings)
    dreamlib.run("sky.png", "mine.png", **settings, overwrite=True, quiet=True)
    assert is_dreams_own("mine.png")


def test_a_file_that_comes_while_it_is_dreamt_stays(workplace, model, monkeypatch, capsys):
    def late(progress, step, take_step=Progress.__call__):
        Image.fromarray(picture(20, 20)).save("out.png")
        return take_step(progress, step)

    monkeypatch.setattr(Progress, "__call__", late)
    assert run("sky.png", "out.png", *flags(model)) == 2
    error = capsys.readouterr().err
    assert "The picture was saved as" in error
    assert pixels("out.png").shape == (20, 20, 3)
    saved = error.split("saved as ")[1].split(" instead")[0]
    assert pixels(saved).shape == (90, 120, 3)
    Path(saved).unlink()
    Path(saved).parent.rmdir()


def test_saved_configurations_are_known(workplace):
    for name in ("all.toml", "all.json"):
        assert run("--save-config", name, "--octaves", 3) == 0
        assert run("--save-config", name, "--octaves", 5) == 0
        assert load_config(name)["octaves"] == 5


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4", ".webm"])
def test_films_are_known_by_a_mark_that_nobody_sees(tmp_path, suffix):
    frames = make_frames(tmp_path / "frames", 3)
    film = tmp_path / f"film{suffix}"
    assemble(frames, film)
    assert is_marked(film)
    assert is_dreams_own(film)
    bare = film.read_bytes()
    assert MARK in bare
    if suffix in (".gif", ".webp"):
        assert len(film_frames(film)[0]) == 3
        with Image.open(film) as shown:
            assert shown.n_frames == 3
    else:
        assert len(list(open_clip(str(film)).frames_from(0))) == 3


def test_a_webp_counts_the_mark_among_its_bytes(tmp_path):
    film = tmp_path / "film.webp"
    assemble(make_frames(tmp_path / "frames", 2), film)
    data = film.read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert len(data) % 2 == 0


# -- many inputs ----------------------------------------------------------------------------------


def test_several_inputs_go_into_a_folder(photographs, model):
    assert run("sky.png", *photographs, "--output-dir", "new/dreams", *flags(model)) == 0
    made = sorted(path.name for path in Path("new/dreams").iterdir())
    assert made == ["a_dream.png", "b_dream.png", "sky_dream.png"]
    assert pixels("new/dreams/a_dream.png").shape == (60, 80, 3)
    assert {name: Path(name).read_bytes() for name in photographs} == photographs


def test_one_of_many_is_the_same_dream_alone(photographs, model):
    assert run(*photographs, "--output-dir", "dreams", *flags(model, "--seed", 4)) == 0
    assert run("fold/b.jpg", "alone.png", *flags(model, "--seed", 4)) == 0
    assert np.array_equal(pixels("alone.png"), pixels("dreams/b_dream.png"))


def test_all_have_the_seed_that_is_drawn_and_saved(photographs, model):
    more = ["--save-config", "all.toml"]
    assert run(*photographs, "--output-dir", "dreams", *flags(model, *more)) == 0
    seeds = {load_config(f"dreams/{name}_dream.png")["seed"] for name in "ab"}
    assert seeds == {load_config("all.toml")["seed"]}


def test_a_folder_means_its_pictures_and_never_its_dreams(photographs, model):
    Path("fold/notes.txt").write_text("nothing to dream")
    for _ in range(2):
        assert run("fold", "--output-dir", "fold", *flags(model)) == 0
    names = sorted(path.name for path in Path("fold").iterdir())
    assert names == ["a.png", "a_dream.png", "b.jpg", "b_dream.png", "notes.txt"]


def test_pictures_of_a_folder_come_in_natural_order(workplace, model, capsys):
    Path("many").mkdir()
    for number in (10, 9, 1):
        Image.fromarray(picture(40, 40)).save(f"many/p{number}.png")
    arguments = [one for one in flags(model) if one != "--quiet"]
    assert run("many", "--output-dir", "dreams", *arguments) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "/3  many" in line]
    assert said == ["1/3  many/p1.png", "2/3  many/p9.png", "3/3  many/p10.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["fold/a.png", "sky.png", "none.png"],
            "none.png: there is no such file; with --output-dir",
        ),
        (["fold/a.png", "fold/b.jpg", "--growth", "x.gif"], "--growth means nothing to several"),
        (["fold/a.png", "a.jpg"], "would both become"),
        (["fold/a.png", "fold/b.jpg", "--work-dir", "w"], "--work-dir means nothing to several"),
        (["fold/a.png", "fold/b.jpg", "--frames", "2", "--gif", "x.gif"], "--gif means nothing"),
        (["empty"], "empty has no pictures"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    photographs, model, capsys, arguments, says
):
    Path("empty").mkdir()
    Path("a.jpg").write_bytes(photographs["fold/b.jpg"])
    assert run(*arguments, "--output-dir", "dreams", *flags(model)) == 2
    assert says in capsys.readouterr().err
    assert not Path("dreams").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fold"], "the folder fold has no frames"),
        (["fold/a.png", "fold/b.jpg", "sky.png"], "3 names are written where INPUT and OUTPUT"),
    ],
)
def test_without_output_dir_it_is_asked_for(photographs, model, capsys, arguments, says):
    assert run(*arguments, *flags(model)) == 2
    assert says in capsys.readouterr().err


def test_one_that_fails_does_not_keep_the_others(photographs, model, capsys):
    Path("fold/a.png").write_bytes(photographs["fold/a.png"][:200])
    assert run("fold", "--output-dir", "dreams", *flags(model)) == 2
    assert "fold/a.png" in capsys.readouterr().err
    assert [path.name for path in Path("dreams").iterdir()] == ["b_dream.png"]


def test_resume_leaves_what_is_finished_and_dreams_the_rest(photographs, model):
    with ctrl_c_at(6):  # in the second
        assert run("fold", "--output-dir", "dreams", *flags(model, "--seed", 4)) == 130
    first = Path("dreams/a_dream.png").stat().st_mtime_ns
    assert Path("dreams/b_dream.png").exists()  # so far
    assert run("fold", "--output-dir", "dreams", *flags(model, "--seed", 4, "--resume")) == 0
    assert Path("dreams/a_dream.png").stat().st_mtime_ns == first
    assert run("fold/b.jpg", "alone.png", *flags(model, "--seed", 4)) == 0
    assert np.array_equal(pixels("alone.png"), pixels("dreams/b_dream.png"))


# -- found before the dream -----------------------------------------------------------------------


def test_a_place_that_takes_no_file_is_found_before_the_dream(workplace, model, capsys):
    assert run("sky.png", "/proc/out.png", *flags(model)) == 2
    assert "/proc/out.png cannot be written" in capsys.readouterr().err
    os.mkfifo("pipe.png")
    assert run("sky.png", "pipe.png", *flags(model)) == 2
    assert "no regular file" in capsys.readouterr().err
    assert run("sky.png", "film", *flags(model, "--frames", 2, "--gif", "/proc/x.gif")) == 2
    assert "/proc/x.gif cannot be written" in capsys.readouterr().err


def test_an_unfinished_dream_of_the_same_output_is_not_passed_over(workplace, model, capsys):
    arguments = ["sky.png", "out.png", *flags(model, "--iterations", 4)]
    with ctrl_c_at(3):
        assert run(*arguments, "--work-dir", "out.png.work") == 130
    assert run(*arguments) == 2
    assert "out.png.work holds an unfinished dream: resume it with" in capsys.readouterr().err
    assert run("sky.png", "out.png", "--resume", "--quiet") == 0
    assert run(*arguments) == 0


def test_a_saved_json_is_only_that_which_has_all(workplace):
    values = {"octaves": 3, "iterations": 4}
    Path("few.json").write_text(json.dumps(values))
    assert not is_dreams_own("few.json")


def test_a_folder_with_a_pictures_name_is_not_made(workplace, model, capsys):
    assert run("sky.png", "--output-dir", "out.png", *flags(model)) == 2
    assert "stands after its input: dream.py sky.png out.png" in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_a_sample_may_be_dreamt_into_the_same_output_again(workplace, model):
    samples.main(["clouds", "sample.png", "--size", "120x90"])
    for _ in range(2):
        assert run("sample.png", "out.png", *flags(model)) == 0
