"""A picture on the workers of a cluster, whose machines share no folder; and what goes wrong there.

Machines are network namespaces: see `tests.cluster.machines`.
"""

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

from dreamlib.cluster.connection import survey
from dreamlib.cluster.workers import Workers
from dreamlib.errors import DreamError
from dreamlib.util.subprocesses import environment
from tests import dreams
from tests.cluster import stub
from tests.cluster.machines import Machines, alive, certificate, until, why_not
from tests.command import PROGRAM, run

reason = why_not()
pytestmark = pytest.mark.skipif(bool(reason), reason=reason or "")

ROOT = Path(__file__).resolve().parents[2]
SIZE = (60, 70)
PICTURE = dreams.picture(*SIZE)
SHIFT = dreams.options("shift")
DREAM = dreams.dream_of(SHIFT, SIZE)

#: A worker or a scheduler that does not answer for so long is taken for dead by Dask.
SILENCE = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    """A folder of this machine; the others do not see what is in it."""
    return tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def machines(hidden):
    """Three of them: one for schedulers, two for workers."""
    made = Machines(3, hidden)
    yield made
    made.close()


@pytest.fixture(scope="module")
def expected():
    return dreams.in_memory(SHIFT, PICTURE)


def has_devices(cluster, count):
    """Tell whether a cluster has so many workers by now."""
    try:
        return len(survey(cluster)) == count
    except DreamError:
        return False


@pytest.fixture
def cluster(machines):
    """Make clusters for a test: given what each worker has in its environment, the address."""
    begun = len(machines.processes)

    def make(*workers, **variables):
        address = machines.scheduler(0, **SILENCE)
        for number, own in enumerate(workers):
            machines.worker(1 + number % 2, address, **{**SILENCE, **variables, **own})
        assert until(lambda: has_devices(address, len(workers)))
        return address

    yield make
    for process in machines.processes[begun:]:
        machines.end(process)


@pytest.fixture
def said():
    return []


def joined(address, hidden, said, dream=DREAM):
    return Workers(dream, cluster=address, folder=hidden, say=said.append, load=stub.load)


def dream_in(folder, workers, on_step=lambda step: False, resume=False):
    class Watcher(dreams.Steps):
        def __call__(self, step):
            super().__call__(step)
            return on_step(step)

    return dreams.in_folder(
        folder, SHIFT, PICTURE, resume=resume, workers=workers, progress=Watcher()
    )


def fresh(hidden, name):
    """A new folder for a dream, within the hidden one."""
    shutil.rmtree(hidden / name, ignore_errors=True)
    return hidden / name


# -- the picture ----------------------------------------------------------------------------------


def test_machines_without_a_common_folder_are_sent_the_pixels(cluster, hidden, expected, said):
    with joined(cluster({}, {}), hidden, said) as workers:
        assert np.array_equal(dream_in(fresh(hidden, "work"), workers), expected)
    assert len(said) == 1
    assert "2 workers; 0 read the canvases where they lie, 2 are sent pixels" in said[0]
    assert not list(hidden.glob("seen*"))


def test_a_machine_with_the_work_folder_reads_it(cluster, tmp_path, expected, said, monkeypatch):
    address = cluster({}, {})
    monkeypatch.chdir(tmp_path)  # where workers are not
    with joined(address, Path(), said) as workers:
        assert np.array_equal(dream_in(Path("work"), workers), expected)
        assert not any(member.writes for member in workers._ready())
    assert "2 read the canvases where they lie, 0 are sent pixels" in said[0]


def test_the_command_dreams_on_a_cluster_that_has_neither_model_nor_mask_nor_guide(
    cluster, hidden, monkeypatch
):
    from tests.nets import picture, write_random_net

    monkeypatch.chdir(hidden)
    (hidden / "model").mkdir()
    write_random_net(hidden / "model")
    Image.fromarray(picture(150, 180)).save("sky.png")
    Image.fromarray(picture(90, 90)[..., 0]).save("mask.png")
    address = cluster({}, {})
    flags = ["--model", hidden / "model", "--end", "mixed/output", "--seed", 3, "--octaves", 2,
             "--iterations", 2, "--tile-size", 64, "--mask", "mask.png", "--mask-on", "steps",
             "--guide", "sky.png", "--quiet"]  # fmt: skip
    assert run("sky.png", "cluster.png", *flags, "--cluster", address) == 0
    assert run("sky.png", "here.png", *flags, "--devices", "cpu") == 0
    made, alone = (np.asarray(Image.open(f"{name}.png")) for name in ("cluster", "here"))
    assert np.array_equal(made, alone)
    assert np.abs(made - np.float32(picture(150, 180))).mean() > 0.5
    assert not list(hidden.glob("*.work"))


def test_a_scheduler_file_names_a_cluster_too(machines, cluster, hidden, expected, tmp_path, said):
    path = tmp_path / "scheduler.json"
    machines.scheduler(0, "--scheduler-file", str(path))
    assert until(path.is_file)
    machines.worker(1, f"tcp://{machines.addresses[0]}:8786")
    assert until(lambda: has_devices(str(path), 1))
    with joined(str(path), hidden, said) as workers:
        assert np.array_equal(dream_in(fresh(hidden, "work"), workers), expected)
    machines.end(machines.processes[-1])
    machines.end(machines.processes[-2])


def test_tls_as_dask_is_configured_for(machines, hidden, expected, tmp_path, said):
    import dask

    tls = certificate(tmp_path)
    variables = {
        "DASK_" + name.upper().replace(".", "__").replace("-", "_"): path
        for name, path in tls.items()
    }
    machines.scheduler(0, "--protocol", "tls", **variables)
    address = f"tls://{machines.addresses[0]}:8786"
    machines.worker(1, address, **variables)
    try:
        with dask.config.set(tls):
            assert until(lambda: has_devices(address, 1))
            with joined(address, hidden, said) as workers:
                assert np.array_equal(dream_in(fresh(hidden, "work"), workers), expected)
        with pytest.raises(DreamError, match=r"no scheduler answers at tls://.*names the cert"):
            survey(address)
    finally:
        machines.end(machines.processes[-1])
        machines.end(machines.processes[-2])


# -- workers that come, go and are late -----------------------------------------------------------


def test_a_killed_worker_loses_no_tile_and_one_that_joins_takes_part(
    machines, cluster, hidden, expected, said
):
    address = cluster({}, {}, STUB_PAUSE="0.05")
    victim, late = machines.processes[-1], []

    def kill(step):
        if step.octave == 1 and not late:
            machines.end(victim)
            late.append(machines.worker(2, address, STUB_PAUSE="0.05", **SILENCE))

    with joined(address, hidden, said) as workers:
        assert np.array_equal(dream_in(fresh(hidden, "work"), workers, kill), expected)
        assert until(lambda: workers._hear() == [] and len(workers._ready()) == 2)


def test_a_machine_that_falls_silent_holds_nobody_up_and_may_come_back(
    machines, cluster, hidden, expected, said
):
    address = cluster({}, {}, STUB_PAUSE="0.05")
    pulled, slowest = [], 0.0

    def pull(step):
        nonlocal slowest
        if pulled:
            slowest = max(slowest, time.monotonic() - pulled[-1])
        elif step.octave == 1:
            machines.plug(2, there=False)
        if pulled or step.octave == 1:
            pulled.append(time.monotonic())

    with joined(address, hidden, said) as workers:
        try:
            assert np.array_equal(dream_in(fresh(hidden, "work"), workers, pull), expected)
            assert slowest < 3  # not Dask's own patience
            time.sleep(30)  # for Dask it is dead by now
        finally:
            machines.plug(2, there=True)
        assert np.array_equal(dream_in(fresh(hidden, "again"), workers), expected)


def test_a_slow_workers_tiles_go_to_others(cluster, hidden, expected, said):
    with joined(cluster({}, {"STUB_PAUSE": "20"}), hidden, said) as workers:
        begin = time.monotonic()
        assert np.array_equal(dream_in(fresh(hidden, "work"), workers), expected)
        assert time.monotonic() - begin < 20


def test_a_dead_scheduler_ends_the_dream_and_another_number_of_workers_resumes_it(
    machines, cluster, hidden, expected, said
):
    address = cluster({}, {}, STUB_PAUSE="0.05")
    scheduler = machines.processes[-3]

    def kill(step):
        if step.octave == 1:
            machines.end(scheduler)

    folder = fresh(hidden, "work")
    with (
        joined(address, hidden, said) as workers,
        pytest.raises(DreamError, match=r"is gone: its scheduler .* resume with --resume"),
    ):
        dream_in(folder, workers, kill)
    with joined(cluster({}), hidden, said) as workers:
        assert np.array_equal(dream_in(folder, workers, resume=True), expected)


def test_workers_forget_the_dream_of_a_driver_that_was_killed(cluster, hidden):
    from dreamlib.cluster.connection import connect

    address = cluster({}, STUB_PAUSE="0.3")
    script = f"""
from pathlib import Path
from tests.cluster.test_cluster import *
hidden = Path({str(hidden)!r})
with joined({address!r}, hidden, []) as workers:
    dream_in(fresh(hidden, "killed"), workers, lambda step: print("step", flush=True))
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, env=environment()
    )
    assert driver.stdout.readline()
    client = connect(address)
    try:
        assert any("Loaded" in key for [keys] in [client.has_what().values()] for key in keys)
        driver.kill()
        driver.wait()
        driver.stdout.close()
        assert until(lambda: not any(client.has_what().values()))
    finally:
        client.close()


# -- who is refused -------------------------------------------------------------------------------


def test_a_worker_of_another_dreamlib_is_refused(cluster, hidden, tmp_path, said):
    shutil.copytree(ROOT / "dreamlib", tmp_path / "dreamlib")
    with open(tmp_path / "dreamlib/tiling/stepper.py", "a", encoding="utf-8") as file:
        file.write("# worked on\n")
    address = cluster({}, {"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    with pytest.raises(DreamError, match=r"\(cpu\) runs dreamlib \w+, this is dreamlib \w+; inst"):
        joined(address, hidden, said)


def test_a_worker_of_another_pytorch_is_refused(cluster, hidden, tmp_path, said):
    (tmp_path / "sitecustomize.py").write_text("import torch\ntorch.__version__ = '1.2.3'\n")
    address = cluster({}, {"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    with pytest.raises(DreamError, match=r"computes with PyTorch 1.2.3, here is PyTorch .* round"):
        joined(address, hidden, said)


def test_a_worker_with_other_bits_is_refused(cluster, hidden, said):
    address = cluster({}, {"STUB_BITS": "other"})
    with pytest.raises(DreamError, match="rounds otherwise than tcp"):
        joined(address, hidden, said)


def test_a_worker_that_joins_late_and_is_unlike_the_others_is_left_out(
    machines, cluster, hidden, expected, said
):
    address = cluster({}, STUB_PAUSE="0.1")
    late = []

    def join(step):
        if not late:
            late.append(machines.worker(2, address, STUB_BITS="other", **SILENCE))
            assert until(lambda: has_devices(address, 2))

    with joined(address, hidden, said) as workers:
        assert np.array_equal(dream_in(fresh(hidden, "work"), workers, join), expected)
        until(lambda: len(said) == 2 or dream_in(fresh(hidden, "again"), workers) is None)
    assert "is left out: it rounds otherwise" in said[1]


def test_a_cpu_among_gpus_and_two_threads_are_refused(machines, cluster, hidden, said):
    address = cluster({})
    gpu = machines.worker(2, address, device="cuda:0")
    assert until(lambda: not has_devices(address, 1))
    with pytest.raises(DreamError, match=r"on CPUs and on GPUs \(cpu, cuda:0\), which round diff"):
        survey(address)
    with pytest.raises(
        DreamError, match=r"(is a cuda among workers on cpu|is a cpu among workers)"
    ):
        joined(address, hidden, said)
    machines.end(gpu)
    machines.worker(2, address, "--nthreads", "2")
    assert until(lambda: has_devices(address, 2))
    with pytest.raises(DreamError, match="has 2 threads for tasks; start it with --nthreads 1"):
        joined(address, hidden, said)


def test_a_refused_cluster_leaves_no_work_folder(
    cluster, workplace, model, tmp_path_factory, capsys
):
    other = tmp_path_factory.mktemp("other")
    (other / "sitecustomize.py").write_text("import torch\ntorch.__version__ = '1.2.3'\n")
    address = cluster({}, {"PYTHONPATH": f"{other}:{ROOT}"})
    flags = ["--model", model, "--end", "mixed/output", "--cluster", address, "--tile-size", "64"]
    assert run("sky.png", "out.png", *flags) == 2
    assert "computes with PyTorch 1.2.3" in capsys.readouterr().err
    assert os.listdir() == ["sky.png"]


def test_a_scheduler_that_dies_between_two_phases_is_told_in_words(machines, cluster, hidden, said):
    address = cluster({}, {})
    scheduler = machines.processes[-3]
    with joined(address, hidden, said) as workers:
        machines.end(scheduler)
        assert until(lambda: workers._client.status == "closed")
        with pytest.raises(DreamError, match="is gone: its scheduler"):
            dream_in(fresh(hidden, "work"), workers)


def test_a_cluster_whose_workers_name_no_device_is_refused(machines, cluster):
    address = machines.scheduler(0)
    machines.worker(1, address, device=None)
    refusal = "no worker that names its device; start them with .* --resources cpu=1"

    def refused():
        try:
            survey(address)
        except DreamError as error:
            return refusal.split(";")[0] in str(error)

    assert until(refused)
    machines.end(machines.processes[-2])


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["://", "tcp://", "foo://a:1", "inproc://1/2/3", "tcp://h:abc", "a.json", "list.json"]
)
def test_what_is_no_address_is_refused_at_once(text, workplace):
    (workplace / "list.json").write_text("[]")
    with pytest.raises(DreamError, match=r"neither an address nor a scheduler file; expected one"):
        survey(text)


def test_no_cluster_at_an_address_is_told_with_exit_code_2(workplace, model, capsys):
    flags = ["--model", model, "--end", "mixed/output"]
    assert run("sky.png", "out.png", *flags, "--cluster", "tcp://127.0.0.1:9") == 2
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert run("sky.png", "out.png", *flags, "--cluster", "nothing.json") == 2
    assert "'nothing.json' is neither an address nor a scheduler file" in capsys.readouterr().err
    assert run("sky.png", "out.png", "--devices", "cpu", "--cluster", "tcp://127.0.0.1:9") == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert os.listdir() == ["sky.png"]


def test_the_plan_counts_a_clusters_devices(cluster, workplace, model, capsys):
    address = cluster({}, {}, {})
    flags = ["--model", model, "--end", "mixed/output", "--cluster", address]
    assert run("sky.png", *flags, "--plan") == 0
    assert f"workers      3 on cpu, of {address}" in capsys.readouterr().out


def test_ctrl_c_keeps_the_work_and_resume_needs_no_cluster(cluster, hidden, monkeypatch):
    from tests.nets import picture, write_random_net

    monkeypatch.chdir(hidden)
    (hidden / "other").mkdir()
    write_random_net(hidden / "other")
    Image.fromarray(picture(150, 180)).save("hill.png")
    flags = [
        "--model",
        str(hidden / "other"),
        "--end",
        "mixed/output",
        "--seed",
        "3",
        "--octaves",
        "2",
        "--tile-size",
        "64",
    ]
    driver = subprocess.Popen(
        [sys.executable, PROGRAM, "hill.png", "out.png", *flags, "--cluster", cluster({}, {})],
        stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip
    for line in driver.stderr:
        if "%" in line:
            break
    driver.send_signal(signal.SIGINT)
    told = driver.stderr.read()
    driver.stderr.close()
    assert driver.wait() == 130
    assert "resume it with --resume --work-dir out.png.work" in told
    assert run("hill.png", "out.png", "--resume", "--devices", "cpu", "--quiet") == 0
    assert run("hill.png", "whole.png", *flags, "--devices", "cpu", "--quiet") == 0
    resumed, whole = (np.asarray(Image.open(name)) for name in ("out.png", "whole.png"))
    assert np.array_equal(resumed, whole)


def test_no_process_outlives_its_cluster(machines, cluster):
    cluster({}, {})
    processes = machines.processes[-3:]
    machines.end(processes[0])
    assert until(lambda: not any(alive(process.pid) for process in processes[1:]), 90)
