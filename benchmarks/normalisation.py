"""Is a tile's step the whole picture's? The running mean |gradient|, and one pass of tiles.

    python benchmarks/normalisation.py [--size 1024x768] [--tile 256]

First: the running estimate that steps are measured against, in every phase of a dream by tiles,
against the exact mean |gradient| of the whole picture at that moment.

Then: what one pass changes, against one step of the whole picture. A pass sees the picture through
windows at random places, as the notebook does through its jitter; so the same is told of two
whole-picture steps with different jitter, between which no one would choose.
"""

from __future__ import annotations

import argparse

import numpy as np
from dreaming import dream_of, levels, load

from dreamlib.imaging.picture import Window
from dreamlib.imaging.samples import clouds
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.schedule import Tile


class Watcher(InProcess):
    """Steps, and notes each phase's pass, and its estimate of the mean over the exact one."""

    def __init__(self, stepper):
        super().__init__(stepper)
        self.passes, self.ratios = [], []

    def steps(self, place, scale, tiles, indices, canvas, *others):
        if scale.mean is not None:
            everything = Window(0, 0, *canvas.shape[:2])
            sums = self._stepper.measure(place.octave, Tile(everything, everything, 0), canvas)
            self.passes.append(place.pass_)
            self.ratios.append(scale.mean / (sums[0] / canvas.array().size))
        return super().steps(place, scale, tiles, indices, canvas, *others)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x768", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=256)
    options = parser.parse_args()
    sky, network = clouds(*map(int, options.size.split("x"))), load()
    tiled = {"schedule": "shift", "tile_size": options.tile, "storage": "float32", "seed": 1}
    watchers = []

    def watched(stepper):
        watchers.append(Watcher(stepper))
        return watchers[0]

    dreamt = levels(network, sky, dream_of(network, sky, octaves=3, **tiled), watched)
    ratios = np.array(watchers[0].ratios)
    later = ratios[np.array(watchers[0].passes) > 0]
    print(f"estimate over exact mean, {len(ratios)} phases of 3 octaves x 10 passes:")
    print(
        f"  mean {ratios.mean():.3f}, deviation {ratios.std():.3f}, from {ratios.min():.3f} to "
        f"{ratios.max():.3f}; after each octave's first pass from {later.min():.3f} to "
        f"{later.max():.3f}"
    )

    begun = dreamt.clip(0, 255).astype(np.uint8)
    one = {"octaves": 1, "iterations": 1}
    whole = {**one, "schedule": "whole"}
    changes = [
        levels(network, begun, dream_of(network, begun, **settings)) - begun
        for settings in ({**tiled, **one}, {**whole, "seed": 1}, {**whole, "seed": 2})
    ]
    for name, first, second in (
        ("pass of tiles, whole step", changes[0], changes[1]),
        ("whole step, with another jitter", changes[2], changes[1]),
    ):
        correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
        size = np.abs(first).mean() / np.abs(second).mean()
        print(f"{name}: correlation {correlation:.3f}, ratio of mean change {size:.3f}")


if __name__ == "__main__":
    main()
