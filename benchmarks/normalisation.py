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

from dreamlib.imaging.resample import Stored, octave_sizes
from dreamlib.imaging.samples import clouds
from dreamlib.imaging.window import Window
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from dreamlib.settings import Settings
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer, whole_frames
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.schedule import Visit
from dreamlib.tiling.stepper import make_painter
from dreamlib.tiling.work_folder import InMemory
from dreamlib.tiling.workers import Alone
from dreamlib.util.progress import Progress


class Watcher(Alone):
    """Paints, and compares the mean it is told with the exact one."""

    def __init__(self, painter):
        super().__init__(painter)
        self._measure, self.ratios = painter.measure, []

    def paint(self, place, visits, indices, canvas, target, mean, *rest):
        if mean is not None:
            height, width = canvas.shape[:2]
            window = Window(0, 0, height, width)
            exact = self._measure(Visit(window, window, 0), canvas)[0] / canvas.array().size
            self.ratios.append(mean / exact)
        return super().paint(place, visits, indices, canvas, target, mean, *rest)


def dream(net, pixels, settings, kind=Alone):
    """Dream pixels; return the canvas and the crew."""
    painter = make_painter(net, settings.storage, settings.end, settings.step_size)
    sizes = octave_sizes(*pixels.shape[:2], settings.octaves, settings.octave_scale)
    source = Stored(Canvas.of(pixels), Encoding(painter.encoding.rule, np.uint8))
    crew = kind(painter)
    canvas = Dreamer(
        source, sizes, whole_frames(sizes), (False, False), settings, painter.encoding, crew,
        InMemory(settings.storage, settings.wrap), Progress(sizes, settings.iterations, True),
    ).run()  # fmt: skip
    return painter.encoding.as_levels(canvas.array()), crew


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1024x768", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=256)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    model = find_model("efficientnet_lite0")
    net = load_net(model)
    sky = clouds(width, height)
    tiled = Settings(
        schedule="shift", wrap="none", tile_size=options.tile, overlap=32, storage="float32",
        seed=1, end=model.end, octaves=3,
    )  # fmt: skip

    ratios = np.array(dream(net, sky, tiled, Watcher)[1].ratios)
    print(f"estimate over exact mean, {len(ratios)} phases of 3 octaves x 10 passes:")
    print(
        f"  mean {ratios.mean():.3f}, deviation {ratios.std():.3f}, from {ratios.min():.3f} to "
        f"{ratios.max():.3f}; after each octave's first pass from "
        f"{np.delete(ratios.reshape(3, 10, -1), 0, 1).min():.3f} to "
        f"{np.delete(ratios.reshape(3, 10, -1), 0, 1).max():.3f}"
    )

    begun = dream(net, sky, tiled)[0].clip(0, 255).astype(np.uint8)
    one = tiled.replace(octaves=1, iterations=1)
    whole = one.replace(schedule="whole", wrap="both")
    changes = [
        dream(net, begun, settings)[0] - begun for settings in (one, whole, whole.replace(seed=2))
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
