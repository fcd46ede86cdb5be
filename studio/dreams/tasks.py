"""Celery's one task, and a worker's second thread, which looks after the queue."""

from __future__ import annotations

import logging
import os
import socket
import threading

from celery import shared_task, signals
from django.conf import settings
from django.db import close_old_connections, connection

from studio.dreams import queue
from studio.dreams.devices import describe
from studio.dreams.runner import Runner

log = logging.getLogger("studio.worker")

#: Set where the worker is to end: the current dream is left, and queued again.
stopping = threading.Event()

_at_work = threading.Lock()


def own_device():
    """Return the queue of this worker's device: cpu, cuda:0 ..., behind DREAM_WORKER if set."""
    device = os.environ.get("DREAM_DEVICE", "cpu")
    name = os.environ.get("DREAM_WORKER")
    return f"{name}-{device}" if name else device


@shared_task(name=queue.LOOK)
def look():
    """Dream what waits for this worker's device, until nothing waits any more.

    It does not matter how often it is called: a dream has one claim, and a worker one dream.
    """
    if not _at_work.acquire(blocking=False):
        return
    try:
        while not stopping.is_set():
            dream = queue.claim_next(own_device())
            if dream is None:
                return
            Runner(dream, stopping).run()
    finally:
        _at_work.release()


@signals.worker_ready.connect
def begin_to_watch(**kwargs):
    """Start the worker's second thread."""
    threading.Thread(target=watch, name="watch", daemon=True).start()


@signals.worker_shutting_down.connect
def leave_off(**kwargs):
    """Release the current dream."""
    stopping.set()


def watch():
    """Until the worker ends: report its device, requeue what others lost, look for work."""
    worker = f"{socket.gethostname()}, process {os.getpid()}"
    while not stopping.is_set():
        try:
            close_old_connections()
            describe(own_device(), worker)
            queue.requeue_expired()
            queue.forget_events()
            if not _at_work.locked() and queue.waiting(own_device()).exists():
                queue.send(own_device())
        except Exception:  # a database or a broker that is away for a while
            log.exception("cannot look after the queue now; trying again")
            connection.close()
        stopping.wait(settings.LOOK_INTERVAL)
