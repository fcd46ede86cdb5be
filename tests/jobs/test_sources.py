"""What becomes of unusual pictures on their way into a dream, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.video.clip import open_clip
from tests.command import ctrl_c_at, film_frames, run, run_and_kill
from tests.nets import picture
from tests.video.test_animation import STAYS, animated, numbered


def small(model, *more):
    """Flags of a dream that takes a moment."""
    flags = ["--engine", "torch", "--model", model, "--end", "mixed/output", "--octaves", 2,
             "--iterations", 1, "--seed", 3]  # fmt: skip
    return [*flags, *more]


def see_through(name, hidden):
    """Write a picture whose middle is transparent, with these colours there."""
    alpha = np.full((90, 120), 255, np.uint8)
    alpha[30:60, 40:80] = 0
    pixels = picture(90, 120)
    pixels[alpha == 0] = hidden
    Image.fromarray(np.dstack([pixels, alpha])).save(name)
    return alpha


@pytest.mark.parametrize("more", [[], ["--schedule", "shift", "--work-dir", "work"]])
def test_the_dream_does_not_see_what_nobody_sees(workplace, model, more):
    see_through("black.png", 0)
    alpha = see_through("pink.png", (255, 0, 255))
    for name in ("black", "pink"):
        assert run(f"{name}.png", f"{name}-out.png", *small(model, *more)) == 0
    black, pink = (np.asarray(Image.open(f"{name}-out.png")) for name in ("black", "pink"))
    assert np.array_equal(black, pink)
    assert np.array_equal(black[..., 3], alpha)


def test_a_jpeg_of_a_transparent_picture_is_white_there_and_it_is_said(workplace, model, capsys):
    alpha = see_through("pink.png", (255, 0, 255))
    assert run("pink.png", "out.jpg", *small(model)) == 0
    shown = np.asarray(Image.open("out.jpg")).astype(int)
    assert shown[alpha == 0].min() > 200
    assert shown[35:55, 45:75].min() > 250
    assert "laid on white" in capsys.readouterr().err


def test_a_damaged_profile_is_told_of(workplace, model, capsys):
    Image.open("sky.png").save("bogus.png", icc_profile=b"nothing" * 40)
    assert run("bogus.png", "out.png", *small(model)) == 0
    assert "bogus.png: its colour profile is damaged" in capsys.readouterr().err
    assert "icc_profile" not in Image.open("out.png").info
    assert run("bogus.png", "frames", *small(model, "--frames", 1)) == 0
    assert "bogus.png: its colour profile is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animation_is_dreamt_with_its_times_and_its_loop(workplace, model, capsys, name):
    animated(workplace / name, loop=2)
    assert run(name, *small(model)) == 0
    out = "a_dream.gif" if name == "a.gif" else "a_dream.webp"
    assert f"{out}: 4 frames" in capsys.readouterr().out
    assert film_frames(out)[1] == STAYS
    with Image.open(out) as film:
        assert film.info["loop"] == 2
    assert run(name, "out.gif", "--loop", 0, "--from", 1, "--to", 2, *small(model)) == 0
    assert film_frames("out.gif")[1] == STAYS[1:3]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_of_an_animation_whose_first_frame_is_dreamt_alone_it_is_said(
    workplace, model, capsys, name
):
    animated(workplace / name)
    assert run(name, "out.png", *small(model)) == 0
    assert f"{name} is animated: the first of its 4 frames" in capsys.readouterr().err
    with Image.open("out.png") as out, Image.open(name) as first:
        assert out.size == first.size
    assert run("sky.png", "out.png", *small(model)) == 0
    assert "animated" not in capsys.readouterr().err


def test_a_video_has_no_number_of_loops(workplace, model, capsys):
    animated(workplace / "a.gif")
    assert run("a.gif", "out.mp4", "--loop", 3, *small(model)) == 2
    assert "--loop means nothing to an MP4 or WebM" in capsys.readouterr().err


def test_a_film_of_frames_does_not_take_the_place_of_their_picture(workplace, model, capsys):
    assert run("sky.png", "made.webp", *small(model)) == 0
    before = (workplace / "made.webp").read_bytes()
    assert run("made.webp", "frames", "--frames", 2, "--webp", "made.webp", *small(model)) == 2
    assert "made.webp is what films are to be made of" in capsys.readouterr().err
    assert (workplace / "made.webp").read_bytes() == before


def test_a_folder_of_frames_is_dreamt_and_resumed_to_the_same_film(workplace, model):
    numbered(workplace / "shots", [f"frame-{number}.png" for number in range(8, 12)])
    flags = small(model, "--fps", 5, "--every", 2)
    assert run("shots", "out.gif", *flags) == 0
    assert film_frames("out.gif")[1] == [200, 200]
    run_and_kill(Path("again.gif.work/0000.png").exists, "shots", "again.gif", *map(str, flags))
    assert run("shots", "again.gif", "--resume", *flags) == 0
    assert Path("again.gif").read_bytes() == Path("out.gif").read_bytes()


def test_a_clip_is_not_resumed_with_other_frames(workplace, model, capsys):
    numbered(workplace / "shots", [f"{number}.png" for number in range(4)])
    flags = list(map(str, small(model)))
    run_and_kill(Path("out.gif.work/0000.png").exists, "shots", "out.gif", *flags)
    assert run("shots", "out.gif", "--resume", "--from", 1, *flags) == 2
    assert "the choice of frames" in capsys.readouterr().err
    Image.new("RGB", (64, 48)).save("shots/2.png")
    assert run("shots", "out.gif", "--resume", *flags) == 2
    assert "the input picture" in capsys.readouterr().err


def test_a_finished_film_is_reversed_and_trimmed(workplace):
    numbered(workplace / "shots", [f"{number}.png" for number in range(5)])
    assert run("--assemble", "shots", "--mp4", "film.mp4", "--fps", 10, "--quality", 100) == 0
    trimmed = ["--from", 1, "--to", 4, "--every", 2]
    assert run("--assemble", "film.mp4", "--gif", "out.gif", "--reverse", *trimmed) == 0
    pictures, stays = film_frames("out.gif")
    assert stays == [200, 200]  # as long as what it was made of
    assert np.abs(pictures[:, 0, 0, 0] - [140, 60]).max() < 12
    assert run("--assemble", "out.gif", "--mp4", "again.mp4") == 0
    assert open_clip("again.mp4").duration == pytest.approx(0.4)


def test_a_film_is_not_made_of_itself(workplace, capsys):
    animated(workplace / "a.gif")
    assert run("--assemble", "a.gif", "--gif", "a.gif", "--reverse", "--overwrite") == 2
    assert "name another file" in capsys.readouterr().err
    assert film_frames("a.gif")[1] == STAYS


@pytest.mark.parametrize("more", [[], ["--schedule", "shift", "--tile-size", 64]])
def test_a_film_shows_how_one_dream_grows(workplace, model, more, capsys):
    flags = small(model, "--iterations", 3, *more)
    assert run("sky.png", "alone.png", *flags) == 0
    capsys.readouterr()
    loud = [one for one in flags if one != "--quiet"]
    assert run("sky.png", "out.png", "--growth", "grow.webp", "--quality", 100, *loud) == 0
    assert capsys.readouterr().out.endswith("; grow.webp\n")
    grown = np.asarray(Image.open("out.png")).astype(int)
    assert np.array_equal(grown, np.asarray(Image.open("alone.png")))  # watched, not changed
    pictures, stays = film_frames("grow.webp")
    assert pictures.shape[1:] == (90, 120, 3)
    # Two octaves of three steps; the last frame is the dream, and may be one with that of its step.
    assert sum(stays) == 6 * 80 + 2000
    distance = [np.abs(one - grown).mean() for one in pictures]
    assert distance[0] > distance[len(pictures) // 2] > distance[-1] == 0


@pytest.mark.parametrize("more", [[], ["--region", "10,10,100,70"]])
def test_what_is_shown_of_a_transparent_dream_on_its_way_is_white_there(workplace, model, more):
    see_through("glass.png", (255, 0, 0))
    shown = ["--preview", 1e-9, "--quality", 100, *more]
    if not more:
        shown += ["--growth", "grow.webp"]
    assert run("glass.png", "out.webp", *small(model, *shown)) == 0
    seen = [np.asarray(Image.open("out.webp.preview.jpg"))]
    if not more:
        seen.extend(film_frames("grow.webp")[0])
    for one in seen:
        assert one[36:50, 50:68].min() > 245
        assert one[:20].mean() < 200


def test_of_a_resumed_dream_the_film_of_growth_says_where_it_begins(workplace, model, capsys):
    grow = ["--growth", "grow.gif", "--work-dir", "work"]
    loud = [one for one in small(model) if one != "--quiet"]
    with ctrl_c_at(1):
        assert run("sky.png", "out.png", *grow, *loud) == 130
    assert "from where it was resumed" not in capsys.readouterr().err
    assert run("sky.png", "out.png", *grow, "--resume", *loud) == 0
    assert "grow.gif shows the dream from where it was resumed" in capsys.readouterr().err


def test_a_film_of_growth_that_cannot_be_is_refused_before_the_dream(workplace, model, capsys):
    assert run("sky.png", "out.png", "--growth", "grow.avi", *small(model)) == 2
    assert ".gif, .webp, .mp4, .webm" in capsys.readouterr().err
    region = ["--growth", "grow.gif", "--region", "0,0,80,80"]
    assert run("sky.png", "out.png", *region, *small(model)) == 2
    assert "leave one of the two out" in capsys.readouterr().err
    assert run("sky.png", "out.webp", "--growth", "out.webp", *small(model)) == 2
    assert "out.webp is where the dream goes" in capsys.readouterr().err
    assert run("sky.png", "made.webp", *small(model)) == 0
    assert run("made.webp", "out.png", "--growth", "made.webp", *small(model)) == 2
    assert "made.webp is the input" in capsys.readouterr().err
    assert run("sky.png", "frames", "--frames", 2, "--growth", "grow.gif", *small(model)) == 2
    assert "--growth means nothing to a film of frames" in capsys.readouterr().err
