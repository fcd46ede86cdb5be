"""What a second worker brings: pixel-steps per second of two CPU workers against one.

    python benchmarks/scaling.py [--size 2048x1536] [--workers 2] [--turns 3]

One octave by the shift schedule with canvases in files, whole: making the canvas, the sample of the
mean gradient and the journal included. Starting the workers is not, nor a first pass by which the
networks warm up. Both crews dream the same picture, in turns, each worker with one thread; the
pictures must be the same. Other programs on the same cores spoil the figure.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from dreamlib.imaging.resample import Stored
from dreamlib.imaging.samples import clouds
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.models.zoo import find_model
from dreamlib.settings import Settings
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer, whole_frames
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.work_folder import WorkFolder
from dreamlib.tiling.workers import Crew
from dreamlib.util.progress import Progress


def dream(crew, settings, picture, rule, folder):
    """Dream a picture of one octave; return seconds and pixels."""
    encoding = Encoding(rule, settings.storage)
    store = WorkFolder(folder)
    store.begin({}, settings.storage, settings.wrap, need=0)
    sizes = [picture.shape[:2]]
    source = Stored(Canvas.of(picture), Encoding(rule, picture.dtype))
    progress = Progress(sizes, settings.iterations, quiet=True)
    dreamer = Dreamer(
        source, sizes, whole_frames(sizes), (False, False), settings,
        encoding, crew, store, progress,
    )  # fmt: skip
    begin = time.perf_counter()
    canvas = dreamer.run()
    seconds = time.perf_counter() - begin
    pixels = np.array(canvas.array())
    store.remove()
    return seconds, pixels


def rates(model, size, tile, passes, crews, turns):
    """Measure crews on the same picture, in turns.

    Parameters
    ----------
    model : dreamlib.models.zoo.Model
    size : (height, width)
    tile, passes : int
    crews : list of str
        Devices, as `--devices` takes them.
    turns : int

    Returns
    -------
    dict of str -> list of float
        Pixel-steps per second of each crew in each turn.
    list of ndarray
        The pictures of all turns, (height, width, 3) uint8.
    """
    height, width = size
    settings = Settings(
        schedule="shift", tile_size=tile, overlap=32, wrap="none", jitter=32, seed=0,
        iterations=passes, end=model.end, step_size=1.5, clip=True, storage="uint8",
        tile_steps=1, engine="torch", precision="float32",
    )  # fmt: skip
    order = (2, 1, 0) if model.channel_order == "BGR" else (0, 1, 2)
    rule = Preprocessing(order, np.float32(model.mean), np.float32(model.input_scale))
    sky = clouds(min(width, 2048), min(height, 2048))
    repeats = -(-height // sky.shape[0]), -(-width // sky.shape[1]), 1
    picture = np.ascontiguousarray(np.tile(sky, repeats)[:height, :width])
    found, pictures = {devices: [] for devices in crews}, []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        at_work = {
            devices: stack.enter_context(Crew(devices, model, settings, [size]))
            for devices in crews
        }
        for crew in at_work.values():
            dream(crew, settings.replace(iterations=1), picture, rule, folder / "work")
        for _ in range(turns):
            for devices, crew in at_work.items():
                taken, pixels = dream(crew, settings, picture, rule, folder / "work")
                pictures.append(pixels)
                found[devices].append(height * width * passes / taken)
    return found, pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--size", default="2048x1536", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="compared with one")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    model = find_model(options.model)
    crews = ["cpu", ",".join(["cpu"] * options.workers)]
    found, pictures = rates(
        model, (height, width), options.tile, options.passes, crews, options.turns
    )
    if not all(np.array_equal(pixels, pictures[0]) for pixels in pictures):
        raise SystemExit("the pictures differ")
    print(f"{model.name}, {model.end}, {options.size}, tiles of {options.tile}; medians of turns")
    print("| workers | pixel-steps per second |\n| ---: | ---: |")
    for devices, speeds in found.items():
        print(f"| {devices.count(',') + 1} | {statistics.median(speeds):,.0f} |")
    ratios = [more / one for one, more in zip(*found.values())]
    print(f"\nratio: {statistics.median(ratios):.2f} (of the turns: "
          f"{', '.join(f'{ratio:.2f}' for ratio in ratios)})")  # fmt: skip


if __name__ == "__main__":
    main()
