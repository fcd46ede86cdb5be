"""What looks cost: seconds and scratch per megapixel of each, beside a step of the network.

    python benchmarks/looks.py [--size 1024x1024] [--turns 3] [--without-network]

Steps work on float32 gradients and pictures (3, h, w), results on 8-bit rows (h, w, 3). Scratch is
the most that numpy held at a time, in planes: 4 bytes a pixel. All are done in turns, so that a
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

from dreamlib.ascent.mask import Mask
from dreamlib.ascent.regularizers import Looks
from dreamlib.dream import make_step
from dreamlib.imaging.window import Window
from dreamlib.models.engines import load_net
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.models.zoo import find_model
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

    def steer(**on):
        looks = Looks(**on)
        return lambda: looks.steer(gradient, image, 1.0, RULE, base, strength)

    def result(**on):
        looks = Looks(**on)
        return lambda: looks.on_result(dreamt, undreamt)

    return {
        "step: smooth 1": lambda: Looks(smooth=(1.0,)).shape(gradient),
        "step: smooth 0.5,1,2": lambda: Looks(smooth=(0.5, 1.0, 2.0)).shape(gradient),
        "step: smooth 8": lambda: Looks(smooth=(8.0,)).shape(gradient),
        "step: laplacian 4": lambda: Looks(laplacian=4).shape(gradient),
        "step: laplacian 6": lambda: Looks(laplacian=6).shape(gradient),
        "step: calm": steer(calm=1.0),
        "step: pull_mean": steer(pull_mean=1.0),
        "step: pull_base": steer(pull_base=1.0),
        "step: mask": steer(mask=mask, mask_on="steps"),
        "mask: part": lambda: mask.part(window, window[2:]),
        "result: keep_colour": result(keep_colour=True),
        "result: strength": result(strength=0.5),
        "result: mask": result(mask=mask),
    }


def network_step(height, width):
    """Return a step of the embedded model."""
    model = find_model("efficientnet_lite0")
    net = load_net(model)
    net.blobs["data"].reshape(1, 3, height, width)
    net.blobs["data"].data[0] = 50 * np.random.RandomState(0).randn(3, height, width)
    return lambda: make_step(net, end=model.end)


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
    print("| look | ms per megapixel | scratch, planes |\n| --- | ---: | ---: |")
    for name, times in seconds.items():
        per_megapixel = 1e9 * statistics.median(times) / (height * width)
        held = "" if name.startswith("the") else f"{planes[name]:.1f}"
        print(f"| {name} | {per_megapixel:.0f} | {held} |")


if __name__ == "__main__":
    main()
