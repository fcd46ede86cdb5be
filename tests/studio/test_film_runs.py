"""A film that a worker has claimed, dreamt by a real child with a small network."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from dreamlib.configuration import load_config
from dreamlib.errors import DreamError
from dreamlib.video import open_clip
from studio.child import films
from studio.children import Child
from studio.dreams import queue
from studio.dreams.models import Dream, Event, State
from tests.studio.conftest import add_dream
from tests.studio.test_runner import KNOBS, models, run, small_model, until  # noqa: F401 - fixtures

FILM = {**KNOBS, "schedule": "whole", "iterations": 2, "frames": 4, "distort": "zoom:0.1"}
LONG = {**FILM, "iterations": 40, "frames": 6}


def add_film(owner, knobs=FILM, **more):
    return add_dream(owner, knobs=knobs, **{"suffix": ".gif", "noise": "64x48", **more})


def frames_of(dream):
    return sorted((dream.folder / "work" / "frames").glob("*.png"))


def in_the_background(dream):
    """Run a film in a thread; return it, once two frames are whole."""
    from django.db import connection

    def work():
        run(Dream.objects.get(pk=dream.pk))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: len(frames_of(dream)) > 1)
    return thread


def shown(path):
    """The frames of a GIF: (N, H, W, 3)."""
    with Image.open(path) as film:
        pictures = []
        for frame in range(film.n_frames):
            film.seek(frame)
            pictures.append(np.asarray(film.convert("RGB")))
    return np.stack(pictures)


def test_a_film_is_dreamt_assembled_and_told(ann):
    dream = run(add_film(ann.user, {**FILM, "boomerang": True}, name="zoom"))
    assert (dream.state, dream.share, dream.message) == (State.DONE, 1, "")
    assert (dream.width, dream.height) == (64, 48)
    assert shown(dream.output).shape == (6, 48, 64, 3)
    assert not (dream.folder / "work").exists()
    assert Image.open(dream.folder / "last.png").size == (64, 48)
    told = [event.data for event in Event.objects.filter(dream=dream).order_by("pk")]
    percents = [one["percent"] for one in told]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert any(one["phase"].startswith("dreaming frame ") for one in told)


def test_the_settings_file_of_a_film_repeats_it_by_the_command(ann, picture):
    knobs = {**FILM, "guide": str(picture.pk), "fps": 10.0, "vary": "step_size:1..2", "frames": 2}
    dream = run(add_film(ann.user, knobs))
    assert dream.state == State.DONE, dream.message
    kept = load_config(dream.folder / "settings.toml")
    assert {name: kept[name] for name in ("frames", "fps", "vary", "distort", "gif", "seed")} == {
        "frames": 2, "fps": 10, "vary": "step_size:1..2", "distort": "zoom:0.1",
        "gif": "film.gif", "seed": 5,
    }  # fmt: skip
    assert kept["guide"] == load_config(dream.folder / "last.png")["guide"] == "sky.png"


def test_an_mp4_of_a_picture_has_its_frames_and_its_rate(ann, picture):
    knobs = {**FILM, "frames": 3, "fps": 5.0, "octaves": 1}
    dream = run(add_film(ann.user, knobs, picture=picture, noise="", suffix=".mp4"))
    assert dream.state == State.DONE, dream.message
    clip = open_clip(str(dream.output))
    assert (clip.frames, clip.fps, clip.size) == (3, 5, (picture.height, picture.width))


def test_a_paused_film_goes_on_to_the_same_frames_as_one_that_was_left_alone(ann):
    alone = run(add_film(ann.user, LONG))
    dream = add_film(ann.user, LONG)
    thread = in_the_background(dream)
    queue.pause(dream)
    thread.join(30)
    dream.refresh_from_db()
    assert dream.state == State.PAUSED
    paused_at, kept = dream.share, {path: path.stat().st_mtime_ns for path in frames_of(dream)}
    assert 2 <= len(kept) < LONG["frames"]
    Event.objects.all().delete()
    queue.resume(dream)
    keep_work = pytest.MonkeyPatch()
    keep_work.setattr("studio.dreams.runner.discard_work", lambda dream: None)
    run(dream)
    keep_work.undo()
    assert dream.state == State.DONE, dream.message
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in frames_of(dream)}.items()
    assert np.array_equal(shown(dream.output), shown(alone.output))
    percents = [event.data["percent"] for event in Event.objects.order_by("pk")]
    assert percents == sorted(percents)
    assert percents[0] == round(100 * paused_at, 1)


def test_a_film_whose_process_is_killed_goes_on_after_its_last_whole_frame(ann, monkeypatch):
    dream = add_film(ann.user, LONG)
    hear = Child.hear

    def hear_and_kill(child, seconds):
        if len(frames_of(dream)) > 2:
            child.kill()
        return hear(child, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Child, "hear", hear_and_kill)
        run(dream)
    assert dream.state == State.QUEUED
    kept = {path: path.read_bytes() for path in frames_of(dream)}
    assert len(kept) >= 3
    monkeypatch.setattr("studio.dreams.runner.discard_work", lambda dream: None)
    run(dream)
    assert dream.state == State.DONE, dream.message
    assert len(frames_of(dream)) == len(shown(dream.output)) == LONG["frames"]
    for path in sorted(kept)[:2]:
        assert path.read_bytes() == kept[path]


def test_a_film_that_is_killed_before_its_journal_begins_anew(ann):
    dream = add_film(ann.user)
    (dream.folder / "work" / "frames" / ".film").mkdir(parents=True)
    assert run(dream).state == State.DONE


def test_a_cancelled_film_leaves_no_frames_and_is_tried_again_from_its_beginning(ann):
    dream = add_film(ann.user, LONG)
    thread = in_the_background(dream)
    queue.cancel(dream)
    thread.join(10)
    dream.refresh_from_db()
    assert dream.state == State.CANCELLED
    assert not (dream.folder / "work").exists()
    Dream.objects.filter(pk=dream.pk).update(knobs=FILM)
    dream.refresh_from_db()
    queue.resume(dream)
    assert run(dream).state == State.DONE


def test_a_film_that_is_left_while_it_is_assembled_dreams_no_frame_again(ann, tmp_path):
    leave, said = threading.Event(), []

    def say(**words):
        said.append(words.get("phase", ""))
        if said[-1].startswith("assembling"):
            leave.set()

    order = {
        "source": "noise:64x48", "output": str(tmp_path / "dream.gif"), "folder": str(tmp_path),
        "values": {**FILM, "octaves": 1}, "names": {}, "gpu": None, "preview": 1,
    }  # fmt: skip
    assert films.film(dict(order), say, leave) == {"left": True}
    assert not (tmp_path / "dream.gif").exists()
    leave.clear()
    said.clear()
    again = films.film(dict(order), lambda **words: said.append(words["phase"]), leave)
    assert again == {"width": 64, "height": 48}
    assert not any(phase.startswith("dreaming") for phase in said)
    assert len(shown(tmp_path / "dream.gif")) == 4


def test_the_child_runs_no_code_that_a_film_names(tmp_path):
    order = {
        "source": "noise:64x48", "output": str(tmp_path / "dream.gif"), "folder": str(tmp_path),
        "values": {**FILM, "distort": "python:os:getcwd"}, "names": {}, "gpu": None, "preview": 1,
    }  # fmt: skip
    with pytest.raises(DreamError, match="no distortion 'python'"):
        films.film(order, lambda **words: None, threading.Event())


def test_a_film_that_cannot_be_fails_in_words_without_the_servers_folders(ann):
    dream = run(add_film(ann.user, {**FILM, "vary": "end:mixed/output|nowhere"}))
    assert dream.state == State.FAILED
    assert "no layer 'nowhere'" in dream.message
    assert str(dream.folder) not in dream.message


def test_a_film_shows_its_latest_frame_while_it_is_dreamt(tmp_path):
    order = {
        "source": "noise:64x48", "output": str(tmp_path / "dream.gif"), "folder": str(tmp_path),
        "values": FILM, "names": {}, "gpu": None, "preview": 1e-9,
    }  # fmt: skip
    films.film(order, lambda **words: None, threading.Event())
    assert Image.open(tmp_path / "dream.gif.preview.jpg").size == (64, 48)


def test_dreaming_again_goes_on_from_the_last_frame(ann):
    dream = run(add_film(ann.user, name="sky.png"))
    answer = ann.post(f"/dreams/{dream.pk}/again/")
    taken = ann.user.pictures.get()
    assert taken.name == "sky dreamt.png"
    last = Image.open(io.BytesIO((dream.folder / "last.png").read_bytes()))
    assert np.array_equal(Image.open(taken.file), last)
    form = ann.get(answer.headers["Location"]).context["form"]
    assert (form["picture"].value(), form["frames"].value()) == (taken.pk, 4)
    assert form["suffix"].value() == ".gif"


def test_a_plan_and_a_trial_of_a_film_are_of_its_first_frame(ann, picture):
    form = {"picture": str(picture.pk), "clip": "on", "keep_tone": "on", "suffix": ".mp4",
            "try_region": "30,20,64,64", "vary": "iterations:1..4",
            **{name: str(value) for name, value in FILM.items()}}  # fmt: skip
    plan = ann.post("/dreams/plan/", form).json()
    assert "4 frames: 4 times that" in plan["plan"], plan
    tried = ann.post("/dreams/try/", form)
    assert tried.headers["Content-Type"] == "image/png"
