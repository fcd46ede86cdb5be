"""A dream step on a machine that has other work: threads that sleep soon, and that spin for long.

    python benchmarks/busy.py [--size 1024x575] [--steps 5] [--turns 3] [--network googlenet]

float32, the networks of step.py: idle, and beside as many busy processes as there are cores. A fair
share is then half of the machine, so twice the idle time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from networks import NETWORKS  # noqa: E402

from dreamlib.util.threads import SPINS  # noqa: E402

#: GNU's OpenMP spins so often where nothing is said.
LONG = "300000"


@contextlib.contextmanager
def busy(count):
    """Keep `count` processes busy."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(spins, options):
    """Return the seconds of steps in a fresh process."""
    command = [sys.executable, str(PROJECT / "benchmarks/step.py"), "--worker", "float32"]
    command += ["--network", options.network, "--size", options.size, "--steps", str(options.steps)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "GOMP_SPINCOUNT": spins}
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--network", choices=NETWORKS, default="googlenet")
    options = parser.parse_args()
    found = {(load, spins): [] for load in (0, os.cpu_count()) for spins in (LONG, SPINS)}
    for _ in range(options.turns):
        for (load, spins), all_seconds in found.items():
            with busy(load):
                all_seconds += seconds(spins, options)
    print(f"| step at {options.size} | median seconds | slowest |\n| --- | ---: | ---: |")
    for (load, spins), all_seconds in found.items():
        how = "spinning for long" if spins == LONG else "sleeping soon"
        beside = f"beside {load} busy processes" if load else "idle"
        median = statistics.median(all_seconds)
        print(f"| {beside}, {how} | {median:.3f} | {max(all_seconds):.3f} |")
    idle, fair = (statistics.median(found[0, spins]) for spins in (LONG, SPINS))
    shared = statistics.median(found[os.cpu_count(), SPINS])
    print(f"\nidle, against spinning: {fair / idle:.2f}; busy, against a fair share: "
          f"{shared / (2 * fair):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
