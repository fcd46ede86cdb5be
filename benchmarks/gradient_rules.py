"""Seconds and scratch per megapixel of gradient rules and the finish, beside a network's step.

    python benchmarks/gradient_rules.py [--size 1024x1024] [--turns 3] [--without-network]

Steps work on float32 gradients and pictures (3, h, w), the finish on 8-bit rows (h, w, 3). Scratch
is the most that numpy held at a time, in planes: 4 bytes a pixel. All are done in turns, so that a
machine that slows down slows all of them; the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dreaming import load

from dreamlib.ascent.mask import Mask
from dreamlib.ascent.regularizers import GradientRules
from dreamlib.dream import make_step
from dreamlib.imaging.color import blend_undreamt, keep_colour
from dreamlib.imaging.picture import Window
from dreamlib.models.preprocessing import Preprocessing
from tests.memory import traced_peak

RULE = Preprocessing((2, 1, 0), np.float32([127, 127, 127]), np.float32(1))


def actions(height, width):
    """Return what to measure: name -> callable."""
    random = np.random.RandomState(0)
    gradient, image, base = random.randn(3, 3, height, width).astype(np.float32)
    dreamt, undreamt = random.randint(0, 256, (2, height, width, 3)).astype(np.uint8)
    mask = Mask(random.randint(0, 256, (height // 2, width // 2)).astype(np.uint8))
    window = Window(0, 0, height, width)
    strength = mask.part(window, window[2:])

    def shape(**on):
        return lambda: GradientRules(**on).shape(gradient)

    def steer(strength=None, **on):
        return lambda: GradientRules(**on).steer(gradient, image, 1.0, RULE, base, strength)

    return {
        "step: smooth 1": shape(smooth=(1.0,)),
        "step: smooth 0.5,1,2": shape(smooth=(0.5, 1.0, 2.0)),
        "step: smooth 8": shape(smooth=(8.0,)),
        "step: laplacian 4": shape(laplacian=4),
        "step: laplacian 6": shape(laplacian=6),
        "step: total variation": steer(tv=1.0),
        "step: decay": steer(decay=1.0),
        "step: anchor": steer(anchor=1.0),
        "step: mask": steer(strength),
        "mask: part": lambda: mask.part(window, window[2:]),
        "finish: keep_colour": lambda: keep_colour(dreamt, undreamt),
        "finish: strength": lambda: blend_undreamt(dreamt, undreamt, 0.5),
        "finish: mask": lambda: blend_undreamt(dreamt, undreamt, strength),
    }


def network_step(height, width):
    """Return a step of the embedded model."""
    network = load()
    source = network.net.blobs["data"]
    source.reshape(1, 3, height, width)
    source.data[0] = 50 * np.random.RandomState(0).randn(3, height, width)
    return lambda: make_step(network.net, end=network.model.end)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x1024", metavar="WIDTHxHEIGHT")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--without-network", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    found = actions(height, width)
    if not options.without_network:
        found["the network's step"] = network_step(height, width)
    planes = {name: traced_peak(action) / (4 * height * width) for name, action in found.items()}
    seconds = {name: [] for name in found}
    for _ in range(options.turns):
        for name, action in found.items():
            begin = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - begin)
    print("| what | ms per megapixel | scratch, planes |\n| --- | ---: | ---: |")
    for name, times in seconds.items():
        per_megapixel = 1e9 * statistics.median(times) / (height * width)
        held = "" if name.startswith("the") else f"{planes[name]:.1f}"
        print(f"| {name} | {per_megapixel:.0f} | {held} |")


if __name__ == "__main__":
    main()
