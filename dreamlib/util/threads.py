"""How many threads compute, and how they wait for each other: told to OpenMP before it is loaded.

By default GNU's OpenMP lets a thread that waits spin for milliseconds. Where something else runs
on the machine, threads then spin on the cores that those they wait for need: beside two busy
processes a step of GoogLeNet took up to twenty times as long as alone, by `benchmarks/busy.py`. A
short spin, and then sleep, costs two percent where the machine is idle.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

#: Turns that a thread spins before it sleeps, some microseconds: `benchmarks/busy.py`.
SPINS = "3000"

#: What the user says about waiting, and about the number of threads.
WAITING, NUMBER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"), "OMP_NUM_THREADS"

CGROUPS = Path("/sys/fs/cgroup")


def settle_threads():
    """Set what the user has not set in this process's environment, which its children have too."""
    if not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = SPINS
    quota = cpu_quota()
    if NUMBER not in os.environ and quota is not None and quota < (os.cpu_count() or 1):
        os.environ[NUMBER] = str(math.ceil(quota))


def cpu_quota(root=CGROUPS, own=Path("/proc/self/cgroup")):
    """Return how many processors' time this process may use.

    Parameters
    ----------
    root : Path
        Where Linux shows control groups: those of version 2, or 1.
    own : Path
        The file that names this process's groups.

    Returns
    -------
    float or None
        None if nothing limits it, or nobody knows.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # another system
        return None
    quotas = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:
            quotas += [_quota(group / "cpu.max") for group in _with_parents(root, path)]
        elif "cpu" in kinds.split(","):
            for group in _with_parents(root / "cpu", path):
                quotas.append(_quota(group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us"))
    return min((quota for quota in quotas if quota), default=None)


def _with_parents(root, path):
    """List a group's folder and those above it: a limit holds for all that is below."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [root.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _quota(*files):
    """Read microseconds of processors' time and of a period, in one file or two."""
    try:
        words = " ".join(file.read_text() for file in files).split()
    except OSError:  # the group has no such limit, or lies outside the container
        return None
    limited = len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1])
    return int(words[0]) / int(words[1]) if limited else None
