"""Films: frames dreamt one from the other, and clips; by the command and beside the notebook."""

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as nd
from PIL import Image

import dreamlib
from dreamlib import pycaffe
from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.jobs.frames import run_frames
from dreamlib.settings import Settings
from dreamlib.video.frame_folder import FrameFolder
from tests import notebook
from tests.command import ctrl_c_at, pixels, run, run_and_kill
from tests.nets import MEAN, picture
from tests.video.test_clip import PICTURES, SOUND, make_clip, sound_of

END = "mixed/output"


@pytest.fixture
def sky_size():
    return 70, 90


def flags(model, *more):
    return ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
            "--seed", 3, "--quiet", *more]  # fmt: skip


def film(model, folder="film", *more, frames=4):
    return run("sky.png", folder, *flags(model, "--frames", frames, *more))


def write_script(path, steps):
    script = f"[[octave]]\niter_n = {steps}\nstart_sigma = 1\nend_sigma = 1\n"
    Path(path).write_text(script + "start_step_size = 4\nend_step_size = 4\n")


def test_python_makes_films_as_the_command_does(workplace, model):
    film(model, frames=2)
    settings = {"engine": "torch", "model": model, "end": END, "octaves": 2, "iterations": 2}
    result = dreamlib.run("sky.png", "same", **settings, seed=3, frames=2, quiet=True)
    assert result.frames == 2
    assert np.array_equal(pixels("film/0001.png"), pixels("same/0001.png"))


def test_frames_are_numbered_from_zero_and_differ(workplace, model):
    assert film(model) == 0
    names = sorted(path.name for path in (workplace / "film").glob("*.png"))
    assert names == ["0000.png", "0001.png", "0002.png", "0003.png"]
    assert np.abs(pixels("film/0003.png") - pixels("film/0002.png")).mean() > 1


def test_the_first_frame_is_the_dream_of_the_picture(workplace, model):
    film(model, frames=1)
    run("sky.png", "one.png", *flags(model))
    assert np.array_equal(pixels("film/0000.png"), pixels("one.png"))


def test_the_default_film_is_the_notebooks_zoom(workplace, model):
    film(model, "film", "--jitter", 0, "--no-keep-tone", frames=3)
    paths = [str(Path(model) / name) for name in ("deploy.prototxt", "random.caffemodel")]
    net = pycaffe.Classifier(*paths, mean=MEAN, channel_swap=(2, 1, 0))
    frame, share = np.float32(picture(70, 90)), 0.05
    for number in range(3):
        frame = notebook.deepdream(net, frame, iter_n=2, octave_n=2, end=END, jitter=0)
        expected = np.uint8(np.clip(np.rint(frame), 0, 255))
        assert np.array_equal(pixels(f"film/{number:04}.png"), expected)
        height, width = frame.shape[:2]
        frame = nd.affine_transform(
            frame, [1 - share, 1 - share, 1], [height * share / 2, width * share / 2, 0], order=1
        )


def test_a_film_that_is_gone_on_with_is_the_same(workplace, model):
    more = ["--distort", "zoom:0.05, regions:2x2, hue:10"]
    film(model, "whole", *more)
    film(model, "parts", *more, frames=2)
    assert film(model, "parts", "--resume", frames=4) == 0
    for number in range(4):
        assert np.array_equal(pixels(f"whole/{number:04}.png"), pixels(f"parts/{number:04}.png"))


def test_a_killed_film_is_gone_on_with_to_the_same_frames(workplace, model):
    film(model, "whole", frames=8)
    reel = workplace / "killed"
    arguments = flags(model, "--frames", 8)
    run_and_kill((reel / "0001.png").exists, "sky.png", reel.name, *arguments)
    assert film(model, "killed", "--resume", frames=8) == 0
    for number in range(8):
        assert np.array_equal(pixels(f"whole/{number:04}.png"), pixels(f"killed/{number:04}.png"))


def test_what_is_told_of_a_film_that_is_gone_on_with_counts_what_was_there(workplace, model):
    film(model, "film", frames=3)
    told = []
    settings = Settings(frames=4, resume=True, quiet=True)
    run_frames("sky.png", "film", settings, told.append)
    assert told[0].share > 3 / 4
    assert told[0].octave == told[0].octaves == 4
    assert told[-1].share == 1


def test_ctrl_c_keeps_the_whole_frames(workplace, model):
    with ctrl_c_at(11):  # of four steps to a frame
        assert film(model, "film", "--gif", "film.gif") == 130
    reel = FrameFolder("film", resume=True)
    assert reel.last()[0] == reel.whole() - 1 == 1
    assert not Path("film.gif").exists()


def test_settings_vary_over_the_frames(workplace, model):
    film(model, "film", "--vary", "strength:0..1, end:conv1|mixed/output", frames=3)
    assert np.abs(pixels("film/0000.png") - pixels("sky.png")).max() <= 1
    assert np.abs(pixels("film/0002.png") - pixels("film/0001.png")).mean() > 1


def test_distortions_may_come_every_so_many_frames(workplace, model):
    more = ["--vary", "strength:0..0", "--distort", "shift:9,0", "--distort-every", 2]
    film(model, "film", *more, "--no-keep-tone")
    first, second, third = (pixels(f"film/{number:04}.png") for number in range(3))
    assert np.abs(second - first).mean() > 1  # shifted after frame 0
    assert np.abs(third - second).max() <= 1  # and not after frame 1


def test_brightness_and_contrast_stay_put(workplace, model):
    kept, alone = [], []
    for folder, more, means in (("kept", [], kept), ("alone", ["--no-keep-tone"], alone)):
        film(model, folder, "--step-size", 6, *more, frames=12)
        means += [pixels(f"{folder}/{number:04}.png").mean((0, 1)) for number in (0, 11)]
    assert np.abs(kept[1] - kept[0]).max() < 3
    assert np.abs(alone[1] - alone[0]).max() > np.abs(kept[1] - kept[0]).max()


def test_a_film_from_noise_carries_its_settings(workplace, model):
    assert run("noise:80x64", "film", *flags(model, "--frames", 2, "--distort", "rotate:5")) == 0
    config = load_config("film/0001.png")
    assert config["distort"] == "rotate:5"
    assert config["seed"] == 3
    assert run("noise:80x64", "again", "--config", "film/0001.png", "--frames", 2, "--quiet") == 0
    assert np.array_equal(pixels("film/0001.png"), pixels("again/0001.png"))


def test_films_are_made_of_the_frames(workplace, model):
    assert film(model, "film", "--gif", "a.gif", "--webp", "a.webp", "--mp4", "a.mp4") == 0
    assert Image.open("a.gif").n_frames == Image.open("a.webp").n_frames == 4
    assert Path("a.mp4").stat().st_size > 1000


def test_frames_that_are_there_are_assembled(workplace, model):
    film(model)
    assert run("--assemble", "film", "--gif", "b.gif", "--boomerang", "--quiet") == 0
    assert Image.open("b.gif").n_frames == 6


def test_frames_may_be_jpegs(workplace, model):
    film(model, "film", "--frame-format", "jpg", "--quality", 60, frames=2)
    assert Image.open("film/0001.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--distort", "zom:0.05"], "there is no distortion 'zom'"),
        (["--vary", "octvaes:1..2"], "did you mean 'octaves'"),
        (["--vary", "end:conv1|conv9"], "conv9"),
        (["--gif", "a.mp4"], "--gif is 'a.mp4'; expected a file that ends in .gif"),
        (["--mp4", "nowhere/a.mp4"], "nowhere"),
        (["--boomerang", "--reverse"], "leave --reverse out"),
        (["--region", "0,0,9,9"], "--region means nothing to a film of frames"),
        (["--octaves", "12"], "does not fit"),
        (["--memory", "1M"], "memory"),
        (["--resume"], "holds no unfinished film"),
    ],
)
def test_what_cannot_be_filmed_is_refused_and_no_folder_is_made(
    workplace, model, capsys, more, says
):
    assert film(model, "film", *more) == 2
    assert says in capsys.readouterr().err
    assert not (workplace / "film").exists()


def test_a_folder_with_frames_is_refused(workplace, model, capsys):
    film(model, frames=1)
    assert film(model) == 2
    assert "holds frames already, 0000.png for one; continue them" in capsys.readouterr().err


def test_a_folder_with_other_numbered_pictures_is_refused(workplace, model, capsys):
    (workplace / "film").mkdir()
    Image.fromarray(picture(70, 90)).save("film/0002.jpg")
    assert film(model) == 2
    assert "holds frames already, 0002.jpg for one" in capsys.readouterr().err


def test_a_film_that_ended_before_its_first_frame_may_begin_anew(workplace, model):
    assert film(model, frames=1) == 0
    (workplace / "film" / "0000.png").unlink()
    (workplace / "film" / ".film" / "journal.json").write_text("")
    assert film(model, frames=1) == 0


def test_a_full_disk_tells_how_to_go_on(workplace, model, capsys, monkeypatch):
    def full(path, *_):
        raise DreamError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("dreamlib.video.frame_folder.save_picture", full)
    assert film(model) == 2
    assert (
        "No space left on device; mend that, then continue with --resume" in capsys.readouterr().err
    )


def test_a_missing_frame_is_told_when_the_film_is_gone_on_with(workplace, model, capsys):
    film(model, frames=3)
    (workplace / "film" / "0001.png").unlink()
    assert film(model, "film", "--resume", frames=4) == 2
    assert (
        "0001.png is missing or was changed, and frames up to 2 were dreamt"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("contents", [b"", b"other"])
def test_a_frame_that_was_changed_is_told_when_the_film_is_gone_on_with(
    workplace, model, capsys, contents
):
    film(model, frames=2)
    (workplace / "film" / "0000.png").write_bytes(contents)
    assert film(model, "film", "--resume", frames=3) == 2
    assert "0000.png is missing or was changed" in capsys.readouterr().err


def test_the_last_frame_unrounded_is_told_where_it_was_changed(workplace, model, capsys):
    film(model, frames=1)
    path = workplace / "film" / ".film" / "last.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert film(model, "film", "--resume", frames=2) == 2
    assert "last.npz is damaged" in capsys.readouterr().err


def test_two_films_do_not_share_a_folder(workplace, model, capsys):
    film(model, frames=1)
    with contextlib.closing(FrameFolder("film", resume=True)):
        assert film(model, "film", "--resume", frames=2) == 2
    assert "another process makes the film in film" in capsys.readouterr().err
    assert film(model, "film", "--resume", frames=2) == 0


def test_of_a_films_folder_only_its_own_files_are_removed(workplace):
    folder = FrameFolder("film")
    folder.begin({})
    folder.add(0, np.zeros((4, 4, 3), np.float32), "")
    (workplace / "film" / "thesis.txt").write_text("mine")
    folder.remove()
    assert os.listdir("film") == ["thesis.txt"]


def test_a_film_of_drawings_is_gone_on_with(workplace, model):
    write_script("script.toml", steps=2)
    command = ["--engine", "torch", "--model", model, "--script", "script.toml", "--layers", END,
               "--quiet"]  # fmt: skip
    assert run("sky.png", "whole", "--frames", 2, "--seed", 3, *command) == 0
    assert run("sky.png", "film", "--frames", 1, "--seed", 3, *command) == 0
    assert run("sky.png", "film", "--frames", 2, "--resume", *command) == 0
    assert np.array_equal(pixels("film/0001.png"), pixels("whole/0001.png"))


def test_another_picture_is_no_continuation(workplace, model, capsys):
    film(model, frames=1)
    Image.fromarray(picture(70, 90, seed=9)).save("sky.png")
    assert film(model, "film", "--resume", frames=2) == 2
    assert "the input picture" in capsys.readouterr().err


def test_another_script_is_no_continuation(workplace, model, capsys):
    write_script("script.toml", steps=2)
    command = ["--engine", "torch", "--model", model, "--script", "script.toml", "--layers", END]
    assert run("sky.png", "film", "--frames", 1, *command) == 0
    write_script("script.toml", steps=3)
    assert run("sky.png", "film", "--frames", 2, "--resume", *command) == 2
    assert "the octave script of the dream in film has changed" in capsys.readouterr().err


def test_another_guide_by_turns_is_no_continuation(workplace, model, capsys):
    for name in ("a", "b"):
        Image.fromarray(picture(60, 70, seed=1)).save(f"{name}.png")
    more = ["--vary", "guide:a.png|b.png"]
    assert film(model, "film", *more, frames=1) == 0
    assert film(model, "film", *more, "--resume", frames=2) == 0
    Image.fromarray(picture(60, 70, seed=9)).save("b.png")
    assert film(model, "film", "--resume", frames=3) == 2
    assert f"the guide picture {workplace}/b.png" in capsys.readouterr().err


def test_a_ramp_needs_as_many_frames_as_it_began_with(workplace, model, capsys):
    film(model, "film", "--vary", "step_size:1..2", frames=2)
    assert film(model, "film", "--vary", "step_size:1..2", "--resume", frames=3) == 2
    assert "--vary runs over 2 frames" in capsys.readouterr().err


def test_a_damaged_journal_is_an_error_in_words(workplace, model, capsys):
    film(model, frames=1)
    (workplace / "film" / ".film" / "journal.json").write_text("{")
    assert film(model, "film", "--resume") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_what_is_for_dreams_is_refused_of_frames_that_are_there(workplace, model, capsys):
    film(model, frames=1)
    assert run("--assemble", "film", "--gif", "a.gif", "--frames", 3, "--iterations", 2) == 2
    assert "--iterations, --frames mean nothing" in capsys.readouterr().err
    assert not (workplace / "a.gif").exists()


def test_what_is_for_films_is_refused_of_one_picture(workplace, model, capsys):
    assert run("sky.png", "out.png", *flags(model), "--gif", "a.gif") == 2
    said = capsys.readouterr().err
    assert "--gif means nothing to one picture (--frames N makes a film, --growth" in said
    assert not (workplace / "out.png").exists()


def test_a_frames_settings_dream_a_picture(workplace, model):
    film(model, "film", "--distort", "hue:4", frames=1)
    assert run("sky.png", "one.png", "--config", "film/0000.png", "--quiet") == 0
    assert np.array_equal(pixels("film/0000.png"), pixels("one.png"))


def test_nothing_to_assemble_is_refused(workplace, model, capsys):
    film(model, frames=1)
    assert run("--assemble", "film") == 2
    assert "name a film" in capsys.readouterr().err


# Clips


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    short = (PICTURES + SOUND).replace("duration=1", "duration=0.2")
    return make_clip(path, short + "-c:a aac")


def dream_clip(model, clip, out, *more):
    return run(clip, out, *flags(model, *more))


def test_a_clip_is_dreamt_with_its_sound_and_rate(workplace, model, clip):
    from dreamlib.video.clip import open_clip

    assert dream_clip(model, clip, "out.mp4") == 0
    before, after = open_clip(clip), open_clip("out.mp4")
    assert (after.size, after.fps, after.frames) == (before.size, before.fps, before.frames)
    assert sound_of("out.mp4") == sound_of(clip)
    change = [np.abs(a.astype(int) - b).mean()
              for a, b in zip(before.frames_from(), after.frames_from())]  # fmt: skip
    assert min(change) > 1
    assert not Path("out.mp4.work").exists()


def test_a_killed_clip_is_gone_on_with_to_the_same_film(workplace, model, clip):
    dream_clip(model, clip, "whole.mp4")
    run_and_kill(Path("killed.mp4.work/0001.png").exists, clip, "killed.mp4", *flags(model))
    assert dream_clip(model, clip, "killed.mp4", "--resume") == 0
    assert Path("whole.mp4").read_bytes() == Path("killed.mp4").read_bytes()


def test_an_unreadable_clip_is_refused(workplace, model, capsys):
    Path("clip.mp4").write_bytes(b"no clip")
    assert dream_clip(model, "clip.mp4", "out.mp4") == 2
    assert "clip.mp4" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["clip.mp4", "sky.png"]


def test_a_clip_does_not_overwrite_itself(workplace, model, clip, capsys):
    assert dream_clip(model, clip, clip) == 2
    assert "is the input" in capsys.readouterr().err


def test_a_clip_has_its_own_frames(workplace, model, clip, capsys):
    assert dream_clip(model, clip, "out.mp4", "--frames", 3) == 2
    refused = capsys.readouterr().err
    assert "is a clip, which has its own frames; leave --frames out" in refused
    with pytest.raises(DreamError) as error:
        dreamlib.run(str(clip), "out.mp4", model=model, frames=3)
    assert str(error.value) in refused


def test_a_films_name_is_no_folder_for_frames(workplace, model, capsys):
    assert film(model, "zoom.gif") == 2
    assert "zoom.gif is no folder for frames" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["sky.png"]


def test_what_is_for_pictures_is_refused_of_a_clip(workplace, model, clip, capsys):
    assert dream_clip(model, clip, "out.mp4", "--gif", "a.gif") == 2
    assert "--gif means nothing to a clip" in capsys.readouterr().err


def test_the_journal_says_what_the_film_is_made_of(workplace, model):
    film(model, frames=1)
    record = json.loads((workplace / "film" / ".film" / "journal.json").read_text())["record"]
    assert set(record["files"]) == {
        "the input picture", "the model's weights", "the model's network", "the model's mean"
    }  # fmt: skip
    assert record["settings"]["end"] == END
