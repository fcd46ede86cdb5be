"""A claimed dream, dreamt by a real child with a small network."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from django.conf import settings
from PIL import Image

from dreamlib import DreamError, load_config
from studio import children
from studio.child import dreams
from studio.children import Child, ask
from studio.dreams import actions, queue
from studio.dreams.models import Dream, Event, State
from studio.dreams.runner import Runner, order_of
from tests.studio.conftest import SETTINGS, add_dream
from tests.studio.waiting import until


@pytest.fixture(autouse=True)
def small_model(models, monkeypatch):
    """The small network, on one thread in this process and in children: for the same numbers."""
    import torch

    monkeypatch.setenv("DREAM_MODELS", str(models))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(dream, stopping=None):
    """Claim a dream and run it to whatever end."""
    claimed = queue.claim_next("cpu")
    assert claimed.pk == dream.pk
    Runner(claimed, stopping or threading.Event()).run()
    dream.refresh_from_db()
    return dream


@contextlib.contextmanager
def when(condition, action):
    """Do something to the child, once, as soon as what it says fulfils a condition."""
    hear, waiting = Child.hear, [action]

    def hear_and_act(child, seconds):
        said = hear(child, seconds)
        if waiting and condition(said):
            waiting.pop()(child)
        return said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Child, "hear", hear_and_act)
        yield
    assert not waiting, "that never came"


def dreaming(said):
    """Tell whether a child says that it dreams."""
    return said.get("phase") == "dreaming"


@pytest.fixture
def eager(monkeypatch):
    """Children that report every step, and so may be left at every step."""
    script = (
        "import os\n"
        "from dreamlib.util import progress\n"
        "from studio.child.__main__ import main\n"
        "progress.REPORT_INTERVAL = 0\n"
        "os._exit(main())\n"
    )
    monkeypatch.setattr(children, "PROGRAM", (sys.executable, "-c", script))


@pytest.fixture
def stub(monkeypatch):
    """Children that dream nothing, for ever."""
    monkeypatch.setattr(children, "PROGRAM", (sys.executable, "-m", "tests.studio.stub"))


def test_a_dream_is_dreamt_written_cut_into_tiles_and_told(ann, picture):
    dream = run(add_dream(ann.user, picture=picture, noise="", settings=SETTINGS))
    assert (dream.state, dream.share, dream.message) == (State.DONE, 1, "")
    assert (dream.width, dream.height) == (picture.width, picture.height)
    assert Image.open(dream.output).size == (120, 96)
    for name in ("before.dzi", "after.dzi", "thumbnail.jpg"):
        assert (dream.folder / name).exists()
    assert not (dream.folder / "work").exists()
    assert load_config(dream.folder / "settings.toml")["octaves"] == 2
    told = [event.data["percent"] for event in Event.objects.filter(dream=dream).order_by("pk")]
    assert told == sorted(told)
    assert told[-1] == 100
    assert "dreaming" in {event.data["phase"] for event in Event.objects.filter(dream=dream)}


def dream_here(dream):
    """Dream in this process what a child is told to."""
    dream.folder.mkdir(parents=True)
    return dreams.dream(order_of(dream), lambda **words: None, threading.Event())


def test_a_region_is_compared_with_the_same_part_of_the_picture(ann, picture):
    region = {**SETTINGS, "region": "40,16,64,64"}
    dream = add_dream(ann.user, picture=picture, noise="", settings=region)
    assert dream_here(dream) == {"width": 64, "height": 64}
    for side in ("before", "after"):
        assert 'Width="64"' in (dream.folder / f"{side}.dzi").read_text()


def test_a_guide_is_called_by_its_name_in_what_is_handed_out(ann, picture):
    dream = add_dream(ann.user, settings={**SETTINGS, "guide": str(picture.pk)})
    dream_here(dream)
    for carrier in (dream.folder / "settings.toml", dream.output):
        assert load_config(carrier)["guide"] == "sky.png"


def test_what_cannot_be_dreamt_is_refused_in_words(ann):
    dream = add_dream(ann.user, settings={**SETTINGS, "end": "nowhere"})
    with pytest.raises(DreamError, match="no layer 'nowhere'"):
        dream_here(dream)


def test_a_refused_dream_fails_in_words_without_the_servers_folders(ann, stub):
    dream = run(add_dream(ann.user, settings={"end": "nowhere"}))
    assert dream.state == State.FAILED
    assert "the stub refuses" in dream.message
    assert str(dream.folder) not in dream.message


def test_a_picture_that_is_gone_fails_its_dream(ann):
    dream = run(add_dream(ann.user, noise=""))
    assert (dream.state, dream.message) == (State.FAILED, "the picture is not there any more")


def test_a_paused_dream_resumes_to_the_same_picture_as_one_that_was_left_alone(ann, picture, eager):
    values = {**SETTINGS, "schedule": "whole", "iterations": 40}
    alone = Dream(owner=ann.user, picture=picture, settings=values)
    dream_here(alone)
    dream = add_dream(ann.user, picture=picture, noise="", settings=values)
    with when(dreaming, lambda child: actions.pause(dream)):
        run(dream)
    assert dream.state == State.PAUSED
    assert 0 < dream.share < 1
    assert (dream.folder / "work" / "journal.json").exists()
    actions.resume(dream)
    run(dream)
    assert dream.state == State.DONE, dream.message
    assert np.array_equal(Image.open(dream.output), Image.open(alone.output))


def test_a_cancelled_dream_ends_at_once_and_leaves_no_work(ann, stub):
    dream = add_dream(ann.user)
    with when(dreaming, lambda child: actions.cancel(dream)):
        run(dream)
    assert dream.state == State.CANCELLED
    assert dream.folder.exists()
    assert not (dream.folder / "work").exists()


def test_a_worker_that_ends_leaves_its_dream_to_others(ann, stub):
    dream, stopping = add_dream(ann.user), threading.Event()
    with when(dreaming, lambda child: stopping.set()):
        run(dream, stopping)
    assert dream.state == State.QUEUED
    assert dream.share > 0
    assert dream.claim is None


def test_a_dream_that_was_taken_from_a_worker_is_dropped_by_it(ann, stub):
    dream, taken = add_dream(ann.user), []

    def take(child):
        taken.append(child.process)
        Dream.objects.filter(pk=dream.pk).update(state=State.QUEUED, claim=None)

    with when(dreaming, take):
        run(dream)
    assert taken[0].poll() is not None
    assert dream.state == State.QUEUED


def test_a_child_whose_parent_is_killed_ends_too(tmp_path):
    order = {"kind": "dream", "folder": str(tmp_path), "values": {}}
    script = (
        "import sys, time\n"
        "from studio import children\n"
        "children.PROGRAM = (sys.executable, '-m', 'tests.studio.stub')\n"
        f"child = children.Child({order!r})\n"
        "print(child.process.pid, flush=True)\n"
        "while child.hear(1).get('phase') != 'dreaming': pass\n"
        "print('dreaming', flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "dreaming\n"
    parent.kill()
    parent.wait()
    until(lambda: _is_gone(child))


def _is_gone(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_that_is_killed_is_tried_again_but_not_for_ever(ann, stub, monkeypatch):
    dream = add_dream(ann.user)
    hear = Child.hear

    def hear_and_kill(child, seconds):
        child.kill()
        return hear(child, seconds)

    monkeypatch.setattr(Child, "hear", hear_and_kill)
    states = [run(dream).state for _ in range(queue.MOST_CRASHES)]
    assert states == [State.QUEUED, State.QUEUED, State.FAILED]
    assert "died 3 times in a row" in dream.message


def test_a_plan_and_a_trial_by_the_page(ann, picture):
    form = {"picture": str(picture.pk), "clip": "on", "normalise": "on", "suffix": ".png",
            "try_region": "30,20,64,64",
            **{name: str(value) for name, value in SETTINGS.items()}}  # fmt: skip
    plan = ann.post("/dreams/plan/", form).json()
    assert "pixel-steps" in plan["plan"]
    tried = ann.post("/dreams/try/", form)
    assert tried.headers["Content-Type"] == "image/png"
    assert tried.content.startswith(b"\x89PNG")
    assert ann.post("/dreams/plan/", {**form, "iterations": "0"}).status_code == 422


def test_a_trial_that_is_refused_says_why(ann, picture, stub):
    form = {"picture": str(picture.pk), "suffix": ".png", "try_region": "0,0,64,64"}
    wrong = ann.post("/dreams/try/", form)
    assert wrong.status_code == 422
    assert "the stub refuses" in wrong.json()["error"]
    assert str(settings.DATA) not in wrong.json()["error"]


def test_a_trial_of_a_large_picture_sees_the_regions_surroundings_alone(
    picture, tmp_path, monkeypatch
):
    from studio.child import trials

    order = {
        "kind": "try", "source": str(picture.file), "values": {**SETTINGS, "octave_scale": 1.01},
        "region": [90, 60, 24, 24], "size": [120, 96], "output": str(tmp_path / "out.png"),
        "gpu": None, "cluster": None,
    }  # fmt: skip
    monkeypatch.setattr(trials, "REGION_CONTEXT", 8)
    file, region = trials._surroundings(order, tmp_path / "part.tif")
    assert region == "16,16,24,24"
    whole = np.asarray(Image.open(picture.file))
    assert np.array_equal(np.asarray(Image.open(file)), whole[44:96, 74:120])


def test_examples_of_layers_are_made_and_listed(models, tmp_path):
    ask({"kind": "layers", "model": "small", "folder": str(tmp_path)}, 60)
    import json

    layers = json.loads((tmp_path / "layers.json").read_text())
    assert "mixed/output" in {layer["name"] for layer in layers}
    shown = [number for number, layer in enumerate(layers) if layer["example"]]
    assert shown
    assert all((tmp_path / f"{number}.jpg").exists() for number in shown)
    assert (tmp_path / "complete").exists()


def test_a_class_is_drawn_once_when_somebody_looks_at_it(ann, monkeypatch):
    from studio.dreams import examples

    assert ann.get("/examples/small/classes.json?q=goldfish").json()["classes"] == [
        {"number": 1, "name": "goldfish, Carassius auratus"}
    ]
    drawn = ann.get("/examples/small/classes/1.jpg").getvalue()
    assert Image.open(io.BytesIO(drawn)).size == (128, 128)
    monkeypatch.setattr(examples, "ask", None)
    assert ann.get("/examples/small/classes/1.jpg").getvalue() == drawn
    assert ann.get("/examples/small/classes/10.jpg").status_code == 404


def test_dreaming_again_takes_the_result_into_the_library(ann, picture):
    dream = add_dream(ann.user, picture=picture, noise="", name="sky.png", state=State.DONE)
    dream.folder.mkdir(parents=True)
    shutil.copy(picture.file, dream.output)
    answer = ann.post(f"/dreams/{dream.pk}/again/")
    taken = ann.user.pictures.exclude(pk=picture.pk).get()
    assert answer.headers["Location"] == f"/dreams/new/?picture={taken.pk}&like={dream.pk}"
    assert taken.name == "sky dreamt.png"
    assert dream.output.exists()
