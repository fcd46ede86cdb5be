"""Time of the in-place jitter against two ``np.roll`` calls, side by side.

python benchmarks/roll.py [--size 1024x575] [--shift 32]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dreamlib.imaging import inplace


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--shift", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    image = np.random.RandomState(0).rand(3, height, width).astype(np.float32)

    def ours():
        inplace.roll(image, options.shift, -options.shift)

    def numpys():
        image[:] = np.roll(np.roll(image, options.shift, -1), -options.shift, -2)

    seconds = {ours: [], numpys: []}
    for _ in range(options.repeats):
        for roll, times in seconds.items():
            begin = time.perf_counter()
            roll()
            times.append(time.perf_counter() - begin)
    in_place, twice = (np.median(times) * 1000 for times in seconds.values())
    print(f"in place {in_place:.2f} ms, np.roll twice {twice:.2f} ms: {twice / in_place:.1f} times")


if __name__ == "__main__":
    main()
