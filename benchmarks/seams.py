"""Can tiles be seen? Detail across the tile borders of the last pass, against detail elsewhere.

    python benchmarks/seams.py [--size 1536x1024] [--tile 256] [--schedule shift ...]

For each schedule a sky is dreamt with the embedded model, with 8-bit canvases. Detail is dreamt
minus undreamt picture; its gradient is the mean difference of neighbouring pixels. A ratio of 1
means that a border is like any other place. The closing seam, where the left border meets the right
one, is compared with the columns near it. The last column compares with float32 canvases: the same
dream, nothing rounded.
"""

from __future__ import annotations

import argparse

import numpy as np

from dreamlib.imaging.resample import Stored, octave_sizes
from dreamlib.imaging.samples import clouds
from dreamlib.imaging.window import WRAPS
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from dreamlib.settings import Settings
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer, octave_schedule, whole_frames
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.stepper import Painter
from dreamlib.tiling.work_folder import InMemory
from dreamlib.tiling.workers import Alone
from dreamlib.util.progress import Progress

#: Columns on either side of the closing seam with which it is compared.
NEAR = 8


def dream(net, pixels, settings):
    """Dream pixels (H, W, 3) uint8; gives float32 levels."""
    painter = Painter(net, settings.storage, settings.end, settings.step_size)
    sizes = octave_sizes(*pixels.shape[:2], settings.octaves, settings.octave_scale)
    source = Stored(Canvas.of(pixels, settings.wrap), Encoding(painter.encoding.rule, np.uint8))
    store = InMemory(settings.storage, settings.wrap)
    progress = Progress(sizes, settings.iterations, quiet=True)
    canvas = Dreamer(
        source, sizes, whole_frames(sizes), WRAPS[settings.wrap], settings, painter.encoding,
        Alone(painter), store, progress,
    ).run()  # fmt: skip
    return painter.encoding.as_levels(canvas.array())


def border_ratio(detail, edges, axis):
    """Mean |difference| across the lines before the pixels `edges`, over that elsewhere."""
    change = np.abs(np.diff(detail, axis=axis, append=detail.take([0], axis=axis)))
    change = change.mean(axis=(1 - axis, 2))  # of each line of pixels with the next one
    at_border = np.zeros(len(change), bool)
    at_border[np.array(sorted(edges), int) - 1] = True
    inside = ~at_border
    inside[-1] = False
    return change[at_border].mean() / change[inside].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1536x1024", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--schedule", nargs="*", default=["shift", "spiral", "random"])
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    sky = clouds(width, height)
    model = find_model("efficientnet_lite0")
    net = load_net(model)
    print("| schedule | wrap | borders | closing seam | PSNR against float32, dB |")
    print("| --- | --- | ---: | ---: | ---: |")
    for schedule in options.schedule:
        for wrap in ("none", "horizontal"):
            settings = Settings(
                schedule=schedule, wrap=wrap, tile_size=options.tile, seed=1, end=model.end,
                overlap=32 if schedule == "shift" else 64, octaves=options.octaves,
                storage="uint8",
            )  # fmt: skip
            dreamt = dream(net, sky, settings)
            detail = dreamt - sky
            last = settings.octaves - 1
            phases = octave_schedule(settings, (height, width), last).phases(
                settings.iterations - 1
            )
            cores = [visit.core for phase in phases for visit in phase]
            rows = {edge % height for core in cores for edge in (core.top, core.top + core.height)}
            columns = {
                edge % width for core in cores for edge in (core.left, core.left + core.width)
            }
            ratios = [
                border_ratio(detail, edges - {0}, axis)
                for axis, edges in enumerate((rows, columns))
            ]
            around = np.roll(detail, NEAR, axis=1)[:, : 2 * NEAR]
            closing = border_ratio(around, {NEAR}, 1)
            exact = dream(net, sky, settings.replace(storage="float32"))
            psnr = 10 * np.log10(255**2 / np.square(dreamt - exact).mean())
            print(
                f"| {schedule} | {wrap} | {np.mean(ratios):.3f} | {closing:.3f} | {psnr:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
