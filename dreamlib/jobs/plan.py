"""What a dream will take, told before it begins: sizes, tiles, memory, disk, time."""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import replace

import numpy as np

from dreamlib.imaging.picture import Window
from dreamlib.jobs.machine import workers_of
from dreamlib.jobs.run import memory_of
from dreamlib.tiling.gradient_scale import OWN_SCALE
from dreamlib.tiling.memory_plan import DIRECT_BYTES, step_bytes
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.schedule import Tile
from dreamlib.tiling.stepper import Stepper
from dreamlib.util.devices import kind_of

#: Pixels of the largest window that the calibration takes, and how often.
CALIBRATION_PIXELS, CALIBRATION_TIMES = 1 << 20, 3


def plan(job):
    """Describe a dream that could begin, as a table to print.

    Parameters
    ----------
    job : dreamlib.jobs.resolve.Job

    Returns
    -------
    str
    """
    settings, dream = job.settings, job.dream
    lines = [f"{'octave':>6}  {'size':>15}  {'tiles a pass':>12}  {'pixel-steps':>12}"]
    steps = largest = 0
    seen = {}
    for number, octave in enumerate(dream.octaves):
        if not octave.steps:
            continue
        phases = dream.schedule(number).phases(0)
        windows = [tile.window.height * tile.window.width for tile in itertools.chain(*phases)]
        height, width = octave.window[2:]
        taken = dream.passes(number) * dream.tile_steps
        steps += height * width * taken
        seen[number] = max(windows), sum(windows) * taken
        largest = max(largest, *windows)
        size, count = f"{width} x {height}", height * width * taken
        lines.append(f"{number + 1:>6}  {size:>15}  {len(windows):>12}  {count / 1e6:>10.1f} M")
    computed = sum(pixels for _, pixels in seen.values())
    script = [f"script       {settings.script}"] if settings.script else []
    workers = workers_of(settings)
    lines += [
        "",
        *script,
        *_workers(settings, workers),
        f"schedule     {_schedule(settings)}, {dream.storage} canvases",
        f"pixel-steps  {steps / 1e6:.1f} million, {computed / steps:.2f} times that to compute",
        *_memory(job, largest),
        f"time         {_time(job, seen, workers)}",
    ]
    return "\n".join(lines)


def _schedule(settings):
    if settings.schedule == "whole":
        return "whole picture at once"
    if settings.schedule == "windows":
        return f"random windows of {settings.tile_size}"
    return (
        f"{settings.schedule}, tiles of {settings.tile_size} with an overlap of {settings.overlap}"
    )


def _workers(settings, workers):
    """Say who shares the picture, if anybody does."""
    kinds = ", ".join(sorted({kind_of(device) for device in workers}))
    of = f", of {settings.cluster}" if settings.cluster else ""
    return [f"workers      {len(workers)} on {kinds}{of}"] if workers else []


def _time(job, seen, workers):
    """Say how long it takes, where this process has a device like those that will do it.

    `seen` are, by octave, the pixels of its largest window, and those that are computed in all.
    """
    here = "cpu" if job.settings.gpu is None else "cuda"
    if workers and kind_of(workers[0]) != here:
        return f"unknown: nothing is computed on {kind_of(workers[0])} here"
    dream = replace(job.dream, storage="uint8", tile_steps=1)
    stepper = Stepper(job.network.net, dream, job.network.judges)
    store = memory_of(job._replace(dream=dream))
    seconds = sum(
        _seconds_per_pixel(stepper, store, number, largest) * pixels
        for number, (largest, pixels) in seen.items()
    )
    return f"about {_duration(seconds / max(1, len(workers)))}"


def _memory(job, largest):
    """List the memory of each kind that is taken."""
    settings, demand = job.settings, job.demand
    direct = any(octave.direct for octave in job.dream.octaves)
    seen = max(job.network.net.crop_dims) ** 2 if direct else largest
    on_gpu = settings.gpu is not None
    network = step_bytes(job.network.definition, settings.end, settings.engine, on_gpu)(seen)
    network += DIRECT_BYTES * largest if direct else 0
    card = f"about {(network + demand.on_gpu) / 1e9:.2f} GB" if on_gpu else "none"
    if demand.on_gpu:
        card += f", {demand.on_gpu / 1e9:.2f} GB of it the canvases"
    on_disk = not demand.in_ram or settings.work_dir
    return [
        f"RAM          at most {demand.ram / 1e9:.2f} GB",
        f"GPU memory   {card}",
        f"disk         {f'{demand.canvases / 1e9:.2f} GB' if on_disk else 'none'}",
    ]


def _seconds_per_pixel(stepper, store, octave, largest):
    """Time steps of an octave on noise, on a canvas of a store: seconds per pixel that is seen.

    A pixel of a small window takes longer than one of a large window. The first step counts for
    nothing: what it compiles and allocates is there for all others.
    """
    side = int(min(largest, CALIBRATION_PIXELS) ** 0.5)
    pixels = np.random.RandomState(0).randint(0, 256, (side, side, 3)).astype(np.uint8)
    canvas, window = store.new_canvas("noise", (side, side)), Window(0, 0, side, side)
    canvas.write(window, pixels)
    tile = Tile(window, window, side * side)
    seconds = []
    for _ in range(1 + CALIBRATION_TIMES):
        begin = time.perf_counter()
        list(stepper.steps(Place(octave, 0, 0), OWN_SCALE, [tile], canvas, canvas, canvas))
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:]) / side**2


def _duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
