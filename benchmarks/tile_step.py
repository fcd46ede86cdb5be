"""Seconds of a tile's turn, side by side: the network alone, Painter, DevicePainter.

    python benchmarks/tile_step.py [--device cpu|cuda] [--sizes 256 576 1024] [--model NAME]

One step on square windows of a uint8 canvas in RAM, with 32 pixels of context around the core. The
network alone is its forward and backward on tensors that are on the device already. The variants
take turns, so that a machine that slows down slows all of them; figures are medians over all turns
and, in brackets, the least.
DevicePainter's is the time per tile of a phase of several, which is how a dream goes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

import numpy as np
import torch
from dreamlib.tiling.device_stepper import DevicePainter

from dreamlib.imaging.samples import clouds
from dreamlib.imaging.window import Window
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from dreamlib.pycaffe.device import current_device
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.schedule import Visit
from dreamlib.tiling.stepper import Painter

CONTEXT = 32
MEAN_GRADIENT = 0.01


def tiles(size, count):
    """Return a canvas of `count` windows in a row, and their visits."""
    core = size - 2 * CONTEXT
    sky = np.uint8(clouds(size, size))
    canvas = Canvas.of(np.tile(sky, (1, count, 1)))
    visits = [
        Visit(
            Window(0, size * number, size, size),
            Window(CONTEXT, size * number + CONTEXT, core, core),
            core * core,
        )
        for number in range(count)
    ]
    return canvas, visits


def network_alone(net, end, size):
    """Return the work of a step's forward and backward."""
    layer = net._layer_names.index(end)
    image = torch.rand(1, 3, size, size, device=current_device()) * 255 - 120

    def work():
        net.blobs["data"].reshape(1, 3, size, size)
        net.blobs["data"].data_memory.put(image)
        net._forward(0, layer)
        net.blobs[end].diff_memory.put(net.blobs[end].data_memory.tensor().clone())
        net._backward(layer, 0)

    return work


def seconds(work, count):
    """Time a work that makes `count` tiles: seconds for one."""
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count


def variants(net, end, size, count):
    """Return the works to compare, by name; each makes `count` tiles."""
    canvas, visits = tiles(size, count)
    target = Canvas(*canvas.shape[:2], np.uint8)
    painter, on_device = Painter(net, np.uint8, end), DevicePainter(net, np.uint8, end)
    alone = network_alone(net, end, size)
    return {
        "network": lambda: [alone() for _ in visits],
        "Painter": lambda: [
            painter.paint(visit, canvas, target, MEAN_GRADIENT, 0) for visit in visits
        ],
        "DevicePainter": lambda: list(
            on_device.paint_many(visits, canvas, target, MEAN_GRADIENT, 0)
        ),
    }


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
    model = find_model(options.model)
    end = options.end or model.end
    # Nets of their own: an array that Painter asks for is copied to in the others' passes too.
    print(f"{model.name}, {end}, {options.precision}, {options.device}, {count} tiles a phase")
    print(
        "| window | network alone | Painter | DevicePainter "
        "| network/Painter | network/DevicePainter | Painter/DevicePainter |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for size in options.sizes:
        works = {}
        for name in ("network", "Painter", "DevicePainter"):
            net = load_net(model, "torch", 0 if on_gpu else None, options.precision)
            works[name] = variants(net, end, size, count)[name]
        for work in works.values():  # allocates, and lets cuDNN choose
            work()
        found = {name: [] for name in works}
        for _ in range(options.turns):
            for name, work in works.items():
                found[name].append(seconds(work, count))
        alone, numpys, devices = (
            _Figures(statistics.median(times), min(times)) for times in found.values()
        )
        cells = [alone, numpys, devices, alone / numpys, alone / devices, numpys / devices]
        print(f"| {size} | {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
