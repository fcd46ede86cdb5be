"""Dream the queue of a device."""

from __future__ import annotations

import os
import socket

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """One worker is one device and one dream at a time; its queue, and the one of all."""

    help = "Dream the queue of a device, until ended by a signal"

    def add_arguments(self, parser):
        """Add the flags."""
        parser.add_argument("--device", default="cpu", help="cpu, cuda:0, cuda:1 ... [cpu]")

    def handle(self, *, device, **options):
        """Run the command."""
        os.environ["DREAM_DEVICE"] = device
        from studio.celery import app, make_folders
        from studio.dreams.models import ANY
        from studio.dreams.tasks import own_device

        make_folders()
        # Threads, not forks: the dream is in a process of its own, and the thread that looks after
        # the queue shares the worker's state.
        app.worker_main([
            "--quiet", "worker", "--pool=threads", "--concurrency=1",
            f"--queues={own_device()},{ANY}",
            f"--hostname={own_device()}-{os.getpid()}@{socket.gethostname()}", "--loglevel=WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ])  # fmt: skip
