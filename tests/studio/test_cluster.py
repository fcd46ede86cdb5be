"""Large pictures on a cluster that the studio has; small ones on its devices."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from django.conf import settings
from PIL import Image

from dreamlib import child_environment
from dreamlib.cluster.connection import survey
from dreamlib.errors import DreamError
from studio import serve
from studio.children import Child
from studio.dreams import actions, devices, queue
from studio.dreams.models import Device, Dream, State
from studio.dreams.runner import Runner
from tests.studio.conftest import SETTINGS, add_dream
from tests.studio.test_runner import dreaming, small_model, when  # noqa: F401  for every test
from tests.studio.waiting import until


@pytest.fixture
def large(monkeypatch):
    """A studio with a cluster, for pictures as large as those of the tests."""
    monkeypatch.setattr(settings, "CLUSTER", "tcp://127.0.0.1:9")
    monkeypatch.setattr(settings, "CLUSTER_MEGAPIXELS", 120 * 96 / 1e6)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of one worker: its address."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    variables = child_environment(OMP_NUM_THREADS="1")
    commands = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"],
        "worker": ["--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--host",
                   "127.0.0.1", "--resources", "cpu=1", "--no-nanny"],
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *flags,
             "--scheduler-file", file],
            env=variables, stderr=subprocess.DEVNULL,
        )
        for name, flags in commands.items()
    ]  # fmt: skip

    def ready():
        try:
            return survey(str(file)) == ["cpu"]
        except DreamError:
            return False

    until(ready)
    yield str(file)
    for process in processes:
        process.kill()
        process.wait()


def run(dream):
    """Have the cluster claim a dream and dream it."""
    claimed = queue.claim_next("cluster")
    assert claimed.pk == dream.pk
    Runner(claimed, threading.Event()).run()
    dream.refresh_from_db()
    return dream


def test_large_pictures_go_to_the_cluster_and_small_ones_to_a_device(ann, picture, large):
    dream = add_dream(ann.user, picture=picture, noise="")
    small = add_dream(ann.user)
    film = add_dream(ann.user, picture=picture, noise="", settings={"frames": 3})
    assert list(queue.waiting("cpu")) == [small, film]
    assert list(queue.waiting("attic-cluster")) == [dream]
    named = add_dream(ann.user, picture=picture, noise="", queue="cpu")
    assert list(queue.waiting("cpu")) == [small, film, named]


def test_a_picture_below_the_operators_size_stays_with_a_device(ann, picture, large, monkeypatch):
    monkeypatch.setattr(settings, "CLUSTER_MEGAPIXELS", 1)
    dream = add_dream(ann.user, picture=picture, noise="")
    assert list(queue.waiting("cluster")) == []
    assert list(queue.waiting("cpu")) == [dream]


def test_without_a_cluster_devices_dream_everything(ann, picture):
    dream = add_dream(ann.user, picture=picture, noise="")
    assert list(queue.waiting("cpu")) == [dream]


def test_what_has_begun_on_a_device_stays_there_and_on_the_cluster_too(ann, picture, large):
    dream = add_dream(ann.user, picture=picture, noise="")
    Dream.objects.filter(pk=dream.pk).update(kind="cpu")
    assert list(queue.waiting("cluster")) == []
    assert list(queue.waiting("cpu")) == [dream]
    Dream.objects.filter(pk=dream.pk).update(kind="cluster")
    assert list(queue.waiting("cpu")) == []
    assert list(queue.waiting("cluster")) == [dream]


def test_the_queue_is_fair_one_large_picture_after_the_other(ann, bob, add_picture, large):
    first = add_dream(ann.user, picture=add_picture(ann.user), noise="")
    second = add_dream(bob.user, picture=add_picture(bob.user), noise="")
    assert queue.claim_next("cluster").pk == first.pk
    assert queue.claim_next("cluster").pk == second.pk


def test_serve_keeps_a_worker_for_the_cluster_beside_the_devices():
    assert serve.devices({"DREAM_DEVICES": "cpu, cuda:1"}) == ["cpu", "cuda:1"]
    given = {"DREAM_DEVICES": "cpu", "DREAM_CLUSTER": "tcp://head:8786"}
    assert serve.devices(given) == ["cpu", "cluster"]


def test_the_cluster_is_described_as_a_device(large):
    devices.describe("cluster", "here, process 1")
    assert Device.objects.get().model == "all workers of tcp://127.0.0.1:9"


def test_a_dream_on_the_cluster_is_paused_resumed_and_the_same_as_elsewhere(
    ann, picture, large, cluster, monkeypatch
):
    monkeypatch.setattr(settings, "CLUSTER", cluster)
    dream = add_dream(ann.user, picture=picture, noise="", settings=SETTINGS)
    with when(dreaming, Child.leave):
        assert run(dream).state == State.QUEUED
    assert dream.kind == "cluster"
    assert run(dream).state == State.DONE
    alone = add_dream(ann.user, picture=picture, noise="", settings=SETTINGS, queue="cpu")
    Runner(queue.claim_next("cpu"), threading.Event()).run()
    pictures = [np.asarray(Image.open(one.output)) for one in (dream, alone)]
    assert np.array_equal(*pictures)


def test_a_cancelled_dream_leaves_the_cluster(ann, picture, large, cluster, monkeypatch):
    monkeypatch.setattr(settings, "CLUSTER", cluster)
    dream = add_dream(ann.user, picture=picture, noise="", settings={**SETTINGS, "iterations": 500})
    with when(dreaming, lambda child: actions.cancel(Dream.objects.get(pk=dream.pk))):
        assert run(dream).state == State.CANCELLED
    from dreamlib.cluster.connection import connect

    client = connect(cluster)
    until(lambda: not any(client.has_what().values()))
    client.close()


def test_a_cluster_that_does_not_answer_is_tried_again_and_told_without_its_address(
    ann, picture, large
):
    dream = add_dream(ann.user, picture=picture, noise="", settings=SETTINGS)
    Dream.objects.filter(pk=dream.pk).update(crashes=queue.MOST_CRASHES - 2)
    assert run(dream).state == State.QUEUED
    assert run(dream).state == State.FAILED
    assert dream.message == "the cluster does not answer; retry when it does"
