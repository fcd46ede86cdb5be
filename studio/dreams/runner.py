"""One dream that a worker has claimed: its child process, its lease, its events."""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from studio.children import Child, ChildCrashed
from studio.dreams import queue
from studio.dreams.dream_settings import names_for, values_for
from studio.dreams.models import State
from studio.dreams.probe import CLUSTER

log = logging.getLogger("studio.worker")

#: Seconds between two looks at requests, and that a child is given to leave its dream when the
#: worker ends.
TICK, FAREWELL = 1.0, 8.0

#: Seconds that the database may not answer.
PATIENCE = 600

#: A growth of the share that counts as progress.
STEP = 0.001

#: Seconds between previews, and megapixels that take one second more.
PREVIEW, PREVIEW_MEGAPIXELS = 4, 2


def order_of(dream):
    """Return the order for a child that dreams a dream: see `studio.child.dreams.dream`.

    Parameters
    ----------
    dream : Dream
        With the device that dreams it.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        Its picture, or one in its settings, is not there any more.
    """
    if dream.noise:
        source, megapixels = f"noise:{dream.noise}", 1
    elif dream.picture:
        source, megapixels = str(dream.picture.file), dream.picture.megapixels
    else:
        raise FileNotFoundError
    return {
        "kind": "film" if dream.is_film else "dream", "source": source,
        "output": str(dream.output), "folder": str(dream.folder),
        "values": values_for(dream.owner_id, dream.settings),
        "names": names_for(dream.owner_id, dream.settings),
        "gpu": None if _number(dream.device) is None else 0,
        "cluster": settings.CLUSTER if queue.kind_of(dream.device) == CLUSTER else None,
        "preview": (PREVIEW + megapixels / PREVIEW_MEGAPIXELS) / 60,
    }  # fmt: skip


class Runner:
    """Has a child dream a claimed dream, and records its progress.

    Parameters
    ----------
    dream : Dream
        With a claim.
    stopping : threading.Event
        Set where the worker is to end: the dream is left, and queued again.
    """

    def __init__(self, dream, stopping):
        self._dream, self._stopping = dream, stopping
        self._furthest = dream.share
        self._seconds = dream.seconds
        self._begin = self._renewed = time.monotonic()
        self._leaving = None  # since when, and for what state
        self._preview_seen = None

    def run(self):
        """Dream until it is done, fails, is left, or belongs to another."""
        dream = self._dream
        try:
            order = order_of(dream)
        except FileNotFoundError:
            patiently(
                queue.release, dream, State.FAILED, message="the picture is not there any more"
            )
            return
        dream.folder.mkdir(parents=True, exist_ok=True)
        with Child(order, dream.folder / "log.txt", _number(dream.device)) as child:
            self._attend(child)

    def _attend(self, child):
        dream = self._dream
        while True:
            try:
                said = child.hear(TICK)
            except ChildCrashed as crash:
                self._crashed(crash.args[0])
                return
            if {"done", "refused", "failed", "away"} & set(said):
                child.process.wait()
                self._ended(said)
                return
            changes = self._changes(said)
            if changes or time.monotonic() - self._renewed > settings.HEARTBEAT:
                changes["seconds"] = self._seconds + time.monotonic() - self._begin
                if not patiently(queue.renew_lease, dream, **changes):
                    log.warning("dream %s is another's now", dream.pk)
                    return
                self._renewed = time.monotonic()
                if len(changes) > 1:
                    patiently(queue.publish, dream)
            if not self._obeys(child):
                return

    def _changes(self, said):
        """Turn a message of the child, and a new preview, into changes of the dream."""
        changes = {
            name: said[name]
            for name in ("share", "phase", "octave", "octaves", "seconds_left")
            if name in said
        }
        if changes.get("share", 0) > self._furthest + STEP:
            self._furthest = changes["share"]
            if self._dream.crashes:
                changes["crashes"] = 0
        try:
            written = self._dream.preview.stat().st_mtime_ns
        except FileNotFoundError:
            return changes
        if written != self._preview_seen:
            self._preview_seen = written
            changes["previews"] = self._dream.previews + 1
        return changes

    def _obeys(self, child):
        """Do what people or the worker's end demand; return False where the dream is cancelled."""
        if self._leaving:
            since, state = self._leaving
            if state == State.QUEUED and time.monotonic() - since > FAREWELL:
                child.kill()  # the journal has all but the last minute
            return True
        if self._stopping.is_set():
            self._leave(child, State.QUEUED)
            return True
        request = patiently(queue.request_of, self._dream)
        if request == "pause":
            self._leave(child, State.PAUSED)
        if request == "cancel":
            child.kill()
            child.process.wait()
            self._dream.discard_work()
            patiently(queue.release, self._dream, State.CANCELLED)
            return False
        return True

    def _leave(self, child, state):
        child.leave()
        self._leaving = time.monotonic(), state

    def _ended(self, said):
        dream, spent = self._dream, self._seconds + time.monotonic() - self._begin
        if said.get("left"):
            state = self._leaving[1] if self._leaving else State.QUEUED
            patiently(queue.release, dream, state, seconds=spent)
        elif said.get("done"):
            dream.discard_work()
            patiently(
                queue.release, dream, State.DONE, share=1, seconds=spent, crashes=0,
                width=said["width"], height=said["height"],
            )  # fmt: skip
        elif said.get("away"):
            self._crashed("away", "the cluster does not answer; retry when it does")
        else:
            message = said.get("refused") or "a defect of the program; the dream's log has it"
            message = message.replace(str(dream.folder), "").replace(str(settings.DATA), "")
            patiently(queue.release, dream, State.FAILED, seconds=spent, message=message)

    def _crashed(self, code, message=""):
        """Queue a dream again whose child has crashed, unless it keeps doing so."""
        if self._leaving:
            patiently(queue.release, self._dream, self._leaving[1])
            return
        crashes = self._dream.crashes + 1
        log.warning("dream %s: its process ended with code %s", self._dream.pk, code)
        if crashes < queue.MOST_CRASHES:
            patiently(queue.release, self._dream, State.QUEUED, crashes=crashes)
            return
        message = message or (
            f"its process died {crashes} times in a row without getting on, the last time with "
            f"code {code}; if memory ran out, take smaller tiles, then retry"
        )
        patiently(queue.release, self._dream, State.FAILED, crashes=crashes, message=message)


def _number(device):
    """Return the number of a CUDA device as a text; None for a CPU."""
    return device.rpartition("cuda:")[2] if "cuda:" in device else None


def patiently(action, *arguments, **named):
    """Call a function that needs the database, again and again while that does not answer.

    Parameters
    ----------
    action : callable
    *arguments, **named
        Its own.

    Returns
    -------
    object
        What it returns.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return action(*arguments, **named)
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            log.warning("the database does not answer; trying again")
            connection.close()
            time.sleep(TICK)
