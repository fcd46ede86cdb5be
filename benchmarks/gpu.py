"""Everything that only a GPU can tell: equality with the CPU, speed, memory, scaling.

    python benchmarks/gpu.py [--page docs/gpu.md]

GoogLeNet with random weights, inception_4c/output, dreamlib.pycaffe. Writes its tables into the
page, with the card's name. Without a CUDA device it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402
import random_googlenet  # noqa: E402
import torch  # noqa: E402
from dreaming import load as load_network  # noqa: E402
from pages import write_between  # noqa: E402
from random_googlenet import END, FLOP_PER_PIXEL  # noqa: E402
from scaling import rates  # noqa: E402
from tile_step import FIRST, SCALE, stepper, tiles  # noqa: E402

from dreamlib import pycaffe  # noqa: E402
from dreamlib.imaging.picture import Window  # noqa: E402
from dreamlib.pycaffe.device import PLAIN  # noqa: E402
from dreamlib.tiling.canvas import Canvas  # noqa: E402
from dreamlib.tiling.gradient_scale import OWN_SCALE  # noqa: E402
from dreamlib.tiling.network import ArrayNetwork, TensorNetwork  # noqa: E402
from dreamlib.tiling.tensor_canvas import TensorCanvas  # noqa: E402

MARKER = "gpu figures"
SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
#: Column -> (precision of the net, whether float32 is rounded to TensorFloat-32, dtype of matmuls).
COLUMNS = {
    "float32": ("float32", False, torch.float32),
    "tf32": ("float32", True, torch.float32),
    "bfloat16": ("bfloat16", False, torch.bfloat16),
    "float16": ("float16", False, torch.float16),
}


class Speed(NamedTuple):
    """A step on a tile."""

    pixels: float  #: per second
    memory: int | None  #: most that PyTorch allocated on the GPU, in bytes; None on the CPU


def gpu_of(device):
    """Return the number of a device in the settings; None is the CPU."""
    return None if device == "cpu" else torch.device(device).index or 0


def synchronise(device):
    """Wait until a device has done all that it was asked."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def set_tf32(allowed):
    """Let float32 be rounded to 10 bits in convolutions and products, or not."""
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed


def load(device, column):
    """Load the network onto a device, computing as a column says."""
    precision, tf32, _ = COLUMNS[column]
    folder = str(random_googlenet.FOLDER)
    network = load_network(folder, gpu=gpu_of(device), precision=precision)
    set_tf32(tf32)  # after GPU mode, which forbids it
    return network


def passes(net, size):
    """Return the layer's activations, and the gradient at the picture, for noise of one size."""
    source = net.blobs["data"]
    source.reshape(1, 3, size, size)
    source.data[...] = np.random.RandomState(0).uniform(-110, 130, source.data.shape)
    net.forward(end=END)
    net.blobs[END].diff[...] = net.blobs[END].data
    activations = net.blobs[END].data.copy()
    net.backward(start=END)
    return activations, source.diff.copy()


def relative(found, expected):
    """Return the L2 distance over the L2 norm of what is expected."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def engine_equality(device, size=224):
    """Compare a forward and a backward pass with the CPU's in float32.

    Returns
    -------
    dict of str -> (float, float)
        Column -> relative L2 distance of activations, of gradients.
    """
    expected = passes(load("cpu", "float32").net, size)
    return {
        column: tuple(map(relative, passes(load(device, column).net, size), expected))
        for column in COLUMNS
    }


def step_equality(device, size=256, storages=("uint8", "uint16", "float32")):
    """Compare steps on tiles, tensors on the device, with those on arrays on the CPU.

    Returns
    -------
    dict of str -> (float, float)
        Storage of the canvas -> largest and mean difference; in grey levels.
    """
    found = {}
    for storage in storages:
        pixels, made = tiles(size, 2)
        levels = 257 if storage == "uint16" else 1
        canvas = Canvas.of(pixels.array().astype(storage) * np.dtype(storage).type(levels))
        results = []
        for where, kind in (("cpu", ArrayNetwork), (device, TensorNetwork)):
            target = Canvas.of(canvas.array().copy())
            stepping = stepper(load(where, "float32"), kind, storage)
            list(stepping.steps(FIRST, OWN_SCALE, made, canvas, target))
            results.append(np.float64(target.array()))
        difference = np.abs(results[1] - results[0]) / levels
        found[storage] = float(difference.max()), float(difference.mean())
    return found


#: Ways of a tile: title -> (canvases in the device's memory, PyTorch's operators one by one).
WAYS = {
    "canvases in RAM": (False, False),
    "canvases in the device's memory": (True, False),
    f"these, and {PLAIN}=1": (True, True),
}


def speed(device, size, column, held=False, plain=False, count=16, turns=5):
    """Time tiles of one size: a phase of `count` of them, the median of some turns.

    `held` tells whether canvases lie in the device's memory, or in RAM; `plain` does without
    graphs and kernels of our own.

    Returns
    -------
    Speed
        Pixels are those of the windows.
    """
    canvas, made = tiles(size, count)
    target = Canvas(*canvas.shape[:2], np.uint8)
    if held:
        pixels, canvas = canvas.array(), TensorCanvas(*canvas.shape[:2], np.uint8, device=device)
        canvas.write(Window(0, 0, *canvas.shape[:2]), pixels)
        target = TensorCanvas(*canvas.shape[:2], np.uint8, device=device)
    on_gpu, taken = device != "cpu", []
    with mock.patch.dict(os.environ, {PLAIN: "1" if plain else ""}):
        stepping = stepper(load(device, column), TensorNetwork)
        if on_gpu:
            torch.cuda.init()  # there are no statistics before
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        for _ in range(turns + 1):  # the first allocates, lets cuDNN choose, and records
            begin = time.perf_counter()
            list(stepping.steps(FIRST, SCALE, made, canvas, target))
            synchronise(device)
            taken.append(time.perf_counter() - begin)
    memory = torch.cuda.max_memory_allocated(device) if on_gpu else None
    return Speed(count * size * size / statistics.median(taken[1:]), memory)


def matmul_peak(device, column, side=8192, turns=10):
    """Return the floating-point operations per second of a large square matrix product."""
    _, tf32, dtype = COLUMNS[column]
    set_tf32(tf32)
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    taken = []
    for _ in range(turns + 2):
        synchronise(device)
        begin = time.perf_counter()
        one @ other
        synchronise(device)
        taken.append(time.perf_counter() - begin)
    return 2 * side**3 / statistics.median(taken[2:])


def groups_on(devices):
    """Return the workers to compare: one, two on the first device, one on each of them."""
    groups = [devices[0], f"{devices[0]},{devices[0]}"]
    return groups + [",".join(devices[:count]) for count in range(2, len(devices) + 1)]


# -- tables ---------------------------------------------------------------------------------------


def equality_tables(engine, step):
    """Write what `engine_equality` and `step_equality` found."""
    rows = ["| forward and backward against the CPU's float32 | activations | gradient |",
            "| --- | ---: | ---: |"]  # fmt: skip
    rows += [f"| {name} | {one:.1e} | {other:.1e} |" for name, (one, other) in engine.items()]
    rows += ["", "| a step on a tile against the CPU's on arrays, levels | largest | mean |",
             "| --- | ---: | ---: |"]  # fmt: skip
    rows += [f"| {name} canvas | {most:.3g} | {mean:.2e} |" for name, (most, mean) in step.items()]
    return "\n".join(rows)


def speed_tables(peaks, speeds):
    """Write speed, share of the roofline and memory for each tile size.

    Parameters
    ----------
    peaks : dict of str -> float
        Column -> FLOP/s of a matrix product.
    speeds : dict of str -> dict of (int, str) -> Speed or None
        Of each of `WAYS`, by size and column; None where memory did not suffice.
    """
    best = speeds["canvases in the device's memory"]
    sizes = list(dict.fromkeys(size for size, _ in best))
    columns = list(peaks)
    head = f"| {' | '.join(columns)} |\n| ---: |{' ---: |' * len(columns)}"

    def rows(title, cell, speeds=best):
        lines = [f"| {title} {head}"]
        for size in sizes:
            found = [(speeds[size, column], peaks[column]) for column in columns]
            cells = ["no room" if one is None else cell(one, peak) for one, peak in found]
            lines.append(f"| {size} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def pixels(one, peak):
        return f"{one.pixels / 1e6:.3g}"

    def memory(one, peak):
        return "-" if one.memory is None else f"{one.memory / 2**30:.2f}"

    return "\n\n".join(
        [
            f"| matrix product, TFLOP/s {head}\n| | "
            + " | ".join(f"{peak / 1e12:.3g}" for peak in peaks.values()) + " |",
            *(
                rows(f"tile, million pixel-steps per second, {way}", pixels, found)
                for way, found in speeds.items()
            ),
            rows(
                "tile, share of the matrix product's speed",
                lambda one, peak: f"{one.pixels * FLOP_PER_PIXEL / peak:.2f}",
            ),
            rows("tile, peak memory on the device, GiB", memory),
        ]
    )  # fmt: skip


def scaling_table(found):
    """Write what `rates` found."""
    medians = {group: statistics.median(speeds) for group, speeds in found.items()}
    first = next(iter(medians.values()))
    rows = ["| one picture on | million pixel-steps per second | over the first |",
            "| --- | ---: | ---: |"]  # fmt: skip
    for group, value in medians.items():
        rows.append(f"| `{group}` | {value / 1e6:.3g} | {value / first:.2f} |")
    return "\n".join(rows)


def report(device, devices, sizes=SIZES, picture=(6144, 8192), equality=224, side=8192, **timing):
    """Measure everything, and return the page's text.

    Parameters
    ----------
    device : str
        ``cuda:0``; ``cpu`` shows that this works.
    devices : list of str
        For one picture on several.
    sizes : sequence of int
        Of tiles.
    picture : (height, width)
        Of the one on several devices.
    equality, side : int
        Sides of the picture to compare on, and of matrices.
    **timing
        `speed`'s `count` and `turns`.
    """
    torch.manual_seed(0)
    random_googlenet.write(pycaffe)
    name = torch.cuda.get_device_name(device) if device != "cpu" else "CPU"
    build = f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}"
    parts = [f"{name}, {build}, {len(devices)} device(s)."]
    parts.append(
        equality_tables(engine_equality(device, equality), step_equality(device, equality))
    )
    print(parts[-1], flush=True)
    peaks = {column: matmul_peak(device, column, side) for column in COLUMNS}
    speeds = {way: {} for way in WAYS}
    for size in sizes:
        for column in COLUMNS:
            for way, found in speeds.items():
                try:
                    found[size, column] = speed(device, size, column, *WAYS[way], **timing)
                except torch.cuda.OutOfMemoryError:
                    found[size, column] = None
    parts.append(speed_tables(peaks, speeds))
    print(parts[-1], flush=True)
    set_tf32(False)
    if device != "cpu":
        torch.cuda.empty_cache()  # for the workers
    tile, turns = min(1024, *picture), timing.get("turns", 3)
    network = load_network(str(random_googlenet.FOLDER))
    found, _ = rates(network, picture, tile, 4, groups_on(devices), turns)
    parts.append(scaling_table(found))
    print(parts[-1], flush=True)
    return "\n\n".join(parts)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, default=PROJECT / "docs" / "gpu.md")
    options = parser.parse_args(argv)
    if not torch.cuda.is_available():
        print(
            f"PyTorch sees no CUDA device: nothing was measured, {options.page.name} is as it was"
        )
        return
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    write_between(options.page, MARKER, report(devices[0], devices))


if __name__ == "__main__":
    main()
