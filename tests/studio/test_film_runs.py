"""A film that a worker has claimed, dreamt by a real child with a small network."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.video.clip import open_clip
from studio.child import films, trials
from studio.children import Child
from studio.dreams import actions
from studio.dreams.models import Event, State
from studio.dreams.runner import order_of
from tests.command import film_frames
from tests.studio.conftest import SETTINGS, add_dream
from tests.studio.test_runner import run, small_model, when  # noqa: F401 - a fixture

FILM = {**SETTINGS, "schedule": "whole", "iterations": 2, "frames": 4, "distort": "zoom:0.1"}
LONG = {**FILM, "frames": 500}


def add_film(owner, settings=FILM, **more):
    return add_dream(owner, settings=settings, **{"suffix": ".gif", "noise": "64x48", **more})


def film_order(folder, values, suffix=".gif", source="noise:64x48", names=None):
    """Return what a child is told of a film, to be made without one."""
    return {
        "source": source, "output": str(folder / f"dream{suffix}"), "folder": str(folder),
        "values": values, "names": names or {}, "gpu": None, "cluster": None,
        "preview": 1e-9,
    }  # fmt: skip


def unheard(**words):
    """Say it to nobody."""


def frames_of(dream):
    return sorted((dream.folder / "work" / "frames").glob("*.png"))


def make(dream):
    """Make a film in this process as a child is told to; keep its frames."""
    return films.film(order_of(dream), unheard, threading.Event())


def finish(dream):
    """Resume a film, to one frame more, and see that its frames were kept."""
    kept = {path.name: path.read_bytes() for path in frames_of(dream)}
    assert len(kept) > 1
    dream.settings["frames"] = len(kept) + 1
    make(dream)
    # What was ended between writing a frame and noting it is written again, to the same.
    held = {path.name: path.read_bytes() for path in frames_of(dream)}
    assert len(held) == len(film_frames(dream.output)[0]) == len(kept) + 1
    assert kept.items() <= held.items()


def after_two_frames(dream, action):
    """Do something to a film's child once two frames are whole."""
    return when(lambda said: len(frames_of(dream)) > 1, action)


def test_a_film_is_dreamt_assembled_and_told(ann):
    dream = run(add_film(ann.user, {**FILM, "boomerang": True}, name="zoom"))
    assert (dream.state, dream.share, dream.message) == (State.DONE, 1, "")
    assert (dream.width, dream.height) == (64, 48)
    assert film_frames(dream.output)[0].shape == (6, 48, 64, 3)
    assert not (dream.folder / "work").exists()
    assert Image.open(dream.folder / "last.png").size == (64, 48)
    told = [event.data for event in Event.objects.filter(dream=dream).order_by("pk")]
    percents = [one["percent"] for one in told]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert any(one["phase"].startswith("dreaming frame ") for one in told)


def test_the_settings_file_of_a_film_repeats_it_by_the_command(picture, tmp_path):
    values = {
        **FILM,
        "guide": str(picture.file),
        "fps": 10.0,
        "vary": "step_size:1..2",
        "frames": 2,
    }
    films.film(film_order(tmp_path, values, names={"guide": "sky.png"}), unheard, threading.Event())
    kept = load_config(tmp_path / "settings.toml")
    assert {name: kept[name] for name in ("frames", "fps", "vary", "distort", "gif", "seed")} == {
        "frames": 2, "fps": 10, "vary": "step_size:1..2", "distort": "zoom:0.1",
        "gif": "film.gif", "seed": 5,
    }  # fmt: skip
    assert kept["guide"] == load_config(tmp_path / "last.png")["guide"] == "sky.png"


def test_an_mp4_of_a_picture_has_its_frames_and_its_rate(picture, tmp_path):
    order = film_order(
        tmp_path, {**FILM, "frames": 3, "fps": 5.0}, ".mp4", source=str(picture.file)
    )
    films.film(order, unheard, threading.Event())
    clip = open_clip(str(tmp_path / "dream.mp4"))
    assert (clip.frames, clip.fps, clip.size) == (3, 5, (picture.height, picture.width))


def test_a_film_that_was_left_resumes_to_the_same_frames_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr("dreamlib.util.progress.REPORT_INTERVAL", 0)
    leave, shares = threading.Event(), []

    def say(**words):
        shares.append(words.get("share", 0))
        if words["phase"] == "dreaming frame 3 of 4":
            leave.set()

    for name in ("left", "alone"):
        (tmp_path / name).mkdir()
    order = film_order(tmp_path / "left", FILM)
    assert films.film(order, say, leave) == {"left": True}
    begun = sorted((tmp_path / "left" / "work" / "frames").glob("*.png"))
    kept = {path: path.stat().st_mtime_ns for path in begun}
    assert len(kept) == 2
    leave.clear()
    before = len(shares)
    films.film(order, lambda **words: shares.append(words.get("share", 0)), leave)
    films.film(film_order(tmp_path / "alone", FILM), unheard, leave)
    assert {path: path.stat().st_mtime_ns for path in begun} == kept
    assert np.array_equal(film_frames(tmp_path / "left" / "dream.gif")[0],
                          film_frames(tmp_path / "alone" / "dream.gif")[0])  # fmt: skip
    after = shares[before + 1 :]  # the first is of the reading
    assert after == sorted(after)
    assert after[0] > films.READING + films.DREAMING * 2 / 4
    assert shares[before - 1] > films.READING + films.DREAMING * 2 / 4


def test_a_film_is_paused_and_resumed(ann):
    dream = add_film(ann.user, LONG)
    with after_two_frames(dream, lambda child: actions.pause(dream)):
        run(dream)
    assert dream.state == State.PAUSED
    assert 0 < dream.share < 0.5
    assert (dream.folder / "work" / "frames" / ".film" / "journal.json").exists()
    actions.resume(dream)
    finish(dream)


def test_a_film_whose_process_is_killed_resumes_after_its_last_whole_frame(ann):
    dream = add_film(ann.user, LONG)
    with after_two_frames(dream, Child.kill):
        run(dream)
    assert dream.state == State.QUEUED
    finish(dream)


def test_a_film_that_is_killed_before_its_journal_begins_anew(tmp_path):
    (tmp_path / "work" / "frames" / ".film").mkdir(parents=True)
    films.film(film_order(tmp_path, FILM), unheard, threading.Event())
    assert len(film_frames(tmp_path / "dream.gif")[0]) == 4


def test_a_cancelled_film_leaves_no_frames_and_is_tried_again_from_its_beginning(ann, monkeypatch):
    monkeypatch.setattr("dreamlib.util.progress.REPORT_INTERVAL", 0)
    dream, leave = add_film(ann.user, state=State.PAUSED), threading.Event()
    dream.folder.mkdir(parents=True)

    def say(**words):
        if words["phase"] == "dreaming frame 3 of 4":
            leave.set()

    assert films.film(order_of(dream), say, leave) == {"left": True}
    assert len(frames_of(dream)) == 2
    actions.cancel(dream)
    assert dream.state == State.CANCELLED
    assert not (dream.folder / "work").exists()
    actions.resume(dream)
    assert (dream.state, dream.share) == (State.QUEUED, 0)
    make(dream)
    assert len(film_frames(dream.output)[0]) == FILM["frames"]


def test_a_film_that_is_left_while_it_is_assembled_dreams_no_frame_again(tmp_path):
    leave, said = threading.Event(), []

    def say(**words):
        said.append(words["phase"])
        if said[-1].startswith("assembling"):
            leave.set()

    order = film_order(tmp_path, FILM)
    assert films.film(order, say, leave) == {"left": True}
    assert not (tmp_path / "dream.gif").exists()
    leave.clear()
    said.clear()
    again = films.film(order, lambda **words: said.append(words["phase"]), leave)
    assert again == {"width": 64, "height": 48}
    assert not any(phase.startswith("dreaming") for phase in said)
    assert len(film_frames(tmp_path / "dream.gif")[0]) == 4


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"distort": "python:os:getcwd"}, "no distortion 'python'"),
     ({"vary": "guide:/etc/hostname|/etc/hosts"}, "may name files"),
     ({"vary": "end:mixed/output|nowhere"}, "no layer 'nowhere'"),
     ({"fps": 60.0}, "a .gif has from 0.01 to 50")],
)  # fmt: skip
def test_the_child_refuses_what_must_not_be_or_cannot_be_before_a_frame(tmp_path, setting, said):
    with pytest.raises(DreamError, match=said):
        films.film(film_order(tmp_path, {**FILM, **setting}), unheard, threading.Event())
    assert not list(tmp_path.rglob("*.png"))


def test_a_film_shows_its_latest_frame_while_it_is_dreamt(tmp_path):
    films.film(film_order(tmp_path, FILM), unheard, threading.Event())
    assert Image.open(tmp_path / "dream.gif.preview.jpg").size == (64, 48)


def test_a_plan_of_a_film_counts_its_frames_and_its_disk(tmp_path):
    order = {**film_order(tmp_path, FILM, source="noise:1000x500"), "suffix": ".gif"}
    told = trials.tell_plan(order, unheard, None)["plan"]
    assert "each frame:" in told
    assert "4 frames: 4 times that" in told
    assert "12 MB at most" in told


def test_a_trial_of_a_film_is_of_its_first_frame(picture, tmp_path):
    def tried(name, values):
        order = film_order(tmp_path, values, source=str(picture.file))
        output = str(tmp_path / name)
        trial = {**order, "region": [0, 0, 64, 64], "size": [120, 96], "output": output}
        trials.try_region(trial, unheard, None)
        return np.asarray(Image.open(output))

    varied = tried("film.png", {**FILM, "vary": "step_size:4..1"})
    assert np.array_equal(varied, tried("first.png", {**FILM, "step_size": 4.0}))
    assert not np.array_equal(varied, tried("plain.png", FILM))
