"""Threads: as many as there is processor time for, and none that spins while others work."""

import json
import os
import subprocess
import sys

import pytest

from dreamlib.util import subprocesses
from dreamlib.util.threads import SPINS, cpu_quota


def write(tmp_path, own, files):
    """Write control groups' files and the one that names this process's; return both places."""
    root = tmp_path / "cgroup"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "own").write_text(own)
    return root, tmp_path / "own"


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4),
        ("0::/a/b\n", {"a/cpu.max": "50000 100000\n", "a/b/cpu.max": "300000 100000\n"}, 0.5),
        (
            "3:memory:/\n1:cpu,cpuacct:/a\n0::/\n",
            {"cpu/a/cpu.cfs_quota_us": "200000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
            2,
        ),
        (
            "1:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        # Seen from within a container the path may lie outside; the limit is at the root.
        ("0::/../elsewhere\n", {"cpu.max": "100000 50000\n"}, 2),
        ("0::/\n", {}, None),
    ],
)
def test_the_quota_of_a_container_is_found(tmp_path, own, files, quota):
    assert cpu_quota(*write(tmp_path, own, files)) == quota


def test_without_control_groups_nothing_limits(tmp_path):
    assert cpu_quota(tmp_path, tmp_path / "none") is None


def settled(module, quota="None", **given):
    """Return what a fresh process's environment says after an import, and PyTorch's threads."""
    code = f"""
import dreamlib.util.threads as threads, json, os
threads.cpu_quota = lambda: {quota}
threads.settle_threads()
import {module}, torch
names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
print(json.dumps([[os.environ.get(name) for name in names], torch.get_num_threads()]))
"""
    environment = subprocesses.environment()
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, **given}, capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor has no smaller quota")
def test_a_quota_sets_the_number_of_threads():
    assert settled("dreamlib.pycaffe", quota="0.7") == [[SPINS, None, "1"], 1]


def test_what_the_user_set_stays():
    names, threads = settled(
        "dreamlib.pycaffe", quota="0.5", OMP_NUM_THREADS="2", OMP_WAIT_POLICY="ACTIVE"
    )
    assert (names, threads) == ([None, "ACTIVE", "2"], 2)


@pytest.mark.parametrize("entry", ["dreamlib.pycaffe", "dreamlib.cli", "dreamlib.cluster.members"])
def test_every_entry_settles_it_before_openmp_is_loaded(entry):
    code = f"""
import sys
import {entry}, os
print(os.environ["GOMP_SPINCOUNT"])
"""
    environment = subprocesses.environment()
    environment.pop("GOMP_SPINCOUNT", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == SPINS
