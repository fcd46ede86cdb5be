"""What a second worker brings: pixel-steps per second of two CPU workers against one.

    python benchmarks/scaling.py [--size 2048x1536] [--workers 2] [--turns 3]

One octave by the shift schedule with canvases in files, whole: making the canvas, the sample of the
mean gradient and the journal included. Starting the workers is not, nor a first pass by which the
networks warm up. This process, one worker and several dream the same picture, in turns, each with
one thread; the pictures must be the same. Other programs on the same cores spoil the figure.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from dreaming import EMBEDDED, dream_of, load, run

from dreamlib.cluster.workers import Workers
from dreamlib.imaging.samples import clouds
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.stepper import Stepper
from dreamlib.tiling.work_folder import WorkFolder


def timed(dream, rule, picture, workers, folder):
    """Dream a picture in a work folder; return seconds and pixels."""
    store = WorkFolder(folder)
    store.begin({}, np.dtype(dream.storage), dream.wrap, need=0)
    begin = time.perf_counter()
    canvas = run(dream, rule, picture, workers, store)
    seconds = time.perf_counter() - begin
    pixels = np.array(canvas.array())
    store.remove()
    return seconds, pixels


def rates(network, size, tile, passes, groups, turns):
    """Measure groups of workers on the same picture, in turns.

    Parameters
    ----------
    network : dreamlib.jobs.resolve.Network
        Its model is dreamt; the workers load their own.
    size : (height, width)
    tile, passes : int
    groups : list of str
        Devices, as `--devices` takes them; "" is this process.
    turns : int

    Returns
    -------
    dict of str -> list of float
        Pixel-steps per second of each group in each turn.
    list of ndarray
        The pictures of all turns, (height, width, 3) uint8.
    """
    height, width = size
    sky = clouds(min(width, 2048), min(height, 2048))
    repeats = -(-height // sky.shape[0]), -(-width // sky.shape[1]), 1
    picture = np.ascontiguousarray(np.tile(sky, repeats)[:height, :width])
    dream = dream_of(
        network, picture, schedule="shift", tile_size=tile, octaves=1, iterations=passes
    )
    warming = replace(dream, octaves=(replace(dream.octaves[0], steps=1),))
    rule = Preprocessing.of(network.net)
    found, pictures = {devices: [] for devices in groups}, []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "work"
        at_work = {
            devices: stack.enter_context(
                Workers(dream, devices, folder=folder.parent)
                if devices
                else InProcess(Stepper(network.net, dream))
            )
            for devices in groups
        }
        for workers in at_work.values():
            timed(warming, rule, picture, workers, folder)
        for _ in range(turns):
            for devices, workers in at_work.items():
                taken, pixels = timed(dream, rule, picture, workers, folder)
                pictures.append(pixels)
                found[devices].append(height * width * passes / taken)
    return found, pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=EMBEDDED)
    parser.add_argument("--size", default="2048x1536", metavar="WIDTHxHEIGHT")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="compared with one")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    torch.set_num_threads(1)  # as each worker has
    network = load(options.model)
    found, pictures = rates(
        network, (height, width), options.tile, options.passes,
        ["", "cpu", ",".join(["cpu"] * options.workers)], options.turns,
    )  # fmt: skip
    if not all(np.array_equal(pixels, pictures[0]) for pixels in pictures):
        raise SystemExit("the pictures differ")
    model = network.model
    print(f"{model.name}, {model.end}, {options.size}, tiles of {options.tile}; medians of turns")
    print("| workers | pixel-steps per second |\n| ---: | ---: |")
    for devices, speeds in found.items():
        name = devices.count(",") + 1 if devices else "none: this process"
        print(f"| {name} | {statistics.median(speeds):,.0f} |")
    process, one, many = found.values()
    tell("one worker against this process", process, one)
    tell(f"{options.workers} workers against one", one, many)


def tell(what, before, after):
    """Print the ratio of two groups' speeds, turn by turn."""
    ratios = [new / old for old, new in zip(before, after)]
    print(f"\n{what}: {statistics.median(ratios):.2f} (of the turns: "
          f"{', '.join(f'{ratio:.2f}' for ratio in ratios)})")  # fmt: skip


if __name__ == "__main__":
    main()
