"""Crews of worker processes: the same picture from any number of them, and what goes wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dreamlib.ascent.regularizers import Looks
from dreamlib.errors import DreamError
from dreamlib.imaging.resample import Stored, octave_sizes
from dreamlib.imaging.window import Window
from dreamlib.models.engines import load_net
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.models.zoo import load_model
from dreamlib.settings import Settings
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer, octave_schedule, whole_frames
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.stepper import Painter, make_painter
from dreamlib.tiling.work_folder import WorkFolder
from dreamlib.tiling.workers import Alone, Crew, WorkerError
from dreamlib.util.devices import parse_devices
from dreamlib.util.progress import Progress
from tests.nets import picture, write_random_net

PICTURE = picture(190, 230)
SIZES = octave_sizes(190, 230, 2, 1.5)


def settings(schedule="shift", storage="uint8", tile_steps=1, **looks):
    """What a dream records; tiny tiles, so that a phase has several."""
    return Settings(
        schedule=schedule, tile_size=64, overlap=16, wrap="none", jitter=8, seed=5, iterations=2,
        end="mixed/output", step_size=2.0, clip=True, storage=storage, tile_steps=tile_steps,
        engine="torch", precision="float32", **looks,
    )  # fmt: skip


SHIFT, SPIRAL = settings(), settings("spiral", "float32")
RANDOM = settings("random", "uint16", tile_steps=2)
LOOKS = settings(tile_steps=2, laplacian=3, pull_base=2.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    write_random_net(folder)
    return load_model(folder)


@pytest.fixture(scope="module")
def net(model):
    """A net in this process, which has one thread as the workers have."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_net(model, "torch")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def one(model):
    with Crew("cpu", model, SHIFT, SIZES) as crew:
        yield crew


@pytest.fixture(scope="module")
def two(model):
    with Crew("cpu,cpu", model, SHIFT, SIZES) as crew:
        yield crew


class Watcher(Progress):
    """Shows nothing, and asks `on_step` whether to stop."""

    def __init__(self, on_step):
        super().__init__(SIZES, SHIFT.iterations, quiet=True)
        self._on_step = on_step

    def __call__(self, step):
        super().__call__(step)
        return self._on_step(step)


def dream(net, crew, how, folder, on_step=lambda step: False, resume=False):
    """Dream PICTURE in a work folder; return the pixels."""
    encoding = Encoding(Preprocessing.of(net), how.storage)
    store = WorkFolder(folder, resume)
    store.begin({}, how.storage, how.wrap, need=0)
    source = Stored(Canvas.of(PICTURE), Encoding(Preprocessing.of(net), "uint8"))
    dreamer = Dreamer(
        source, SIZES, whole_frames(SIZES), (False, False), how,
        encoding, crew, store, Watcher(on_step),
    )  # fmt: skip
    canvas = dreamer.run()
    pixels = np.array(canvas.array())
    store.close()
    return pixels


def dream_alone(net, how, folder):
    painter = Painter(
        net, how.storage, how.end, how.step_size, how.clip, steps=how.tile_steps
    )  # fmt: skip
    with Alone(painter) as crew:
        return dream(net, crew, how, folder)


@pytest.fixture(scope="module")
def expected(net, tmp_path_factory):
    """The picture by the shift schedule, dreamt in this process."""
    return dream_alone(net, SHIFT, tmp_path_factory.mktemp("alone") / "work")


def alive(pid):
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids, seconds=10):
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def first_phase(folder):
    """A phase of the last octave: its place, visits, their indices, canvas and target."""
    canvas, target = (
        Canvas(*SIZES[-1], SHIFT.storage, SHIFT.wrap, folder / name)
        for name in ("canvas", "target")
    )
    canvas.write(Window(0, 0, *SIZES[-1]), PICTURE)
    octave = len(SIZES) - 1
    visits = octave_schedule(SHIFT, SIZES[-1], octave).phases(0)[0]
    return (octave, 0, 0), visits, range(len(visits)), canvas, target


@pytest.fixture
def first(tmp_path):
    found = first_phase(tmp_path)
    yield found
    found[-2].close()
    found[-1].close()


# -- the picture ----------------------------------------------------------------------------------


def test_two_workers_make_the_picture_of_one_process(net, two, expected, tmp_path):
    pids = two.pids
    assert np.array_equal(dream(net, two, SHIFT, tmp_path / "work"), expected)
    assert np.abs(expected - np.float32(PICTURE)).mean() > 0.5  # it is a dream, not the picture
    assert two.pids == pids


def test_one_worker_makes_the_same_picture(net, one, expected, tmp_path):
    assert np.array_equal(dream(net, one, SHIFT, tmp_path / "work"), expected)


def test_four_workers_make_the_same_picture_and_end_with_the_crew(net, model, expected, tmp_path):
    with Crew("cpu,cpu,cpu,cpu", model, SHIFT, SIZES) as crew:
        assert np.array_equal(dream(net, crew, SHIFT, tmp_path / "work"), expected)
        pids = crew.pids
    assert len(pids) == 4
    assert not any(map(alive, pids))


def test_bands_and_undreamt_pictures_travel_to_the_workers(net, model, tmp_path):
    painter = make_painter(
        net, LOOKS.storage, LOOKS.end, LOOKS.step_size, LOOKS.clip, steps=2, looks=Looks.of(LOOKS)
    )
    alone = dream(net, Alone(painter), LOOKS, tmp_path / "alone")
    with Crew("cpu,cpu", model, LOOKS, SIZES) as crew:
        assert np.array_equal(dream(net, crew, LOOKS, tmp_path / "crew"), alone)
    assert not list(tmp_path.glob("*/base*"))


@pytest.mark.parametrize("how", [SPIRAL, RANDOM], ids=["spiral", "random"])
def test_feathered_schedules_too(net, model, how, tmp_path):
    alone = dream_alone(net, how, tmp_path / "alone")
    with Crew("cpu,cpu", model, how, SIZES) as crew:
        assert np.array_equal(dream(net, crew, how, tmp_path / "crew"), alone)


def test_measuring_changes_nothing_and_gives_the_same_numbers(net, two, first):
    (octave, turn, _), _, _, canvas, _ = first
    phases = octave_schedule(SHIFT, SIZES[-1], octave).phases(turn)
    places = [(phase, index) for phase, visits in enumerate(phases) for index in range(len(visits))]
    painter = Painter(net, SHIFT.storage, SHIFT.end)
    alone = dict(Alone(painter).measure(octave, turn, phases, places, canvas))
    assert dict(two.measure(octave, turn, phases, places, canvas)) == alone
    assert list(alone) == places
    assert np.array_equal(canvas.array(), PICTURE)


# -- deaths and ends ------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_and_its_tile_painted(net, two, expected, tmp_path):
    killed = []

    def kill_one(step):
        busy = [hand for hand in two._hands if hand.tasks]
        if busy and not killed and step.octave == 1:
            killed.append(busy[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    assert np.array_equal(dream(net, two, SHIFT, tmp_path / "work", kill_one), expected)
    assert killed
    assert not set(killed) & set(two.pids)


def test_workers_ignore_ctrl_c(two, first):
    place, visits, indices, canvas, target = first
    pids = two.pids
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    assert len(list(two.paint(place, visits, indices, canvas, target, 1e-3, 0))) == len(visits)
    assert two.pids == pids


def test_a_dream_that_is_stopped_ends_the_workers_and_resumed_starts_them(
    net, two, expected, tmp_path
):
    pids = two.pids

    def stop(step):
        return step.octave == 1 and step.iteration == 1

    assert not np.array_equal(dream(net, two, SHIFT, tmp_path / "work", stop), expected)
    assert not any(map(alive, pids))  # none writes to a canvas after this
    assert np.array_equal(dream(net, two, SHIFT, tmp_path / "work", resume=True), expected)


def test_an_error_in_a_worker_names_the_tile_and_ends_with_its_traceback(one, first):
    _, visits, _, canvas, target = first
    with pytest.raises(WorkerError) as error:
        list(one.paint((1, 0, 9), visits[:1], [0], canvas, target, 1e-3, 0))
    text = str(error.value)
    assert text.startswith("tile 0 of octave 1, pass 0, phase 9 failed, on cpu:")
    assert 'worker.py", line' in text
    assert text.rstrip().endswith("IndexError: list index out of range")


def test_what_a_user_can_mend_is_told_in_the_same_words(one, first):
    place, visits, indices, canvas, target = first
    os.truncate(canvas.path, 1000)
    with pytest.raises(DreamError, match="canvas has 1000 bytes, a canvas of 230 x 190"):
        list(one.paint(place, visits, indices, canvas, target, 1e-3, 0))


def test_the_death_of_the_parent_ends_the_workers(model, tmp_path):
    script = """
import json, sys
from pathlib import Path
from dreamlib.crew import Crew
from dreamlib.models import load_model
from tests.tiling.test_workers import SHIFT, SIZES, first_phase
crew = Crew("cpu", load_model(sys.argv[1]), SHIFT, SIZES)
place, visits, indices, canvas, target = first_phase(Path(sys.argv[2]))
painting = crew.paint(place, visits, list(indices) * 10_000, canvas, target, 1e-3, 0)
for number, _ in enumerate(painting):
    if number == 3:
        print(json.dumps(crew.pids), flush=True)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(model.folder), str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE,
    )  # fmt: skip
    pids = json.loads(parent.stdout.readline())
    assert all(map(alive, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(pids)


def test_a_canvas_of_another_size_than_the_crew_was_told_is_refused(one, first):
    _, visits, _, canvas, _ = first
    with pytest.raises(ValueError, match="another size of octave 0 than 230 x 190"):
        list(one.measure(0, 0, [visits], [(0, 0)], canvas))


# -- crews that cannot be -------------------------------------------------------------------------


def test_a_worker_that_always_dies_is_given_up_with_its_last_words(model, tmp_path, monkeypatch):
    starts, python = tmp_path / "starts", tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho start >> {starts}\necho the bus is on fire >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(DreamError, match="on cpu died 3 times in a row") as error:
        Crew("cpu", model, SHIFT, SIZES)
    assert "it ended with code 3\n  the bus is on fire" in str(error.value)
    assert len(starts.read_text().splitlines()) == 3


def test_a_network_that_cannot_be_loaded_is_refused_as_without_a_crew(model, tmp_path):
    (tmp_path / "deploy.prototxt").write_text(model.prototxt.read_text())
    without = load_model(tmp_path)
    with pytest.raises(DreamError) as alone:
        load_net(without)
    with pytest.raises(DreamError) as refusal:
        Crew("cpu", without, SHIFT, SIZES)
    assert str(refusal.value) == str(alone.value)


@pytest.mark.parametrize(
    ("text", "gpus"),
    [("cpu", [None]), ("cpu, cpu", [None, None]), ("cuda", [0]), ("cuda:1,cuda:0", [1, 0])],
)
def test_devices(text, gpus):
    assert parse_devices(text) == gpus


@pytest.mark.parametrize("text", ["", "cpu,", "gpu", "cuda:x", "cuda:-1", "cpu:0"])
def test_an_unknown_device_is_refused(text):
    with pytest.raises(DreamError, match="expected one for each worker, such as cpu,cpu"):
        parse_devices(text)


def test_cpu_and_gpu_in_one_crew_are_refused():
    with pytest.raises(DreamError, match="take either kind alone"):
        parse_devices("cpu,cuda:0")
