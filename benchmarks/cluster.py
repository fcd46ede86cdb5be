"""What a cluster costs: many workers whose step only waits, here; one that is killed; copying.

    python benchmarks/cluster.py [--workers 64] [--step 0.3] [--tile 128] [--each 16]

The steps take the time that a tile would and compute nothing; pixels, messages and canvases are
real. Workers are Dask's own, sixteen to a process. Efficiency is the time of all steps over that of
all workers, for a pass; the column beside it is what whole rounds of steps would leave of it. CPU
time is the driver's and the scheduler's, for a tile.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil

from dreamlib.ascent.regularizers import GradientRules
from dreamlib.ascent.spec import ObjectiveSpec
from dreamlib.cluster.connection import survey
from dreamlib.cluster.workers import Workers
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.checksums import Checksums
from dreamlib.tiling.gradient_scale import Scale
from dreamlib.tiling.octaves import Dream, Finish, Octave, Place, Ramp, Tiling
from dreamlib.util.subprocesses import environment

TOGETHER = 16  # workers in a process
HERE = Path(__file__).parent

PROCESS = """
import asyncio, sys
from distributed import Worker
async def main(address, count):
    options = {"nthreads": 1, "resources": {"cpu": 1}, "memory_limit": 0}
    workers = [Worker(address, **options) for _ in range(count)]
    await asyncio.gather(*workers)
    await asyncio.gather(*(worker.finished() for worker in workers))
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


class Waiting:
    """A stepper that waits, and gives tiles back as they were.

    Parameters
    ----------
    dream : Dream
    """

    def __init__(self, dream):
        self.quantizer = np.zeros(0, dream.storage)
        self._pause = float(os.environ["STEP"])

    def steps(self, place, scale, tiles, canvas, target, base=None):
        """Wait for each tile."""
        for position, tile in enumerate(tiles):
            time.sleep(self._pause)
            pixels = canvas.read(tile.window)
            top, left = tile.interior.top - tile.window.top, tile.interior.left - tile.window.left
            height, width = tile.interior[2:]
            target.write(tile.interior, pixels[top : top + height, left : left + width])
            yield position, (1.0,)

    def measure(self, octave, tile, canvas):
        """Wait for nothing."""
        return (1.0,)


def load(dream, gpu):
    """Make such a stepper."""
    return Waiting(dream)


def dream_of(side, tile):
    """Resolve a dream of one pass by the shift schedule over side x side pixels."""
    window = Window(0, 0, side, side)
    octave = Octave((side, side), window, 1, ObjectiveSpec("none"), Ramp(1, 1), Ramp(0, 0),
                    Tiling("shift", tile, tile // 8, 0))  # fmt: skip
    return Dream("", "torch", "float32", False, (octave,), "detail", "uint8", "none",
                 (False, False), 0, True, 1, GradientRules(), Finish())  # fmt: skip


def one_pass(workers, dream, canvas, target, on_tile=lambda number: None):
    """Step on all phases of a pass; return seconds and tiles."""
    begin, count = time.perf_counter(), 0
    for number, tiles in enumerate(dream.schedule(0).phases(0)):
        place = Place(0, 0, number)
        stepping = workers.steps(place, Scale(1.0, None), tiles, range(len(tiles)), canvas, target)
        for _ in stepping:
            count += 1
            on_tile(count)
    return time.perf_counter() - begin, count


def canvases(side, folder=None):
    """Make the two canvases of a phase: in files of a folder, or in RAM."""
    paths = [folder and folder / name for name in ("canvas", "target")]
    return [Canvas(side, side, "uint8", "none", path) for path in paths]


def many(count, step, tile, each, sent):
    """Measure a cluster of workers that wait; return the columns that `main` prints."""
    side = int((each * 4 * count) ** 0.5 * tile)  # so many tiles for each worker in each phase
    dream, turns, moved = dream_of(side, tile), [], [0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file, variables = folder / "scheduler.json", environment(STEP=str(step))
        variables["PYTHONPATH"] += f":{HERE}"
        started = []
        stack.callback(lambda: [process.kill() for process in started])

        def start(*command):
            whole = [sys.executable, *command]
            started.append(subprocess.Popen(whole, stderr=subprocess.DEVNULL, env=variables))

        start("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
              "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file))  # fmt: skip
        while not file.is_file():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for begun in range(0, count, TOGETHER):
            start("-c", PROCESS, address, str(min(TOGETHER, count - begun)))
        while devices(address) < count:
            time.sleep(0.5)
        seen = None if sent else folder
        workers = stack.enter_context(Workers(dream, cluster=address, folder=seen, load=load))
        finish = workers._finish

        def watched(member, task, result):
            turns.append(time.monotonic() - member.since - result[1])
            moved[0] += sum(pixels.nbytes for _, pixels in result[0])
            return finish(member, task, result)

        workers._finish = watched
        scheduler = psutil.Process(started[0].pid)
        begun = time.process_time() + sum(scheduler.cpu_times()[:2])
        seconds, tiles = one_pass(workers, dream, *canvases(side, seen))
        spent = time.process_time() + sum(scheduler.cpu_times()[:2]) - begun
    rounds = sum(-(-len(phase) // count) for phase in dream.schedule(0).phases(0))
    window = (tile + 2 * (tile // 8)) ** 2 * 3 if sent else 0
    bytes_ = moved[0] / tiles + window
    return (
        f"{tiles} | {tiles * step / (count * seconds):.3f} | {tiles / (count * rounds):.3f} | "
        f"{statistics.median(turns) * 1e3:.1f} ms | {bytes_ / 1e3:.0f} kB | {tiles / seconds:.0f}, "
        f"{bytes_ * tiles / seconds / 1e6:.0f} MB | {spent / tiles * 1e3:.1f} ms"
    )


def devices(address):
    """Count the workers of a cluster so far."""
    try:
        return len(survey(address))
    except DreamError:
        return 0


def killed(step, tile, turns=3):
    """Measure what a killed worker of two costs: seconds more than a pass without."""
    os.environ["STEP"] = str(step)
    os.environ["PYTHONPATH"] = f"{os.environ.get('PYTHONPATH', '')}:{HERE}"
    side, lost = 8 * tile, []
    dream = dream_of(side, tile)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            pictures = canvases(side, Path(folder))
            with Workers(dream, "cpu,cpu", folder=folder, load=load) as workers:
                without, _ = one_pass(workers, dream, *pictures)

                def kill(number, workers=workers):
                    if number == 5:
                        os.kill(workers.pids[0], signal.SIGKILL)

                lost.append(one_pass(workers, dream, *pictures, kill)[0] - without)
    return lost


def copying(side, tile, turns=5):
    """Measure what the driver does between phases: seconds a pixel, from file to file."""
    with tempfile.TemporaryDirectory() as folder:
        source, canvas = canvases(side, Path(folder))
        places = [Window(top, left, tile, tile)
                  for top in range(0, side, tile) for left in range(0, side, tile)]  # fmt: skip
        taken = []
        for _ in range(turns):
            begin = time.perf_counter()
            for place in places:
                canvas.write(place, source.read(place))
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken) / side**2


def summing(side, turns=5):
    """Measure what the journal's checksums take: seconds a pixel of a canvas that has changed."""
    with tempfile.TemporaryDirectory() as folder:
        canvas, _ = canvases(side, Path(folder))
        taken = []
        for _ in range(turns):
            begin = time.perf_counter()
            Checksums(side, side, canvas.dtype).to_dict(canvas.path)
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken) / side**2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--step", type=float, default=0.3, help="seconds")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--each", type=int, default=16, help="tiles of a worker in a phase")
    options = parser.parse_args()
    print("| workers | pixels | tiles | efficiency | rounds | beside a step | bytes of a tile "
          "| a second | CPU |")  # fmt: skip
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for sent in (False, True):
        columns = many(options.workers, options.step, options.tile, options.each, sent)
        how = "both ways" if sent else "back alone"
        print(f"| {options.workers} | travel {how} | {columns} |", flush=True)
    lost = killed(options.step, options.tile)
    print(f"\na killed worker of two, steps of {options.step} s: "
          f"{', '.join(f'{one:.2f}' for one in lost)} s more")  # fmt: skip
    print(f"checksums of a canvas: {summing(4096) * 1e9:.1f} ns a pixel")
    for side in (256, 1024):
        print(f"copying tiles of {side} to the canvas: {copying(4096, side) * 1e9:.1f} ns a pixel")


if __name__ == "__main__":
    # Workers find the stepper by this file's own name.
    import cluster

    cluster.main()
