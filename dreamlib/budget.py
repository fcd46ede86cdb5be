"""Memory: how much there is, how much a dream takes, and what settings keep it within bounds.

Figures are bytes. What a network takes for a pixel is reckoned from its prototxt, by factors that
`benchmarks/step.py` and `benchmarks/giant.py` bear out.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import numpy as np

from .canvas import WRAPS
from .errors import DreamError
from .shapes import activations_per_pixel

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

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_bytes(text):
    """Read a size such as ``2G`` or ``512M``: a number of bytes.

    Raises
    ------
    ValueError
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is no size")
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def available_memory():
    """Return the bytes that this process may still take without the machine swapping."""
    limits = []
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":") for line in file)
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError):  # another system than Linux
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:  # of a container
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            current = int(file.read())
        if limit.isdigit():
            limits.append(max(0, int(limit) - current))
    except OSError:
        pass  # there is none
    return min(limits)


def resident_memory():
    """Return the bytes of RAM that this process holds now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # another system than Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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


def canvas_bytes(size, dtype, octave_scale, octaves, source_bytes):
    """Return the bytes of all canvases at the moment that there are most of them.

    That is while the last octave is made from the one before, whose shadow is still there; or while
    the last octave is painted, with its own.
    """
    full = size[0] * size[1] * 3 * np.dtype(dtype).itemsize
    before = full / octave_scale**2 if octaves > 1 else 0
    return int(source_bytes + full + max(full, 2 * before))


def choose(settings, size, definition, source_dtype, base, on_gpu=False):
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

    Returns
    -------
    Settings, Demand

    Raises
    ------
    DreamError
        The budget is too small for any tile; says what would do.
    """
    pixels = size[0] * size[1]
    budget = memory_budget(settings, base)
    need = _NetworkNeed(definition, settings, on_gpu)
    deep = np.dtype(source_dtype) != np.uint8
    chosen = {}
    if not settings.clip and settings.storage in ("uint8", "uint16"):
        raise DreamError(
            f"storage {settings.storage} holds nothing beyond 0..255; use --storage float32 with "
            "--no-clip"
        )
    schedule = settings.schedule
    if schedule is None:
        whole = canvas_bytes(size, np.float32, settings.octave_scale, settings.octaves, 3 * pixels)
        fits = base + OVERHEAD + need(pixels) + whole <= budget
        schedule = "whole" if fits and settings.tile_size is None else "shift"
    chosen["schedule"] = schedule
    chosen["wrap"] = settings.wrap or ("both" if schedule == "whole" else "none")
    storage = settings.storage
    if storage == "auto":
        small = "uint16" if deep else "uint8"
        storage = "float32" if schedule == "whole" or not settings.clip else small
    chosen["storage"] = storage
    source_bytes = pixels * 3 * np.dtype(_source_storage(storage, source_dtype)).itemsize
    canvases = canvas_bytes(size, storage, settings.octave_scale, settings.octaves, source_bytes)

    room = budget - base - OVERHEAD
    if schedule == "whole":
        tile, overlap = None, 0
    else:
        tile, overlap = _tile(settings, schedule, size, need, room, on_gpu)
        chosen.update(tile_size=tile, overlap=overlap)
    network = need(_seen(settings, schedule, size, tile, overlap))
    if network > room:
        raise DreamError(
            f"a memory of {_gigabytes(budget)} is too small: {_gigabytes(base + OVERHEAD)} are "
            f"taken before the dream, and the network takes {_gigabytes(network)} for "
            f"{'the whole picture' if schedule == 'whole' else f'tiles of {tile} pixels'}; allow "
            f"--memory {-(-(base + OVERHEAD + network) // (1 << 20))}M"
            + ("" if schedule != "whole" else ", or leave --schedule out")
        )
    in_ram = canvases + network <= room
    return settings.replace(**chosen), Demand(network, canvases, base, in_ram)


def memory_budget(settings, base):
    """Return the bytes of RAM that the whole process may take."""
    if settings.memory:
        return parse_bytes(settings.memory)
    return base + int(SHARE * available_memory())


class _NetworkNeed:
    """RAM that the network takes for a number of pixels: none of it on a GPU."""

    def __init__(self, definition, settings, on_gpu):
        self._per_million = network_bytes(definition, settings.end, settings.engine, 10**6)
        if on_gpu:
            self._per_million = 40 * 10**6  # the picture, and what travels

    def __call__(self, pixels):
        return int(self._per_million * pixels / 10**6)


def _tile(settings, schedule, size, need, room, on_gpu):
    """Choose tile size and overlap: the user's, or the best that fits into `room`."""
    best = BEST_TILE["cuda" if on_gpu else "cpu"]
    if settings.tile_size is not None:
        tiles = [settings.tile_size]
    else:
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
        if need(_seen(settings, schedule, size, tile, overlap)) <= room:
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
