"""The parent's side of `studio.child`: start it, hear it, end it.

What is heavy or may go wrong (networks, decoding what strangers sent) happens in a process of its
own: it can be ended at any time, and the machine has its memory back.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from dreamlib.errors import DreamError

REPOSITORY = Path(__file__).resolve().parent.parent


class ChildDied(Exception):
    """A child ended without having said how its work went."""


class Child:
    """A child at work; a context manager that does not leave it alive.

    Parameters
    ----------
    order : dict
        What it is to do: see `studio.child`.
    log : Path, optional
        What its libraries say is appended there; else it goes where the parent's goes.
    gpu : str, optional
        Number of the CUDA device that it is to see, as its device 0.
    """

    def __init__(self, order, log=None, gpu=None):
        environment = {**os.environ, "PYTHONPATH": _python_path()}
        environment.pop("DREAM_SECRET_KEY", None)  # a child has no use for them
        environment.pop("DREAM_DATABASE", None)
        environment["CUDA_VISIBLE_DEVICES"] = "" if gpu is None else gpu
        self._log = open(log, "ab") if log else None  # noqa: SIM115 - closed with the child
        self.process = subprocess.Popen(
            [sys.executable, "-m", "studio.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=environment, text=True, bufsize=1,
        )  # fmt: skip
        self._said = queue.Queue()
        self.say(json.dumps(order))
        threading.Thread(target=self._read, name="child", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()
        self.process.wait()
        self.process.stdin.close()
        if self._log:
            self._log.close()

    def _read(self):
        with self.process.stdout as stream:
            for line in stream:
                if line.endswith("\n"):  # not what was cut when it was killed
                    self._said.put(json.loads(line))
        self._said.put(None)

    def say(self, line):
        """Tell it something; one that is not there any more does not hear it."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return

    def hear(self, seconds):
        """Wait for what it says next.

        Returns
        -------
        dict
            What it said; empty where it said nothing for so many seconds.

        Raises
        ------
        ChildDied
            It has ended; its exit code is the argument.
        """
        try:
            said = self._said.get(timeout=seconds)
        except queue.Empty:
            return {}
        if said is None:
            raise ChildDied(self.process.wait())
        return said

    def kill(self):
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()


def ask(order, seconds, gpu=None):
    """Have a child do something short, and return what it answers.

    Parameters
    ----------
    order : dict
    seconds : float
        After which it is ended.
    gpu : str, optional

    Returns
    -------
    dict

    Raises
    ------
    DreamError
        It was refused, or took too long.
    """
    with Child(order, gpu=gpu) as child:
        timer = threading.Timer(seconds, child.kill)
        timer.start()
        try:
            while True:
                said = child.hear(seconds)
                if "refused" in said:
                    raise DreamError(said["refused"])
                if said.get("done"):
                    return said
        except ChildDied as error:
            raise DreamError(
                f"this took more than {seconds:.0f} seconds or too much memory; expected something "
                "smaller"
                if error.args[0] == -9
                else "this failed in a way that nobody foresaw; the server's log has it"
            ) from error
        finally:
            timer.cancel()


def _python_path():
    """Let the child find what the parent found, wherever it is started."""
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(REPOSITORY), *([given] if given else [])])
