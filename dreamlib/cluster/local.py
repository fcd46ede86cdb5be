"""A cluster of this machine, for the length of a dream: a scheduler in this process, bound to
loopback, and a worker process for each device, as ``dask worker`` starts it anywhere."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from logging import CRITICAL
from typing import BinaryIO, NamedTuple

from dreamlib.cluster.connection import import_dask
from dreamlib.util import subprocesses

#: What tells libraries how many threads to use.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: Of Dask, for all these processes. It looks at itself, fifty times a second, and at what its
#: workers do, a hundred times; where workers have all cores, that takes from them.
CONFIGURATION = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "10s",
    "distributed.worker.profile.enabled": False,
    "logging.distributed": "error",
}

#: Of glibc. With a heap for each thread the holes that a network leaves are there several times.
ONE_HEAP = "1"

#: The end of a dead worker's words that is shown.
LAST_LINES, LAST_BYTES = 8, 4096

LOOPBACK = "127.0.0.1"


class _Process(NamedTuple):
    device: str
    name: str  #: by which Dask knows it
    process: subprocess.Popen
    words: BinaryIO  #: what it writes

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.words.close()


class LocalWorkers:
    """Worker processes on devices of this machine.

    Parameters
    ----------
    devices : list of str
        ``cpu`` or ``cuda:N``, one for each worker.
    threads : int
        Of the CPU, for each.

    Attributes
    ----------
    ended : int
        Processes that ended by themselves.
    last_words : str
        How the last of them ended, and the end of what it wrote.
    """

    def __init__(self, devices, threads):
        distributed = import_dask()
        import dask

        with dask.config.set(CONFIGURATION):
            self._scheduler = distributed.LocalCluster(
                n_workers=0, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0", silence_logs=CRITICAL
            )
            self._environment = subprocesses.environment(
                DASK_INTERNAL_INHERIT_CONFIG=dask.config.serialize(dask.config.global_config),
                **dict.fromkeys(THREADS, str(threads)),
                MALLOC_ARENA_MAX=os.environ.get("MALLOC_ARENA_MAX", ONE_HEAP),
            )
        self._folder = tempfile.TemporaryDirectory(prefix="dreamlib-workers-")
        self._numbers = itertools.count()
        self.ended, self.last_words, self._client = 0, "", None
        self._processes = [self._start(device) for device in devices]

    def connect(self):
        """Make a client of these workers, which is closed with them: a distributed.Client."""
        import dask

        with dask.config.set(CONFIGURATION):
            self._client = import_dask().Client(
                self._scheduler, set_as_default=False, direct_to_workers=True
            )
        return self._client

    @property
    def pids(self):
        """The worker processes: a list of int."""
        return [one.process.pid for one in self._processes]

    def end(self, name):
        """End the worker of a name at once, and start another in its place."""
        for number, one in enumerate(self._processes):
            if one.name == name:
                one.kill()
                self._processes[number] = self._start(one.device)

    def _start(self, device):
        name = f"{device}-{next(self._numbers)}"
        words = tempfile.TemporaryFile()  # noqa: SIM115  a pipe would need someone to read it
        command = [
            sys.executable, "-m", "distributed.cli.dask_worker", self._scheduler.scheduler_address,
            "--no-nanny", "--host", LOOPBACK, "--dashboard-address", f"{LOOPBACK}:0",
            "--nthreads", "1", "--memory-limit", "0", "--resources", f"{device}=1",
            "--death-timeout", "10", "--name", name, "--local-directory", self._folder.name,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
            start_new_session=True,  # Ctrl-C is for this process, which decides
        )  # fmt: skip
        return _Process(device, name, process, words)

    def mend(self):
        """Start a worker in the place of each that has ended."""
        for number, one in enumerate(self._processes):
            if one.process.poll() is not None:
                self.ended += 1
                self.last_words = f"{_ending(one.process.returncode)}{_end_of(one.words)}"
                self._processes[number] = self._start(one.device)

    def close(self):
        """End all; what is under way is given up, and nothing is left of it."""
        for one in self._processes:
            one.kill()
        if self._client:
            self._client.close()
        self._scheduler.close()
        self._folder.cleanup()


def _end_of(words):
    """Return the last lines of a file, indented, and close it."""
    with words:
        words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_BYTES))
        lines = words.read().decode(errors="replace").splitlines()[-LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines)


def _ending(code):
    """Say how a process ended."""
    if code >= 0:
        return f"it ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    hint = " (as the system does where memory runs out)" if name == "SIGKILL" else ""
    return f"it was ended by {name}{hint}"
