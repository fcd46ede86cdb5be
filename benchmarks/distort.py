"""What distortions cost: milliseconds and scratch per megapixel of each.

    python benchmarks/distort.py [--size 1024x575] [--turns 3]

Pictures are a generated sky and noise, (H, W, 3) of float32; the mean over both counts, of each the
median of all turns. Everything is done in turns, so that a machine that slows down slows all.
Scratch is the most that numpy held at a time, in bytes a pixel; the picture itself has 12. The
first line is the notebook's own call, which makes a new picture.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.ndimage as nd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dreamlib.imaging.samples import clouds
from dreamlib.video.distort import parse_chain
from tests.memory import traced_peak

NOTEBOOK = "the notebook's zoom"

CHAINS = (
    "zoom:0.05",
    "stretch:y:0.05",
    "rotate:2",
    "shift:5,3",
    "affine:1,0.02,0,-0.02,1,0",
    "zoom:0.05, rotate:2, shift:5,3",
    "regions:3x4",
    "roll:rows:sine(12,80)",
    "roll:cols:sine(12,80)",
    "roll:cols:random(-20,20):group=16:from=25%:to=50%+sine(40,90)",
    "pixelsort:rows",
    "pixelsort:cols",
    "blur:1",
    "blur:8",
    "sobel",
    "sobel:colour",
    "prewitt",
    "prewitt:colour",
    "hue:10",
    "palette:16",
    "palette:256",
)


def notebook_zoom(picture, frame, s=0.05):
    """Zoom as the notebook does."""
    height, width = picture.shape[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return nd.affine_transform(
            picture, [1 - s, 1 - s, 1], [height * s / 2, width * s / 2, 0], order=1
        )


def milliseconds(action, pictures, turn):
    """Return how long an action takes on each of the pictures, which are left as they are."""
    times = []
    for picture in pictures:
        own = picture.copy()
        begin = time.perf_counter()
        action(own, turn)
        times.append(1000 * (time.perf_counter() - begin))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x575", metavar="WIDTHxHEIGHT")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    pictures = [
        clouds(width, height).astype(np.float32),
        np.random.RandomState(0).uniform(0, 255, (height, width, 3)).astype(np.float32),
    ]
    actions = {NOTEBOOK: notebook_zoom, **{text: parse_chain(text).apply for text in CHAINS}}
    held = {
        name: traced_peak(functools.partial(action, pictures[0].copy(), 0))
        for name, action in actions.items()
    }
    times = {name: [] for name in actions}
    for turn in range(options.turns):
        for name, action in actions.items():
            times[name].append(milliseconds(action, pictures, turn))
    pixels = height * width
    print("| distortion | ms per megapixel | scratch, bytes a pixel |\n| --- | ---: | ---: |")
    for name, measured in times.items():
        typical = statistics.mean(map(statistics.median, zip(*measured)))
        print(f"| `{name}` | {typical * 1e6 / pixels:.0f} | {held[name] / pixels:.1f} |")


if __name__ == "__main__":
    main()
