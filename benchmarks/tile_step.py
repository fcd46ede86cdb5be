"""Seconds of a step on a tile, side by side: the network alone, a Stepper on arrays and on tensors.

    python benchmarks/tile_step.py [--device cpu|cuda] [--sizes 256 576 1024] [--model NAME]

One step on square windows of a uint8 canvas in RAM, with 32 pixels of context around the interior.
The network alone is its forward and backward on tensors that are on the device already. The
variants take turns, so that a machine that slows down slows all of them; figures are medians and,
in brackets, the least. A Stepper's is the time per tile of a phase of several, which is how a dream
goes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

import numpy as np
import torch
from dreaming import dream_of, load

from dreamlib.imaging.picture import Window
from dreamlib.imaging.samples import clouds
from dreamlib.pycaffe.device import current_device
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.gradient_scale import Scale
from dreamlib.tiling.network import ArrayNetwork, TensorNetwork
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.schedule import Tile
from dreamlib.tiling.stepper import Stepper

CONTEXT = 32
FIRST, SCALE = Place(0, 0, 0), Scale(0.01, None)


def tiles(size, count):
    """Return a canvas of `count` windows in a row, and their tiles."""
    side = size - 2 * CONTEXT
    canvas = Canvas.of(np.tile(np.uint8(clouds(size, size)), (1, count, 1)))
    made = [
        Tile(
            Window(0, size * number, size, size),
            Window(CONTEXT, size * number + CONTEXT, side, side),
            side * side,
        )
        for number in range(count)
    ]
    return canvas, made


def stepper(network, kind, storage="uint8", **settings):
    """Make a stepper of the notebook's steps on a network of a kind."""
    sky = np.uint8(clouds(256, 256))
    dream = dream_of(network, sky, octaves=1, schedule="whole", storage=storage, **settings)
    made = Stepper(network.net, dream)
    made._network = kind(network.net)
    return made


def network_alone(net, end, size):
    """Return the work of a step's forward and backward."""
    layer = net.layer_index(end)
    image = torch.rand(1, 3, size, size, device=current_device()) * 255 - 120

    def work():
        net.blobs["data"].reshape(1, 3, size, size)
        net.blobs["data"].data_tensor = image
        net.forward_range(0, layer)
        net.blobs[end].diff_tensor = net.blobs[end].data_tensor.clone()
        net.backward_range(layer, 0)

    return work


def seconds(work, count):
    """Time a work that makes `count` tiles: seconds for one."""
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count


def works_of(load_one, end, size, count):
    """Return the works to compare, the network alone first; each makes `count` tiles.

    Each has a net of its own: arrays that one asks for would be copied to in the others' passes.
    """
    canvas, made = tiles(size, count)
    target = Canvas(*canvas.shape[:2], np.uint8)
    alone = network_alone(load_one().net, end, size)

    def steps(kind):
        stepping = stepper(load_one(), kind, end=end)
        return lambda: list(stepping.steps(FIRST, SCALE, made, canvas, target))

    return [lambda: [alone() for _ in made], steps(ArrayNetwork), steps(TensorNetwork)]


class _Figures(NamedTuple):
    median: float
    least: float

    def __truediv__(self, other):
        return _Figures(self.median / other.median, self.least / other.least)

    def __str__(self):
        return f"{self.median:.4f} ({self.least:.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 576, 1024])
    parser.add_argument("--model")
    parser.add_argument("--end")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--tiles", type=int, help="in a phase; by default 3, on CUDA 16")
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    count = options.tiles or (16 if on_gpu else 3)

    def load_one():
        return load(options.model, gpu=0 if on_gpu else None, precision=options.precision)

    model = load_one().model
    end = options.end or model.end
    print(f"{model.name}, {end}, {options.precision}, {options.device}, {count} tiles a phase")
    print(
        "| window | network alone | on arrays | on tensors "
        "| network/arrays | network/tensors | arrays/tensors |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for size in options.sizes:
        works = works_of(load_one, end, size, count)
        for work in works:  # allocates, and lets cuDNN choose
            work()
        found = [[] for _ in works]
        for _ in range(options.turns):
            for times, work in zip(found, works):
                times.append(seconds(work, count))
        alone, arrays, tensors = (_Figures(statistics.median(times), min(times)) for times in found)
        cells = [alone, arrays, tensors, alone / arrays, alone / tensors, arrays / tensors]
        print(f"| {size} | {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
