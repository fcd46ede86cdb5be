"""What Dask calls on a worker: say what it is, load a dream's network, step on tiles.

A step is a pure function of the resolved dream, the places and the pixels under their windows.
What the tiles became is returned, and who asked writes it, if it still counts; only processes of
the driver's own machine write it themselves, to a file that is that phase's alone. The loaded
network is a result like any other, which Dask keeps as long as somebody wants it: where the driver
dies, the worker forgets the dream.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.models.engines import import_engine
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.gradient_scale import Scale
from dreamlib.tiling.octaves import Dream, Place


class Description(NamedTuple):
    """What decides the last bits that a worker computes, in words."""

    program: str  #: dreamlib, by a digest of its code: a version may be worked on
    engine: str
    processor: str


def describe(engine, gpu):
    """Describe this process.

    Parameters
    ----------
    engine : {'caffe', 'torch'}
    gpu : int or None
        CUDA device; None is the CPU.

    Returns
    -------
    Description
    """
    caffe = import_engine(engine)
    program = f"dreamlib {_code_digest()}"
    if engine == "caffe":
        version = getattr(caffe, "__version__", "of unknown version")
        return Description(program, f"Caffe {version}", platform.machine())
    import torch

    engine = f"PyTorch {torch.__version__.partition('+')[0]}"
    if gpu is None:
        cpu, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
        return Description(program, engine, f"{_maker()} CPU, {cpu}, {threads} thread(s)")
    if gpu >= torch.cuda.device_count():
        return Description(program, engine, f"no GPU {gpu}")
    name = torch.cuda.get_device_name(gpu)
    return Description(program, engine, f"{name}, CUDA {torch.version.cuda}")


@functools.lru_cache(maxsize=1)
def _code_digest():
    """Return a short digest of dreamlib's code."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _maker():
    """Name who made the CPU: libraries choose among algorithms by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # another system than Linux
        lines = []
    makers = [line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")]
    return makers[0] if makers else platform.processor() or platform.machine()


def look(probe):
    """Read a file as this machine sees it: bytes, or None where it sees none."""
    try:
        return Path(probe).read_bytes()
    except OSError:
        return None


class Loaded:
    """A dream's network on this worker.

    Parameters
    ----------
    dream : str
        As `Dream.to_json` writes it.
    gpu : int or None
    load : callable
        Makes the stepper of a `Dream`, on `gpu`.
    """

    def __init__(self, dream, gpu, load):
        self.dream = Dream.from_json(dream)
        self.stepper = load(self.dream, gpu)
        self._octave = self._schedule = None
        self._pass, self._phases = None, None

    def __reduce__(self):
        # Where Dask moves a result, to disk or off a worker that it closes, this one stays behind.
        return (str, ("a network that was given up",))

    def phases(self, octave, pass_):
        """Return a pass as `Schedule.phases` does; its tiles come one after the other."""
        if octave != self._octave:
            self._schedule, self._octave = self.dream.schedule(octave), octave
        if (octave, pass_) != self._pass:
            self._phases, self._pass = self._schedule.phases(pass_), (octave, pass_)
        return self._phases


def try_out(loaded):
    """Measure a tile of noise, the dream's own largest: workers that round alike say the same.

    Returns
    -------
    list of float
    """
    octave = max(number for number, one in enumerate(loaded.dream.octaves) if one.steps)
    tile = max(loaded.phases(octave, 0)[0], key=lambda tile: tile.window.height * tile.window.width)
    noise = np.random.RandomState(0).randint(0, 256, (*tile.window[2:], 3))
    canvas = _Sent([noise.astype(loaded.stepper.quantizer.dtype)], [tile], loaded.dream, octave)
    return list(loaded.stepper.measure(octave, tile, canvas))


def perform(loaded, octave, pass_, tiles, scale, canvas, base, target):
    """Step on tiles of a phase, or measure tiles of a pass where there is no scale.

    Parameters
    ----------
    loaded : Loaded
    octave, pass_ : int
    tiles : list of (phase, index)
    scale : (float or None, list of float or None), or None
        See `Scale`.
    canvas, base : str, list of ndarray, or None
        A path; or the pixels under the tiles' windows. `base` is the undreamt picture, if any.
    target : str or None
        Path of the canvas that takes the phase's tiles; None where the pixels are to be returned.

    Returns
    -------
    list of (tuple of float, ndarray or None)
        Each tile's sums, and its interior's pixels where they are wanted.
    float
        Seconds that it took.
    """
    if not isinstance(loaded, Loaded):
        raise DreamError(
            "a worker of the cluster was short of memory and gave its network up; start workers "
            "with --memory-limit 0, or fewer of them on a machine"
        )
    begin = time.perf_counter()
    phases = loaded.phases(octave, pass_)
    made = [phases[phase][index] for phase, index in tiles]
    with ExitStack() as stack:

        def opened(source, flags=os.O_RDONLY):
            if not isinstance(source, str):
                return source and _Sent(source, made, loaded.dream, octave)
            # For every task, which takes microseconds: what others wrote shows at an opening.
            dream, size = loaded.dream, loaded.dream.octaves[octave].window[2:]
            canvas = Canvas(*size, dream.storage, dream.wrap, source, flags)
            return stack.enter_context(closing(canvas))

        canvas, base = opened(canvas), opened(base)
        if scale is None:
            sums = [loaded.stepper.measure(octave, tile, canvas) for tile in made]
            return [(one, None) for one in sums], time.perf_counter() - begin
        done, kept = [], _Kept()
        target = opened(target, os.O_RDWR) or kept
        place = Place(octave, pass_, tiles[0][0])
        for _, sums in loaded.stepper.steps(place, Scale(*scale), made, canvas, target, base):
            done.append((sums, kept.pixels))
    return done, time.perf_counter() - begin


class _Sent:
    """A canvas of which nothing is here but the pixels under some tiles' windows."""

    device = None

    def __init__(self, pixels, tiles, dream, octave):
        self.shape, self.wrap = (*dream.octaves[octave].window[2:], 3), dream.wrap
        self._pixels = {tile.window: window for tile, window in zip(tiles, pixels)}

    def read(self, window, out=None):
        """Copy a tile's window: see `Canvas.read`."""
        if out is None:
            return self._pixels[window].copy()
        out[:] = self._pixels[window]
        return out


class _Kept:
    """Takes what is written for a canvas; `pixels` are None where nothing was."""

    pixels = None

    def write(self, window, pixels):
        """Keep a copy of the pixels: the stepper's own are used again."""
        self.pixels = np.array(pixels)
