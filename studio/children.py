"""The parent's side of `studio.child`: start it, hear it, end it.

Networks and the decoding of uploaded files, which are heavy or may go wrong, run in a process of
their own: it can be ended at any time, and the machine has its memory back.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading

from dreamlib import DreamError, MessageReader, child_environment, send_message

PROGRAM = (sys.executable, "-m", "studio.child")


class ChildCrashed(Exception):
    """A child ended without a report of how its work went."""


class Child:
    """A child at work; a context manager that does not leave it alive.

    Parameters
    ----------
    order : dict
        See `studio.child`.
    log : Path, optional
        Takes the output of its libraries; by default that goes where the parent's goes.
    gpu : str, optional
        Number of the CUDA device that it is to see, as its device 0.
    """

    def __init__(self, order, log=None, gpu=None):
        environment = child_environment(CUDA_VISIBLE_DEVICES="" if gpu is None else gpu)
        environment.pop("DREAM_SECRET_KEY", None)  # a child has no use for them
        environment.pop("DREAM_DATABASE", None)
        self._log = open(log, "ab") if log else None  # noqa: SIM115 - closed with the child
        self.process = subprocess.Popen(
            PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            env=environment,
        )  # fmt: skip
        self._said = queue.Queue()
        send_message(self.process.stdin, order)
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
            for message in MessageReader(stream):
                self._said.put(message)
        self._said.put(None)

    def leave(self):
        """Have it leave its dream at the next step."""
        send_message(self.process.stdin, {"leave": True})

    def hear(self, seconds):
        """Wait for its next message.

        Parameters
        ----------
        seconds : float

        Returns
        -------
        dict
            Its message; empty where none came in that time.

        Raises
        ------
        ChildCrashed
            It has ended; its exit code is the argument.
        """
        try:
            said = self._said.get(timeout=seconds)
        except queue.Empty:
            return {}
        if said is None:
            raise ChildCrashed(self.process.wait())
        return said

    def kill(self):
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()


def ask(order, seconds, gpu=None):
    """Have a child do something short, and return its answer.

    Parameters
    ----------
    order : dict
        See `studio.child`.
    seconds : float
        After which it is ended.
    gpu : str, optional
        See `Child`.

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
        except ChildCrashed as error:
            raise DreamError(
                f"this took more than {seconds:.0f} seconds or too much memory; expected something "
                "smaller"
                if error.args[0] == -9
                else "this failed in a way that nobody foresaw; the server's log has it"
            ) from error
        finally:
            timer.cancel()
