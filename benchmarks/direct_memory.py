"""Peak memory of direct ascent, whole and by tiles: bytes for each further pixel of the picture.

    python benchmarks/direct_memory.py [--sides 1024 2048 4096]

Each size in a process of its own, two steps of few views, as the operating system counts it. What a
picture of 512 x 512 takes, network included, is taken away.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "dream.py"
SCRIPT = """[[octave]]
iter_n = 2
start_step_size = 5
end_step_size = 1
views = 1
nearest = 6
farthest = 6
"""
FIRST, WHOLE_TO = 512, 2048


def peak(folder, side, *flags):
    """Draw a class on noise of a side; return the process's peak in bytes."""
    command = [
        sys.executable, PROGRAM, f"noise:{side}x{side}", "out.tif", "--target", "volcano",
        "--script", "few.toml", "--model", "efficientnet_lite0", "--seed", "1", "--quiet", *flags,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{side} x {side} {flags} ended with {status}")
    return usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", nargs="+", type=int, default=[1024, 2048, 4096])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "few.toml").write_text(SCRIPT)
        ways = {
            "whole": ["--schedule", "whole"],
            "tiles of 512": ["--schedule", "shift", "--tile-size", "512", "--work-dir", "work"],
        }
        for way, flags in ways.items():
            first = peak(folder, FIRST, *flags)
            print(f"{way}: {FIRST} x {FIRST} takes {first / 1e6:.0f} MB", flush=True)
            for side in options.sides:
                if way == "whole" and side > WHOLE_TO:
                    continue
                taken = peak(folder, side, *flags)
                each = (taken - first) / (side**2 - FIRST**2)
                print(f"{way}: {side} x {side} takes {taken / 1e6:.0f} MB, {each:.0f} B a pixel",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
