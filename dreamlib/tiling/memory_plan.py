"""Memory: how much there is, how much a dream takes, and what settings keep it within bounds.

Figures are bytes. What a network takes for a pixel is reckoned from its prototxt, by factors that
`benchmarks/step.py` and `benchmarks/giant.py` bear out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.window import WRAPS
from dreamlib.models.input_size import activations_per_pixel
from dreamlib.util.memory import available_memory, parse_bytes

#: Share of the memory that is free now which a dream takes where nothing else is said.
SHARE = 0.8

#: Bytes that an engine takes at its peak for each byte of activations, windows of many sizes and
#: the holes that they leave in its heap included; and for each pixel besides.
ENGINE_FACTOR, ENGINE_EXTRA = {"torch": 2.0, "caffe": 4.5}, 150

#: What strips, libraries and Python's own objects take besides.
OVERHEAD = 96 << 20

#: Sides of tiles: best where there is room, and the least that still shows the network anything.
BEST_TILE = {"cpu": 512, "cuda": 1024}
LEAST_TILE, TILE_STEP = 64, 32

#: Context around a tile of the shift schedule, and the feathered band of the others, in pixels.
OVERLAP, FEATHER = 32, 64

#: Pixels up to which a picture is dreamt whole, as the notebook does, if memory allows. Beyond it
#: tiles are as good and faster, since they stay in the processor's caches.
LARGEST_WHOLE = 4_000_000

#: Bytes of RAM for each pixel of a tile that is on its way to or from a GPU.
TRAVELLING = 40


class Demand(NamedTuple):
    """What a dream will take, in bytes."""

    network: int  #: for one tile, or the whole picture
    canvases: int  #: all that are there at once, in RAM or on disk
    base: int  #: the process with its network loaded, before the dream
    in_ram: bool  #: whether the canvases are

    @property
    def ram(self):
        """Peak resident memory, where the network runs on the CPU."""
        return self.base + self.network + OVERHEAD + (self.canvases if self.in_ram else 0)


def network_bytes(definition, end, engine, pixels):
    """Return the bytes that a step on `pixels` pixels up to layer `end` takes."""
    activations = 4 * activations_per_pixel(definition, end)
    return int(pixels * (ENGINE_FACTOR[engine] * activations + ENGINE_EXTRA))


def canvas_bytes(size, dtype, octave_scale, octaves, source_bytes, base=False):
    """Return the bytes of all canvases at the moment that there are most of them.

    That is while the last octave is made from the one before, whose shadow is still there; or while
    the last octave is painted, with its own, and with a `base` beside it if it is pulled there.
    """
    full = size[0] * size[1] * 3 * np.dtype(dtype).itemsize
    before = full / octave_scale**2 if octaves > 1 else 0
    return int(source_bytes + full + max(2 * full if base else full, 2 * before))


def choose(settings, size, definition, source_dtype, base, on_gpu=False, workers=0, gpu_free=None):
    """Fill in what the user left open about tiles and storage, so that memory is kept.

    Parameters
    ----------
    settings : Settings
        With engine, end and model chosen.
    size : (height, width)
    definition : caffe_pb2.NetParameter
    source_dtype : numpy dtype
        Of the picture's pixels.
    base : int
        Resident memory of this process before the dream.
    on_gpu : bool
        Whether the network's memory is not the machine's.
    workers : int
        Processes beside this one that paint; they need the canvases in files, and tiles.
    gpu_free : int, optional
        Bytes that the GPU has free, if anybody knows.

    Returns
    -------
    Settings, Demand

    Raises
    ------
    DreamError
        The budget is too small for any tile; says what would do.
    """
    if not settings.clip and settings.storage in ("uint8", "uint16"):
        raise DreamError(
            f"storage {settings.storage} holds nothing beyond 0..255; use --storage float32 with "
            "--no-clip"
        )
    pixels, base_too = size[0] * size[1], settings.pull_base > 0
    budget = memory_budget(settings, base)
    base *= 1 + workers
    room = _Room(budget - base - OVERHEAD, gpu_free, definition, settings, on_gpu, workers or 1)

    schedule = settings.schedule
    if schedule is None:
        whole = canvas_bytes(
            size, np.float32, settings.octave_scale, settings.octaves, 3 * pixels, base_too
        )
        small = pixels <= LARGEST_WHOLE and room.fits(pixels, besides=whole)
        schedule = "whole" if small and settings.tile_size is None and not workers else "shift"
    tile = overlap = None
    if schedule != "whole":
        best = BEST_TILE["cuda" if on_gpu else "cpu"]
        tile, overlap = _tile(settings, schedule, size, room, best)
    seen = _seen(settings, schedule, size, tile, overlap)
    if not room.fits(seen):
        raise DreamError(room.refusal(schedule, tile, seen, budget, base))

    storage = settings.storage
    if storage == "auto":
        exact = schedule == "whole" or not settings.clip
        deep = np.dtype(source_dtype) != np.uint8
        storage = "float32" if exact else "uint16" if deep else "uint8"
    source_bytes = pixels * 3 * np.dtype(_source_storage(storage, source_dtype)).itemsize
    canvases = canvas_bytes(
        size, storage, settings.octave_scale, settings.octaves, source_bytes, base_too
    )
    chosen = settings.replace(
        schedule=schedule,
        wrap=settings.wrap or ("both" if schedule == "whole" else "none"),
        storage=storage,
        tile_size=tile,
        overlap=overlap,
    )
    in_ram = room.fits(seen, besides=canvases) and not workers
    if storage == "float32" and not in_ram:
        canvases += source_bytes  # the levels of what is written
    return chosen, Demand(room.network(seen), canvases, base, in_ram)


def memory_budget(settings, base):
    """Return the bytes of RAM that the whole process may take."""
    if settings.memory:
        return parse_bytes(settings.memory)
    return base + int(SHARE * available_memory())


class _Room:
    """What is free for networks, in RAM and on a GPU, and what they take of it."""

    def __init__(self, ram, gpu, definition, settings, on_gpu, painters):
        self._ram = ram
        self._gpu = SHARE * gpu if on_gpu and gpu is not None else float("inf")
        self._on_gpu, self._painters = on_gpu, painters
        self._million = network_bytes(definition, settings.end, settings.engine, 10**6)

    def network(self, pixels):
        """Return the bytes of RAM that the networks of all painters take for `pixels` each."""
        million = TRAVELLING * 10**6 if self._on_gpu else self._million
        return int(self._painters * million * pixels / 10**6)

    def fits(self, pixels, besides=0):
        """Tell whether `pixels` at once fit, and so many more bytes of RAM."""
        return (
            self.network(pixels) + besides <= self._ram
            and self._million * pixels / 10**6 <= self._gpu
        )

    def refusal(self, schedule, tile, pixels, budget, base):
        """Say what does not fit, and what would."""
        what = "the whole picture" if schedule == "whole" else f"tiles of {tile} pixels"
        hint = ", or leave --schedule out" if schedule == "whole" else ""
        if self.network(pixels) <= self._ram:
            return (
                f"the GPU has room for {_gigabytes(self._gpu)}, and the network takes "
                f"{_gigabytes(self._million * pixels / 10**6)} for {what}; take a smaller "
                f"--tile-size{hint}"
            )
        taken = base + OVERHEAD
        return (
            f"a memory of {_gigabytes(budget)} is too small: {_gigabytes(taken)} are taken before "
            f"the dream, and the network takes {_gigabytes(self.network(pixels))} for {what}; "
            f"allow --memory {-(-(taken + self.network(pixels)) // (1 << 20))}M{hint}"
        )


def _tile(settings, schedule, size, room, best):
    """Choose tile size and overlap: the user's, or the best that fits, or else the least."""
    tiles = [settings.tile_size]
    if settings.tile_size is None:
        tiles = range(best, LEAST_TILE - 1, -TILE_STEP)
    for tile in tiles:
        overlap = settings.overlap
        if overlap is None:
            overlap = min(OVERLAP if schedule == "shift" else FEATHER, tile // 4)
        if 2 * overlap > tile:
            raise DreamError(
                f"an overlap of {overlap} is more than half a tile of {tile} pixels; take "
                f"--overlap {tile // 2} or less, or a larger --tile-size"
            )
        if room.fits(_seen(settings, schedule, size, tile, overlap)):
            break
    return tile, overlap


def _seen(settings, schedule, size, tile, overlap):
    """Return the pixels of the largest window that the network is given at once."""
    closed = WRAPS[settings.wrap or ("both" if schedule == "whole" else "none")]
    pixels = 1
    for side, is_closed in zip(size, closed):
        if schedule == "whole":
            pixels *= side if is_closed else side + settings.jitter
        elif schedule == "shift":
            beyond = 2 * overlap if is_closed else max(2 * overlap, settings.jitter)
            pixels *= min(tile, side) + beyond
        else:
            pixels *= min(tile, side) + settings.jitter
    return pixels


def _source_storage(storage, source_dtype):
    """Return the dtype in which the undreamt picture is kept."""
    if np.dtype(source_dtype) in (np.uint8, np.uint16):
        return np.dtype(source_dtype)
    return np.dtype("float32" if storage == "float32" else "uint16")


def _gigabytes(count):
    return f"{count / (1 << 30):.2f}G"
