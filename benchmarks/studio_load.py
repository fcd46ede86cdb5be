"""The cost of watching: the same dream with nobody and with fifty browsers at it, by turns.

    python benchmarks/studio_load.py [--clients 50] [--rounds 3] [--size 320x240] [--iterations 40]

Starts a studio of its own on a free port, dreams with the embedded model, and prints the seconds
of each dream, their ratio, the web server's CPU, and whether each client heard every event once and
in order. Clients run on the same machine and take their share of its cores: the ratio is an upper
bound of the studio's own cost. The quickest of each counts: other work of the machine only adds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.studio.live import Studio, Visitor
from tests.studio.watchers import Watchers, told_in_database


def main(argv=None):
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--iterations", type=int, default=40)
    options = parser.parse_args(argv)
    values = {"octaves": 3, "iterations": options.iterations, "seed": 1}
    alone, watched, dropped, web = [], [], 0, []
    with tempfile.TemporaryDirectory() as folder, Studio(Path(folder) / "studio") as studio:
        visitor = Visitor(studio)
        visitor.wait_until_done(visitor.dream(values, options.size), 600)  # warm
        for _ in range(options.rounds):
            for clients, seconds in ((0, alone), (options.clients, watched)):
                with Watchers(visitor, clients) as watchers:
                    begin, spent = time.monotonic(), studio.web_seconds()
                    dream = visitor.dream(values, options.size)
                    visitor.wait_until_done(dream, 600, pause=2)
                    seconds.append(told_in_database(studio, dream).seconds)
                    share = (studio.web_seconds() - spent) / (time.monotonic() - begin)
                    if clients:
                        web.append(share)
                        wanted = told_in_database(studio, dream).events
                        dropped += watchers.missing(dream, wanted)
                time.sleep(5)  # until the server has seen them go
                print(
                    f"{clients:3d} clients: {seconds[-1]:6.2f} s; web server {share:.1%} of a core",
                    flush=True,
                )
    ratio = min(watched) / min(alone)
    print(f"{os.cpu_count()} cores, {options.size}, 3 octaves of {options.iterations} steps: "
          f"{min(alone):.2f} s alone, {min(watched):.2f} s watched by "
          f"{options.clients}: ratio {ratio:.3f}; web server {min(web):.1%} of a core; events "
          f"dropped: {dropped}")  # fmt: skip
    return 0 if dropped == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
