"""A worker as the driver sees it, and how it becomes one: described, compared, given the dream."""

from __future__ import annotations

import os
import uuid
from collections import deque
from contextlib import contextmanager
from pathlib import Path

from dreamlib.cluster import files, task
from dreamlib.errors import disk_trouble, reading
from dreamlib.tiling.work_folder import CANVAS, new_token
from dreamlib.util.devices import gpu_of, kind_of


class Refused(Exception):
    """A worker cannot take part; the message says why, and what to do."""


class Member:
    """A worker.

    Parameters
    ----------
    address : str
    known : dict
        See `dreamlib.cluster.connection.devices_of`.

    Attributes
    ----------
    address, device, name : str
    network : distributed.Future
        Of its `dreamlib.cluster.task.Loaded`.
    pending : distributed.Future
        What it was asked last on its way to be ready.
    ready : bool
    sees, writes : bool
        Whether it reads the work folder, and puts tiles there itself. Of other machines none does:
        over a network, two that write to one block may undo each other's work.
    tasks : collections.deque
        Given and not finished; the first is under way.
    since : float
        When that began, by the monotonic clock.
    pace : float or None
        Seconds that it takes for a pixel under a window.
    description : dreamlib.cluster.task.Description
    trial : list of float
        See `dreamlib.cluster.task.try_out`.
    """

    def __init__(self, address, known):
        self.address, self.device, self.threads = address, known["device"], known["nthreads"]
        self.name = known["name"]
        self.network, self.pending = None, None
        self.ready, self.sees, self.writes = False, False, False
        self.tasks, self.since, self.pace = deque(), 0.0, None
        self.description = self.trial = None

    def __str__(self):
        return f"worker {self.address} ({self.device})"


class Admission:
    """What every worker has to be like, and is given.

    Parameters
    ----------
    dream : dreamlib.tiling.octaves.Dream
    folder : str or None
        Of the canvases.
    load : callable
        See `dreamlib.cluster.task.Loaded`.
    here : bool
        Whether all workers are processes of this machine, which have its files.
    """

    def __init__(self, dream, folder, load, here):
        self._text, self._engine, self._load = dream.to_json(), dream.engine, load
        self._folder, self._here = folder, here
        self._own = task.describe(dream.engine, None)
        self._files = {} if here else files.files_of(dream)
        self._first = self._tried = None  # with whom the others are compared

    def admit(self, member, submit):
        """Make a worker ready: a generator that yields futures, and is sent their results.

        Parameters
        ----------
        member : Member
            Changed.
        submit : callable
            Given a function and its arguments, has the worker call it; gives the future.

        Yields
        ------
        distributed.Future

        Raises
        ------
        Refused
        """
        gpu, text = gpu_of(member.device), self._text
        member.description = yield submit(task.describe, self._engine, gpu)
        self._compare(member)
        if self._here:
            member.sees = member.writes = self._folder is not None
        else:
            for path, name in (yield submit(files.lacking, self._files)):
                digest, file = self._files[path][name], Path(path) / name if name else Path(path)
                with reading():
                    contents = file.read_bytes()
                yield submit(files.receive, digest, contents)
            text = yield submit(files.at_home, self._text, self._files)
            member.sees = yield from self._sees(submit)
        member.network = submit(task.Loaded, text, gpu, self._load)
        member.trial = yield submit(task.try_out, member.network)
        self._compare_trials(member)
        member.ready = True

    def _sees(self, submit):
        """Try whether a worker reads what is written to the work folder, when it is written."""
        if self._folder is None:
            return False
        with _probe(self._folder) as (path, rewrite):
            for contents in (uuid.uuid4().bytes, uuid.uuid4().bytes):  # some systems keep the first
                rewrite(contents)
                if (yield submit(task.look, path)) != contents:
                    return False
        return True

    def _compare(self, member):
        """Refuse a worker whose program, engine or kind of device is another."""
        found, own = member.description, self._own
        if member.threads != 1:
            raise Refused(f"has {member.threads} threads for tasks; start it with --nthreads 1")
        if found.program != own.program:
            raise Refused(f"runs {found.program}, this is {own.program}; install the same on both")
        if found.engine != own.engine:
            raise Refused(
                f"computes with {found.engine}, here is {own.engine}: they round differently; "
                "install the same on both"
            )
        first = self._first = self._first or member
        if kind_of(member.device) != kind_of(first.device):
            raise Refused(
                f"is a {kind_of(member.device)} among workers on {kind_of(first.device)}: they "
                "round differently; leave its --resources away"
            )
        if kind_of(member.device) == "cuda" and found.processor != first.description.processor:
            raise Refused(
                f"has a {found.processor}, the others {first.description.processor}: they round "
                "differently; leave its --resources away"
            )

    def _compare_trials(self, member):
        """Refuse a CPU that rounds otherwise: by maker, instruction set, threads or libraries."""
        first = self._tried = self._tried or member
        if kind_of(member.device) == "cpu" and member.trial != first.trial:
            raise Refused(
                f"rounds otherwise than {first.address}: it is {member.description.processor}, "
                f"that is {first.description.processor}; leave its --resources away, or give both "
                "the same OMP_NUM_THREADS"
            )


@contextmanager
def _probe(folder):
    """Make a file in the work folder for a while: its path, and what writes it anew."""
    path = os.path.join(os.path.abspath(folder), f"seen-{new_token()}{CANVAS}")
    try:
        with open(path, "wb", buffering=0) as file:

            def rewrite(contents):
                os.pwrite(file.fileno(), contents, 0)
                os.fsync(file.fileno())

            yield path, rewrite
    except OSError as error:
        raise disk_trouble(folder, error) from error
    finally:
        Path(path).unlink(missing_ok=True)
