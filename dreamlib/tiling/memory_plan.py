"""Memory: how much a dream takes, and what tiles and storage keep it within bounds.

Figures are bytes. What a network takes for a pixel is reckoned from its prototxt, by factors that
`benchmarks/step.py` and `benchmarks/giant.py` bear out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import WRAPS
from dreamlib.models.input_size import activations_per_pixel, passing_per_pixel
from dreamlib.tiling.canvas_memory import canvas_bytes, split_bytes
from dreamlib.util.memory import available_memory, parse_bytes

#: Share of the memory that is free now which a dream takes where nothing else is said.
SHARE = 0.8

#: Bytes that an engine which keeps all takes at its peak for each byte of activations, windows of
#: many sizes and the holes that they leave in its heap included; and for each pixel besides.
KEEPING, KEEPING_EXTRA = {"cuda": 2.0, "caffe": 4.5}, 150

#: What ours takes on the CPU, where it keeps little: for each byte of the blobs that are there at
#: once, for each value that there is at any time, and for each pixel.
PASSING, BEHIND, EXTRA = 2.2, 0.35, 90

#: Up to so many pixels its heap has holes, and takes so many times as much: `LARGE` of
#: `dreamlib.pycaffe.passes`.
SMALL, HOLES = 2_000_000 // 3, 2.0

#: What strips, libraries and Python's own objects take besides.
OVERHEAD = 96 << 20

#: Sides of tiles: best where there is room, and the least that still shows the network anything.
BEST_TILE = {"cpu": 512, "cuda": 2048}
LEAST_TILE, TILE_STEP = 64, 32

#: Context around a tile of the shift schedule, which on large tiles costs little; and the feathered
#: band of the others, in pixels.
OVERLAP, FEATHER = {"cpu": 32, "cuda": 96}, 64

#: Pixels up to which a picture is dreamt whole, as the notebook does, if memory allows. Beyond it
#: tiles are as good and faster, since they stay in the processor's caches.
LARGEST_WHOLE = 4_000_000

#: Bytes that direct ascent takes for a pixel of a tile: the picture, two gradients, a step, and the
#: filter's planes. The sides of its tiles, and of their context: see `emphasise`. And how far a
#: picture whose borders close is rolled.
DIRECT_BYTES, DIRECT_TILE, DIRECT_OVERLAP, DIRECT_ROLL = 110, 1024, 96, 128

#: Bytes of RAM for each pixel of a tile that is on its way to or from a GPU.
TRAVELLING = 40


class Demand(NamedTuple):
    """What a dream will take, in bytes."""

    network: int  #: for one tile, or the whole picture, of all processes
    canvases: int  #: all that are there at once, in RAM or on disk, but for those on the GPU
    base: int  #: the process with its network loaded, before the dream
    in_ram: bool  #: whether the canvases are
    most: int  #: beside base and canvases: workers and their networks, or a stage that takes more
    on_gpu: int = 0  #: canvases in the GPU's memory, beside the network's; 0 where none are there

    @property
    def ram(self):
        """Peak resident memory of all processes, where the network runs on the CPU."""
        return self.base + self.most + OVERHEAD + (self.canvases if self.in_ram else 0)


class Stage(NamedTuple):
    """What takes memory when no steps are taken, before them or after them."""

    size: int  #: bytes
    doing: str  #: what takes them, as "reading sky.webp"
    hint: str  #: what else would do
    everywhere: bool = False  #: whether every process that computes does so


class Besides(NamedTuple):
    """What a dream takes beside canvases and steps."""

    stages: tuple = ()  #: of `Stage`, one after the other
    kept: int = 0  #: bytes beside the steps, in every process that computes
    standing: int = 0  #: bytes in this process, all the time
    source: int = 0  #: pixels of the undreamt picture, of which octaves may be a region
    resident: int | None = None  #: what this process holds before; None is what it holds now


class StepBytes(NamedTuple):
    """The bytes that a step takes, which grow with the pixels that are seen at once."""

    per_pixel: float
    crowded: float  #: the same up to `SMALL` pixels

    def __call__(self, pixels):
        """Return the bytes for a number of pixels: an int."""
        return int(max(self.crowded * min(pixels, SMALL), self.per_pixel * pixels))


def step_bytes(definition, end, engine, on_gpu=False):
    """Reckon what a step takes from a prototxt.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
    end : str
        Layer up to which the network runs.
    engine : {'caffe', 'torch'}
    on_gpu : bool

    Returns
    -------
    StepBytes
    """
    activations = activations_per_pixel(definition, end)
    if engine == "caffe" or on_gpu:
        kind = "caffe" if engine == "caffe" else "cuda"
        per_pixel = KEEPING[kind] * 4 * activations + KEEPING_EXTRA
        return StepBytes(per_pixel, per_pixel)
    passing = passing_per_pixel(definition, end)
    per_pixel = PASSING * 4 * passing + BEHIND * activations + EXTRA
    return StepBytes(per_pixel, HOLES * per_pixel)


class Wanted(NamedTuple):
    """What the user has chosen about tiles and storage; None, or 'auto', is left open."""

    schedule: str | None
    tile_size: int | None
    overlap: int | None
    wrap: str | None
    storage: str
    jitter: int
    clip: bool
    memory: str | None  #: that the process may take, as 2G
    window: int | None = None  #: side of random windows; with it they are the default schedule
    best_tile: int | None = None  #: side of tiles where there is room; None is the device's
    best_overlap: int | None = None  #: None is the schedule's
    adam: bool = False  #: whether steps are Adam's, whose moments lie in RAM
    in_files: bool = False  #: whether canvases are to lie in a work folder


class Chosen(NamedTuple):
    """The same with nothing left open; a whole picture has no tile size and no overlap."""

    schedule: str
    tile_size: int | None
    overlap: int | None
    wrap: str
    storage: str


class Machine(NamedTuple):
    """What there is to dream with."""

    resident: int  #: bytes of RAM that this process holds before the dream
    on_gpu: bool = False  #: whether the network's memory is not the machine's
    workers: int = 0  #: processes beside this one; they need the canvases in files, and tiles
    worker: int = 0  #: bytes that each of them holds before the dream, beside what they all share
    gpu_free: int | None = None  #: bytes that the GPU has free, if anybody knows
    elsewhere: bool = False  #: whether workers of other machines take the steps


def choose(wanted, sizes, step, source_dtype, machine, base=False, besides=None):
    """Fill in what the user left open about tiles and storage, so that memory is kept.

    Parameters
    ----------
    wanted : Wanted
    sizes : list of (height, width)
        Of the octaves' canvases.
    step : StepBytes
    source_dtype : numpy dtype
        Of the picture's pixels.
    machine : Machine
    base : bool
        Whether steps look at the undreamt picture.
    besides : Besides, optional

    Returns
    -------
    Chosen
    Demand

    Raises
    ------
    DreamError
        The budget is too small for any tile, or for what comes before or after; says what would do.
    """
    if not wanted.clip and wanted.storage in ("uint8", "uint16"):
        raise DreamError(
            f"storage {wanted.storage} holds nothing beyond 0..255; use --storage float32 with "
            "--no-clip"
        )
    size, shared = sizes[-1], machine.workers or machine.elsewhere
    pixels = max(height * width for height, width in sizes)
    budget = memory_budget(wanted.memory, machine.resident)
    besides = besides or Besides()
    room = _Room(budget, machine, step, besides)
    whole_picture = max(pixels, besides.source)

    schedule = wanted.schedule
    if schedule is None and wanted.window:
        schedule = "windows"
    elif schedule is None:
        whole = canvas_bytes(sizes, np.float32, 3 * whole_picture, base, wanted.adam)
        small = pixels <= LARGEST_WHOLE and room.fits(pixels, besides=whole)
        tiled = shared or wanted.tile_size is not None or wanted.overlap is not None
        schedule = "whole" if small and not tiled else "shift"
    wanted = wanted._replace(
        schedule=schedule,
        wrap=wanted.wrap or ("both" if schedule in ("whole", "windows") else "none"),
    )
    storage = wanted.storage
    if storage == "auto":
        exact = schedule in ("whole", "windows") or not wanted.clip
        deep = np.dtype(source_dtype) != np.uint8
        storage = "float32" if exact else "uint16" if deep else "uint8"
    source_bytes = whole_picture * 3 * np.dtype(_source_storage(storage, source_dtype)).itemsize
    canvases = canvas_bytes(sizes, storage, source_bytes, base, wanted.adam)
    tile = overlap = None
    if schedule != "whole":  # Adam's canvases are in RAM, and tiles have what they leave
        tile, overlap = _tile(wanted, size, room, canvases if wanted.adam else 0)
    seen = _seen(wanted, size, tile, overlap)
    if not room.fits(seen):
        raise DreamError(room.refusal(schedule, tile, seen))

    on_gpu = 0
    if room.knows_gpu and not shared and not wanted.in_files:
        split = split_bytes(sizes, storage, source_bytes, base, wanted.adam)
        if room.fits(seen, *split):
            canvases, on_gpu = split
    in_ram = room.fits(seen, besides=canvases) and not shared
    if storage == "float32" and not in_ram:
        canvases += pixels * source_bytes // whole_picture  # the levels of what is written
    chosen = Chosen(schedule, tile, overlap, wanted.wrap, storage)
    demand = Demand(room.network(seen), canvases, room.base, in_ram, room.most(seen), on_gpu)
    return chosen, demand


def memory_budget(memory, resident):
    """Return the bytes of RAM that the whole process may take.

    Parameters
    ----------
    memory : str or None
        What the user allows, as ``2G``.
    resident : int
        Bytes that the process holds now.

    Returns
    -------
    int
    """
    if memory:
        return parse_bytes(memory)
    return resident + int(SHARE * available_memory())


def too_small(budget, taken, stage):
    """Say that a stage does not fit, and what would do.

    Parameters
    ----------
    budget, taken : int
        Bytes: that there may be, and that are there before.
    stage : Stage

    Returns
    -------
    str
    """
    return (
        f"a memory of {_gigabytes(budget)} is too small: {_gigabytes(taken)} are taken before, and "
        f"{stage.doing} takes {_gigabytes(stage.size)}; allow --memory "
        f"{-(-(taken + stage.size) // (1 << 20))}M{stage.hint}"
    )


class _Room:
    """What is free, in RAM and on a GPU, and what networks and other stages take of it."""

    def __init__(self, budget, machine, step, besides):
        self.base, self._budget = machine.resident + besides.standing, budget
        self.knows_gpu = machine.on_gpu and machine.gpu_free is not None
        self._gpu = SHARE * machine.gpu_free if self.knows_gpu else float("inf")
        self.on_gpu, self._processes = machine.on_gpu, machine.workers or 1
        self._step, self._kept = step, besides.kept
        self._others = machine.workers * machine.worker
        self._stages = [
            stage._replace(size=self._processes * stage.size + self._others)
            if stage.everywhere
            else stage
            for stage in besides.stages
        ]

    def network(self, pixels):
        """Return the bytes of RAM that the networks of all processes take for `pixels` each."""
        one = TRAVELLING * pixels if self.on_gpu else self._step(pixels)
        return self._processes * one

    def most(self, pixels):
        """Return the bytes of RAM over the base, with steps on `pixels`; canvases are not in it."""
        return max([self._steps(pixels), *(stage.size for stage in self._stages)])

    def fits(self, pixels, besides=0, canvases=0):
        """Tell whether `pixels` at once fit, `besides` bytes of RAM, and `canvases` on the GPU."""
        on_gpu = self._step(pixels) + self._kept + canvases
        return (
            self.base + OVERHEAD + self.most(pixels) + besides <= self._budget
            and on_gpu <= self._gpu
        )

    def refusal(self, schedule, tile, pixels):
        """Say what does not fit, and what would."""
        what = "the whole picture" if schedule == "whole" else f"tiles of {tile} pixels"
        hint = ", or leave --schedule out" if schedule == "whole" else ""
        taken, steps = self.base + OVERHEAD, self._steps(pixels)
        if taken + self.most(pixels) <= self._budget:
            return (
                f"the GPU has room for {_gigabytes(self._gpu)}, and the network takes "
                f"{_gigabytes(self._step(pixels) + self._kept)} for {what}; take a "
                f"smaller --tile-size{hint}"
            )
        workers = ""
        if self._others:
            workers = f"{self._processes} workers and "
        network = Stage(steps, f"the dream by {workers}{what}", hint)
        largest = max([network, *self._stages], key=lambda stage: stage.size)
        return too_small(self._budget, taken, largest)

    def _steps(self, pixels):
        return self.network(pixels) + self._processes * self._kept + self._others


def _tile(wanted, size, room, besides):
    """Choose tile size and overlap: the user's, or the best that fits, or else the least.

    It is to fit with `besides` bytes of canvases in RAM.
    """
    if wanted.schedule == "windows":
        return wanted.tile_size or wanted.window, 0
    tiles, device = [wanted.tile_size], "cuda" if room.on_gpu else "cpu"
    if wanted.tile_size is None:
        best = wanted.best_tile or BEST_TILE[device]
        tiles = range(best, LEAST_TILE - 1, -TILE_STEP)
    for tile in tiles:
        overlap = wanted.overlap
        if overlap is None:
            halo = OVERLAP[device] if wanted.schedule == "shift" else FEATHER
            overlap = min(wanted.best_overlap or halo, tile // 4)
        if 2 * overlap > tile:
            raise DreamError(
                f"an overlap of {overlap} is more than half a tile of {tile} pixels; take "
                f"--overlap {tile // 2} or less, or a larger --tile-size"
            )
        if room.fits(_seen(wanted, size, tile, overlap), besides):
            break
    return tile, overlap


def _seen(wanted, size, tile, overlap):
    """Return the pixels of the largest window that the network is given at once."""
    pixels = 1
    for side, is_closed in zip(size, WRAPS[wanted.wrap]):
        if wanted.schedule == "whole":
            pixels *= side if is_closed else side + wanted.jitter
        elif wanted.schedule == "shift":
            beyond = 2 * overlap if is_closed else max(2 * overlap, wanted.jitter)
            pixels *= min(tile, side) + beyond
        elif wanted.schedule == "windows":
            pixels *= min(tile, side)
        else:
            pixels *= min(tile, side) + wanted.jitter
    return pixels


def _source_storage(storage, source_dtype):
    """Return the dtype in which the undreamt picture is kept."""
    if np.dtype(source_dtype) in (np.uint8, np.uint16):
        return np.dtype(source_dtype)
    return np.dtype("float32" if storage == "float32" else "uint16")


def _gigabytes(count):
    return f"{count / (1 << 30):.2f}G"
