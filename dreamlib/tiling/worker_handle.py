"""A worker process as its parent sees it: started, given tasks, heard, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import deque

from dreamlib.util import json_lines, subprocesses

#: What tells libraries how many threads to use.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: Seconds that a worker may take to notice the end of its input; after that it is killed.
PATIENCE = 5

#: The end of a dead worker's stderr that is shown.
LAST_LINES, LAST_BYTES = 8, 4096


class WorkerHandle:
    """A worker process.

    Parameters
    ----------
    gpu : int or None
        CUDA device; None is the CPU.
    dream : str
        See `dreamlib.tiling.worker.Worker`.
    threads : int
        Of the CPU.
    crashes : int
        Number of its predecessors, in a row, that ended without finishing a tile.
    program : list of str
        The interpreter's arguments.

    Attributes
    ----------
    gpu : int or None
    device : str
        The same as `dreamlib.util.devices.parse_devices` reads it.
    pid : int
    ready : bool
        Whether the network is loaded. `Workers` sets it, and `crashes`.
    tasks : collections.deque
        Given and not finished, in the order in which they will be.
    """

    def __init__(self, gpu, dream, threads, crashes=0, program=("-m", "dreamlib.tiling.worker")):
        self.gpu = gpu
        self.device = "cpu" if gpu is None else f"cuda:{gpu}"
        self.crashes = crashes
        self.ready = False
        self.tasks = deque()
        # A pipe would need someone to read it.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
            env=subprocesses.environment(**dict.fromkeys(THREADS, str(threads))),
            start_new_session=True,  # Ctrl-C does not reach it, not even before it ignores it
        )  # fmt: skip
        self.pid = self._process.pid
        self._answers = json_lines.Reader(self._process.stdout)
        self._send({"dream": dream, "gpu": gpu})

    def fileno(self):
        """Return the descriptor that becomes readable when there is something to `hear`."""
        return self._answers.fileno()

    def give(self, task):
        """Send a task.

        Parameters
        ----------
        task : dict
            The arguments of `dreamlib.tiling.worker.Worker.perform`.
        """
        self.tasks.append(task)
        self._send(task)

    def _send(self, message):
        # To a dead worker nothing can be sent: `hear` will tell.
        json_lines.send(self._process.stdin, message)

    def hear(self):
        """Wait for the worker's answers.

        Returns
        -------
        list of dict, or None
            None when it is dead.
        """
        return self._answers.wait()

    def dismiss(self):
        """Tell the worker to end at once, whatever it does, and do not wait for it."""
        self._process.stdin.close()

    def end(self):
        """End the worker.

        Returns
        -------
        str
            How it ended, and the last lines that it wrote to stderr.
        """
        self.dismiss()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        with self._words as words:
            words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = words.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        return "\n  ".join([_ending(self._process.returncode), *lines])


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
