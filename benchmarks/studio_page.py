"""Time of the queue's page, rendered for somebody with many dreams.

    python benchmarks/studio_page.py [--dreams 500] [--turns 20]

In this process, on a SQLite database of its own, without a network between; the median counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main(argv=None):
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dreams", type=int, default=500)
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DREAM_DATA=folder, DREAM_SECRET_KEY=os.urandom(48).hex(), DREAM_HOSTS="testserver",
            DJANGO_SETTINGS_MODULE="studio.settings",
        )  # fmt: skip
        import django

        django.setup()
        seconds = measure(options.dreams, options.turns)
    print(
        f"{options.dreams} dreams on a page: median {1000 * statistics.median(seconds):.0f} ms, "
        f"from {1000 * min(seconds):.0f} to {1000 * max(seconds):.0f}"
    )


def measure(dreams, turns):
    """Return the seconds of each turn."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from studio.dreams.models import Dream, State

    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("migrate", verbosity=0)
    owner, client = User.objects.create_user("ann"), Client()
    client.force_login(owner)
    states = [State.QUEUED, State.PAUSED, State.DONE, State.FAILED]
    Dream.objects.bulk_create(
        Dream(owner=owner, name=f"dream {n}", state=states[n % 4], position=n, noise="64x64")
        for n in range(dreams)
    )
    seconds = []
    for _ in range(turns + 1):
        begin = time.perf_counter()
        page = client.get("/dreams/")
        seconds.append(time.perf_counter() - begin)
        if page.content.decode().count("data-dream=") != dreams:
            raise SystemExit("the page does not show them all")
    return seconds[1:]  # the first compiles the template


if __name__ == "__main__":
    main()
