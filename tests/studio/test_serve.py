"""What `make serve` keeps running, and what a worker does beside dreaming."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from studio import serve
from studio.dreams import devices, probe, queue, tasks
from studio.dreams.models import Device, Dream, State
from tests.studio.conftest import add_dream
from tests.studio.waiting import until


def test_the_first_start_makes_a_secret_that_stays_and_nobody_else_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DREAM_SECRET_KEY")
    first, second = serve.environment(), serve.environment()
    assert first["DREAM_SECRET_KEY"] == second["DREAM_SECRET_KEY"]
    assert len(first["DREAM_SECRET_KEY"]) >= 50
    assert (tmp_path / "data" / "secret-key").stat().st_mode & 0o777 == 0o600
    assert (first["DREAM_HOST"], first["DREAM_PORT"]) == ("127.0.0.1", "8000")


def test_a_worker_for_each_device(monkeypatch):
    assert serve.devices({"DREAM_DEVICES": "cuda:0, cpu"}) == ["cuda:0", "cpu"]
    monkeypatch.setattr(probe.shutil, "which", lambda name: None)
    assert serve.devices({}) == ["cpu"]


def test_what_ends_is_started_again_and_all_ends_together(monkeypatch, capfd):
    monkeypatch.setattr(serve, "PAUSE", 0.1)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    processes = serve.Processes({"sleeper": sleeper}, dict(os.environ))
    processes.keep()
    first = processes._running["sleeper"]
    first.kill()
    first.wait()
    until(lambda: processes.keep() or processes._running["sleeper"] is not first)
    second = processes._running["sleeper"]
    processes.end()
    assert second.returncode == -signal.SIGTERM
    assert "sleeper ended with code -9; starting it again" in capfd.readouterr().err


@pytest.fixture
def runs(monkeypatch):
    """What a worker dreams, without dreaming it."""
    done = []

    class Runner:
        def __init__(self, dream, stopping):
            self.dream = dream

        def run(self):
            done.append(self.dream.name)
            queue.release(self.dream, State.DONE)

    monkeypatch.setattr(tasks, "Runner", Runner)
    monkeypatch.setattr(tasks, "stopping", threading.Event())
    return done


def test_one_message_has_all_dreamt_that_waits_in_order_and_doubles_do_nothing(ann, runs):
    for name in "abc":
        add_dream(ann.user, name=name)
    add_dream(ann.user, name="for another", queue="cuda:7")
    tasks.look()
    tasks.look()
    assert runs == ["a", "b", "c"]


def test_a_worker_dreams_one_at_a_time(ann, runs):
    add_dream(ann.user)
    with tasks._at_work:
        tasks.look()
    assert runs == []


def test_an_idle_worker_finds_what_it_was_not_told_of(ann, runs, sent, monkeypatch):
    add_dream(ann.user)
    sent.clear()
    monkeypatch.setattr(tasks.stopping, "wait", lambda seconds: tasks.stopping.set())
    tasks.watch()
    assert sent == ["cpu"]
    assert Device.objects.get().name == "cpu"


def test_a_busy_worker_sends_no_messages_but_takes_care_of_others_dreams(ann, sent, monkeypatch):
    dream = add_dream(ann.user, queue="cuda:1")
    queue.claim_next("cuda:1")
    Dream.objects.filter(pk=dream.pk).update(lease="2001-01-01T00:00Z")
    add_dream(ann.user)
    sent.clear()
    monkeypatch.setattr(tasks, "stopping", threading.Event())
    monkeypatch.setattr(tasks.stopping, "wait", lambda seconds: tasks.stopping.set())
    with tasks._at_work:
        tasks.watch()
    assert sent == ["cuda:1"]


def test_a_named_machine_has_queues_of_its_own(monkeypatch):
    monkeypatch.setenv("DREAM_DEVICE", "cuda:1")
    monkeypatch.setenv("DREAM_WORKER", "attic")
    assert tasks.own_device() == "attic-cuda:1"
    assert queue.kind_of("attic-cuda:1") == "cuda"


def test_a_gpu_is_described_as_its_driver_tells(monkeypatch):
    answers = iter(["A card, 8192, 1024, 61\n", "An old card, 4096, 12, [N/A]\n", "no devices\n"])

    def run(command, **options):
        assert command[-1] == "--id=1"
        return type("Done", (), {"stdout": next(answers)})

    monkeypatch.setattr(probe.subprocess, "run", run)
    devices.describe("attic-cuda:1", "attic, process 1")
    card = Device.objects.get()
    assert (card.model, card.memory_total, card.temperature) == ("A card", 8 << 30, 61)
    assert probe.gpu("1")["temperature"] is None
    assert probe.gpu("1") == {"model": "no answer from the driver"}


def test_the_cpu_has_a_model_and_memory():
    told = probe.cpu()
    assert "cores" in told["model"]
    assert 0 < told["memory_used"] < told["memory_total"]


def test_the_command_line_needs_nothing_of_the_studio():
    import subprocess

    script = (
        "import sys\n"
        "for name in ('django', 'celery', 'studio'): sys.modules[name] = None\n"
        "import dreamlib.cli, dreamlib.jobs.prepare, dreamlib.jobs.run\n"
        "import dreamlib.jobs.contact_sheet\n"
        "dreamlib.cli.main(['--list-models'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "efficientnet_lite0" in done.stdout
