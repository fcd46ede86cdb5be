"""Worker processes of this machine: the same picture from any number, and what goes wrong.

The processes, what they are told and their ends are tested with steps that need no network.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from dreamlib.ascent.regularizers import GradientRules
from dreamlib.cluster.workers import WorkerError, Workers
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window
from dreamlib.models.engines import load_net
from dreamlib.models.model import load_model
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.gradient_scale import Scale
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.stepper import load_stepper
from tests import dreams
from tests.cluster import stub
from tests.cluster.machines import alive, certificate
from tests.nets import picture, write_random_net

SIZE = (60, 70)
PICTURE = dreams.picture(*SIZE)
SHIFT = dreams.options("shift")
DREAM = dreams.dream_of(SHIFT, SIZE)
SCALE = Scale(1.0, None)


def stubs(devices, dream=DREAM):
    """Workers whose steps need no network."""
    return Workers(dream, devices, folder=tempfile.gettempdir(), load=stub.load)


@pytest.fixture(scope="module")
def two():
    with stubs("cpu,cpu") as workers:
        yield workers


@pytest.fixture(scope="module")
def expected():
    """The picture dreamt in this process."""
    return dreams.in_memory(SHIFT, PICTURE)


class Watcher(dreams.Steps):
    """Asks `on_step` whether to stop."""

    def __init__(self, on_step):
        super().__init__()
        self._on_step = on_step

    def __call__(self, step):
        super().__call__(step)
        return self._on_step(step)


def dream(workers, folder, how=SHIFT, on_step=lambda step: False, resume=False):
    """Dream PICTURE in a work folder; return the pixels."""
    return dreams.in_folder(
        folder, how, PICTURE, resume=resume, workers=workers, progress=Watcher(on_step)
    )


def wait_until_gone(pids, seconds=10):
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def first_phase(folder):
    """A phase of the last octave: its place, tiles, their indices, canvas and target."""
    canvas, target = (Canvas(*SIZE, "uint8", "none", folder / name) for name in ("one", "other"))
    canvas.write(Window(0, 0, *SIZE), PICTURE)
    tiles = DREAM.schedule(1).phases(0)[0]
    return Place(1, 0, 0), tiles, range(len(tiles)), canvas, target


@pytest.fixture
def first(tmp_path):
    found = first_phase(tmp_path)
    yield found
    found[-2].close()
    found[-1].close()


# -- the picture ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4])
def test_workers_make_the_picture_of_one_process_and_end_with_it(count, expected, tmp_path):
    with stubs(",".join(["cpu"] * count)) as workers:
        assert np.array_equal(dream(workers, tmp_path / "work"), expected)
        pids = workers.pids
    assert len(pids) == count
    assert not any(map(alive, pids))


@pytest.mark.parametrize(
    "how",
    [
        dreams.options("spiral", storage="uint16"),
        dreams.options("random"),
        dreams.options("windows", wrap="both"),
        dreams.options("shift", gradient=GradientRules(anchor=2.0)),
    ],
    ids=["spiral", "random", "windows", "anchor"],
)
def test_every_schedule_and_the_undreamt_picture_travel_to_workers(how, tmp_path):
    with stubs("cpu,cpu", dreams.dream_of(how, SIZE)) as workers:
        found = dream(workers, tmp_path / "work", how)
    assert np.array_equal(found, dreams.in_memory(how, PICTURE))
    assert not list(tmp_path.glob("*/base*"))


def test_measuring_changes_nothing_and_gives_the_same_numbers(two, first):
    *_, canvas, _ = first
    phases = DREAM.schedule(1).phases(0)
    places = [(phase, index) for phase, tiles in enumerate(phases) for index in range(len(tiles))]
    alone = InProcess(dreams.FakeStepper(DREAM)).measure(1, 0, phases, places, canvas)
    assert dict(two.measure(1, 0, phases, places, canvas)) == dict(alone)
    assert np.array_equal(canvas.array(), PICTURE)


def test_workers_with_networks_make_the_picture_of_one_with_as_many_threads(tmp_path):
    """With bands, the undreamt picture and several steps on a tile."""
    import torch

    (tmp_path / "net").mkdir()
    write_random_net(tmp_path / "net")
    how = dreams.options(
        "shift", model=str(tmp_path / "net"), end="mixed/output", tile_size=64, overlap=16,
        jitter=8, tile_steps=2, octave_scale=1.5,
        gradient=GradientRules(laplacian=3, anchor=2.0),
    )  # fmt: skip
    image, threads = picture(190, 230), torch.get_num_threads()
    made = dreams.dream_of(how, (190, 230))
    torch.set_num_threads(1)
    try:
        alone = dreams.in_memory(how, image, stepper=load_stepper(made, None))
    finally:
        torch.set_num_threads(threads)
    with Workers(made, "cpu,cpu", folder=tmp_path) as workers:
        found = dreams.in_folder(
            tmp_path / "work", how, image, workers=workers, stepper=load_stepper(made, None)
        )
    assert np.array_equal(found, alone)
    assert np.abs(alone - np.float32(image)).mean() > 0.5  # it is a dream, not the picture


# -- crashes and ends -----------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_and_its_tile_stepped_on(two, expected, tmp_path):
    killed = []

    def kill_one(step):
        if not killed and step.octave == 1:
            killed.append(two.pids[0])
            os.kill(killed[0], signal.SIGKILL)

    assert np.array_equal(dream(two, tmp_path / "work", on_step=kill_one), expected)
    deadline = time.monotonic() + 10
    while set(killed) & set(two.pids) and time.monotonic() < deadline:
        two._hear()  # the last tiles may be done before anybody looks
    assert killed
    assert len(two.pids) == 2
    assert not set(killed) & set(two.pids)


def test_a_worker_that_is_late_when_its_phase_is_done_writes_no_more(two, first, tmp_path):
    """It would read a canvas that is being changed by then."""
    place, tiles, indices, canvas, target = first
    while len(two._ready()) < 2:
        two._hear()
    list(two.steps(place, SCALE, tiles, indices, canvas, target))  # so that paces are known
    stopped = two.pids[0]
    stepping = two.steps(place, SCALE, tiles, indices, canvas, target)
    os.kill(stopped, signal.SIGSTOP)
    assert len(list(stepping)) == len(tiles)
    assert not alive(stopped)
    assert len(two.pids) == 2


def test_a_connection_that_was_lost_for_a_moment_is_made_again(two, expected, tmp_path):
    lost = []

    def lose(step):
        if step.octave == 1 and len(lost) < 2:
            lost.append(two._client.loop.add_callback(two._client.scheduler_comm.comm.abort))
            time.sleep(len(lost))  # the client connects again before anybody asks

    assert np.array_equal(dream(two, tmp_path / "work", on_step=lose), expected)
    assert len(lost) == 2


def test_a_full_disk_ends_the_dream_in_words_and_it_is_resumed(two, expected, tmp_path):
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "none", tmp_path], check=False
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    ballast = tmp_path / "ballast"

    def fill(step):
        if step.octave == 1:
            with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass

    try:
        with pytest.raises(DreamError, match=r"No space left on device.*resume with --resume"):
            dream(two, tmp_path / "work", on_step=fill)
        ballast.unlink()
        assert np.array_equal(dream(two, tmp_path / "work", resume=True), expected)
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_nothing_listens_beyond_this_machine(two):
    listening = [
        connection.laddr.ip
        for pid in [os.getpid(), *two.pids]
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_processes_of_this_machine_are_encrypted_where_dask_is_configured_so(expected, tmp_path):
    import dask

    tls = {**certificate(tmp_path), "distributed.comm.require-encryption": True}
    with dask.config.set(tls), stubs("cpu,cpu") as workers:
        assert all(address.startswith("tls://127.0.0.1:") for address in workers._members)
        assert np.array_equal(dream(workers, tmp_path / "work"), expected)


def test_ctrl_c_on_a_terminal_does_not_reach_workers(two):
    assert two.pids
    assert all(os.getsid(pid) != os.getsid(0) for pid in two.pids)


def test_a_dream_that_is_stopped_is_resumed_by_the_same_workers(two, expected, tmp_path):
    def stop(step):
        return step.octave == 1 and step.iteration == 1

    assert not np.array_equal(dream(two, tmp_path / "work", on_step=stop), expected)
    assert np.array_equal(dream(two, tmp_path / "work", resume=True), expected)


def test_an_error_in_a_worker_names_the_tile_and_ends_with_its_traceback(two, first):
    _, tiles, _, canvas, target = first
    with pytest.raises(WorkerError) as error:
        list(two.steps(Place(1, 0, 9), SCALE, tiles[:1], [0], canvas, target))
    text = str(error.value)
    assert text.startswith("tile 0 of phase 9 of octave 1, pass 0 failed, on cpu:")
    assert 'task.py", line' in text
    assert text.rstrip().endswith("IndexError: list index out of range")


def test_an_error_for_the_user_is_told_in_the_same_words(two, first):
    place, tiles, indices, canvas, target = first
    os.truncate(canvas.path, 1000)
    with pytest.raises(DreamError, match="one has 1000 bytes, a canvas of 70 x 60"):
        list(two.steps(place, SCALE, tiles, indices, canvas, target))


def test_the_death_of_the_parent_ends_the_workers(tmp_path):
    script = """
import json, sys
from pathlib import Path
from tests.cluster.test_workers import SCALE, first_phase, stubs
workers = stubs("cpu")
place, tiles, indices, canvas, target = first_phase(Path(sys.argv[1]))
stepping = workers.steps(place, SCALE, tiles, indices, canvas, target)
next(stepping)
print(json.dumps(workers.pids), flush=True)
list(stepping)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE,
        env={**os.environ, "STUB_PAUSE": "5"},
    )  # fmt: skip
    pids = json.loads(parent.stdout.readline())
    assert all(map(alive, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(pids)


def test_a_canvas_of_another_size_than_the_dreams_is_refused(two, first):
    _, tiles, _, canvas, _ = first
    with pytest.raises(ValueError, match="another size of this octave than 70 x 60"):
        list(two.measure(0, 0, [tiles], [(0, 0)], canvas))


# -- workers that cannot be -----------------------------------------------------------------------


def test_a_worker_that_always_dies_is_given_up_with_its_last_words(tmp_path, monkeypatch):
    starts, python = tmp_path / "starts", tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho start >> {starts}\necho the bus is on fire >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(DreamError, match="on cpu died 3 times in a row") as error:
        stubs("cpu")
    assert "it ended with code 3\n  the bus is on fire" in str(error.value)
    assert len(starts.read_text().splitlines()) >= 3


def test_a_tile_that_costs_three_workers_their_lives_ends_the_dream(first, tmp_path):
    place, tiles, indices, canvas, target = first
    with (
        Workers(DREAM, "cpu,cpu", folder=tmp_path, load=stub.load_deadly) as workers,
        pytest.raises(
            DreamError, match=r"(cost 3 workers in a row|died 3 times in a row)"
        ) as error,
    ):
        list(workers.steps(place, SCALE, tiles, indices, canvas, target))
    assert "it ended with code 7\n  no memory is left" in str(error.value)


def test_a_network_that_cannot_be_loaded_is_refused_as_in_one_process(tmp_path):
    write_random_net(tmp_path)
    next(tmp_path.glob("*.caffemodel")).unlink()
    with pytest.raises(DreamError) as alone:
        load_net(load_model(tmp_path))
    without = dreams.dream_of(dreams.options("shift", model=str(tmp_path)), SIZE)
    with pytest.raises(DreamError) as refusal:
        Workers(without, "cpu", folder=tmp_path)
    assert str(refusal.value) == str(alone.value)
