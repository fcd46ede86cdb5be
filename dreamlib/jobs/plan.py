"""What a dream will take, told before it begins: sizes, tiles, memory, disk, time."""

from __future__ import annotations

import itertools
import time

import numpy as np

from dreamlib.imaging.window import Window
from dreamlib.jobs import drawing
from dreamlib.models.engines import read_definition
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.memory_plan import network_bytes
from dreamlib.tiling.octave_loop import octave_schedule
from dreamlib.tiling.schedule import Visit
from dreamlib.tiling.stepper import Painter

#: Pixels of the largest window that the calibration takes, and how often.
CALIBRATION_PIXELS, CALIBRATION_TURNS = 1 << 20, 3


def plan(job):
    """Describe a dream that could begin, as a table to print.

    Parameters
    ----------
    job : dreamlib.jobs.prepare.Job

    Returns
    -------
    str
    """
    if job.script:
        return _drawing(job)
    settings = job.settings
    passes = -(-settings.iterations // settings.tile_steps)
    lines = [f"{'octave':>6}  {'size':>15}  {'tiles a pass':>12}  {'pixel-steps':>12}"]
    steps = seen = largest = 0
    for octave, frame in enumerate(job.frames):
        phases = octave_schedule(settings, frame[2:], octave).phases(0)
        visits = list(itertools.chain.from_iterable(phases))
        pixels = frame.height * frame.width * passes * settings.tile_steps
        windows = [visit.window.height * visit.window.width for visit in visits]
        steps += pixels
        seen += sum(windows) * passes * settings.tile_steps
        largest = max(largest, *windows)
        size = f"{frame.width} x {frame.height}"
        lines.append(f"{octave + 1:>6}  {size:>15}  {len(visits):>12}  {pixels / 1e6:>10.1f} M")
    lines += [
        "",
        f"schedule     {_schedule(settings)}, {settings.storage} canvases",
        f"pixel-steps  {steps / 1e6:.1f} million, {seen / steps:.2f} times that to compute",
        *_memory(job, settings, largest),
        f"time         about {_duration(_seconds_per_pixel(job, largest) * seen)}",
    ]
    return "\n".join(lines)


def _drawing(job):
    """Describe a drawing by an octave script."""
    window, counts = drawing.work(job)
    lines = [f"{'octave':>6}  {'size':>15}  {'window':>15}  {'steps':>12}"]
    for octave, size in enumerate(job.sizes):
        sides = [f"{width} x {height}" for height, width in (size, window[octave])]
        lines.append(f"{octave + 1:>6}  {sides[0]:>15}  {sides[1]:>15}  {counts[octave]:>12}")
    seen = [height * width for height, width in window]
    total = sum(pixels * count for pixels, count in zip(seen, counts))
    lines += [
        "",
        f"script       {job.settings.script}",
        f"pixel-steps  {total / 1e6:.1f} million",
        *_memory(job, job.settings, max(seen)),
        f"time         about {_duration(_seconds_per_pixel(job, max(seen)) * total)}",
    ]
    return "\n".join(lines)


def _schedule(settings):
    if settings.schedule == "whole":
        return "whole picture at once"
    return (
        f"{settings.schedule}, tiles of {settings.tile_size} with an overlap of {settings.overlap}"
    )


def _memory(job, settings, largest):
    """Say what is taken where."""
    demand = job.demand
    definition = read_definition(job.model, settings.engine)
    network = network_bytes(definition, settings.end, settings.engine, largest)
    on_gpu = settings.gpu is not None
    lines = [f"RAM          at most {demand.ram / 1e9:.2f} GB"]
    lines.append(f"GPU memory   {f'about {network / 1e9:.2f} GB' if on_gpu else 'none'}")
    on_disk = not demand.in_ram or settings.work_dir
    lines.append(f"disk         {f'{demand.canvases / 1e9:.2f} GB' if on_disk else 'none'}")
    return lines


def _seconds_per_pixel(job, largest):
    """Time a tile of noise: seconds per pixel that the network sees."""
    side = int(min(largest, CALIBRATION_PIXELS) ** 0.5)
    pixels = np.random.RandomState(0).randint(0, 256, (side, side, 3)).astype(np.uint8)
    canvas = Canvas.of(pixels)
    painter = Painter(job.net, np.uint8, job.settings.end)
    window = Window(0, 0, side, side)
    visit = Visit(window, window, side * side)
    seconds = []
    for turn in range(CALIBRATION_TURNS):
        begin = time.perf_counter()
        painter.paint(visit, canvas, canvas, None, turn)
        seconds.append(time.perf_counter() - begin)
    return min(seconds) / side**2


def _duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
