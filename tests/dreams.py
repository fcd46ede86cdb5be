"""Small whole dreams, by a stepper without a network, for tests of how dreams are kept."""

import sys
import time
from types import SimpleNamespace

import numpy as np

from dreamlib.ascent.regularizers import GradientRules
from dreamlib.ascent.spec import ObjectiveSpec
from dreamlib.imaging.picture import WRAPS
from dreamlib.imaging.resample import octave_sizes
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas, InMemory
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.octave_loop import OctaveLoop
from dreamlib.tiling.octaves import Dream, Finish, Octave, Ramp, Tiling, octave_windows
from dreamlib.tiling.pyramid import Stored
from dreamlib.tiling.quantize import Quantizer
from dreamlib.tiling.schedule import interior_of
from dreamlib.tiling.work_folder import WorkFolder

RULE = Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(1))

SCHEDULES = ("whole", "shift", "spiral", "random", "windows")


def picture(height, width, dtype="uint8"):
    """A noisy picture."""
    pixels = np.random.RandomState(0).rand(height, width, 3)
    return (pixels * (255 if dtype == "float32" else np.iinfo(dtype).max)).astype(dtype)


def options(schedule, **changes):
    """What a test's dream is made of, beside its picture: tiny tiles, so that there are several."""
    values = {
        "schedule": schedule, "tile_size": 12, "overlap": 3, "wrap": "none", "jitter": 3, "seed": 5,
        "iterations": 2, "tile_steps": 1, "end": "layer", "step_size": (1.5, 1.5), "blur": (0, 0),
        "octave_scale": 1.4, "octaves": 2, "storage": "uint8", "carry": "detail", "clip": True,
        "gradient": GradientRules(), "model": "", "objective": None,
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def dream_of(how, size):
    """Resolve a test's `options` for a picture of a size (height, width)."""
    sizes = octave_sizes(*size, how.octaves, how.octave_scale)
    tiling = Tiling(how.schedule, how.tile_size, how.overlap, how.jitter)
    spec = how.objective or ObjectiveSpec(how.end)
    octaves = [
        Octave(one, window, how.iterations, spec, Ramp(*how.step_size), Ramp(*how.blur), tiling)
        for one, window in zip(sizes, octave_windows(sizes))
    ]
    closed = (False, False) if how.schedule in ("whole", "windows") else WRAPS[how.wrap]
    return Dream(
        how.model, "torch", "float32", False, tuple(octaves), how.carry, how.storage, how.wrap,
        closed, how.seed, how.clip, how.tile_steps, how.gradient, Finish(),
    )  # fmt: skip


class Steps:
    """Counts pixel-steps, and ends the dream after this number."""

    def __init__(self, stop_after=None):
        self.steps, self.skipped, self._stop_after = [], 0, stop_after

    def skip(self, pixels):
        self.skipped += pixels

    def __call__(self, step):
        self.steps.append(step)
        return len(self.steps) == self._stop_after


class FakeStepper:
    """Steps by what depends on all that a stepper is given, so that any mistake shows.

    Parameters
    ----------
    dream : Dream
    pause : float
        Seconds that a tile takes.
    """

    def __init__(self, dream, pause=0):
        self.quantizer = Quantizer(RULE, dream.storage)
        self._dream, self._pause = dream, pause

    def steps(self, place, scale, tiles, canvas, target, base=None):
        for position, tile in enumerate(tiles):
            yield position, self._step(place, scale, tile, canvas, target, base)

    def _step(self, place, scale, tile, canvas, target, base):
        time.sleep(self._pause)
        before = self._load(tile, canvas)
        gradient = self._gradient(before)
        mean = np.abs(gradient).mean() if scale.mean is None else scale.mean
        step = 3 if scale.deviations is None else 3 * scale.deviations[0] / scale.deviations[1]
        step *= sum(self._dream.steps_of(place)) / 1.5
        image = before + np.float32(step / mean) * gradient
        if base is not None:
            image -= (before - self._load(tile, base)) / 8
        np.clip(image, *(limit[:, None, None] for limit in RULE.limits()), out=image)
        inside = interior_of(image, tile)
        if tile.row_weight is not None:
            weight = np.outer(tile.row_weight, tile.column_weight)
            inside = interior_of(before, tile) * (1 - weight) + inside * weight
        pixels = self.quantizer.encode(inside, tile.interior, self._dream.rounding(place))
        target.write(tile.interior, pixels)
        return self._sums(interior_of(gradient, tile))

    def measure(self, octave, tile, canvas):
        return self._sums(interior_of(self._gradient(self._load(tile, canvas)), tile))

    def _load(self, tile, canvas):
        out = np.empty((3,) + tile.window[2:], np.float32)
        return self.quantizer.decode(canvas.read(tile.window), out)

    @staticmethod
    def _gradient(image):
        """Something of all pixels of the window, most of those nearby."""
        return image - np.roll(image, 1, 1) + np.roll(image, -2, 2) / 2 + image.mean() / 16 + 1

    @staticmethod
    def _sums(interior):
        interior = interior.astype(np.float64)
        return tuple(
            float(part.sum()) for part in (abs(interior), interior**2, (interior + 9) ** 2)
        )


def loop(store, how, image, progress=None, stepper=None, workers=None):
    """The loop of a dream of `image` in a store."""
    dream = dream_of(how, image.shape[:2])
    stepper = stepper or FakeStepper(dream)
    source = Stored(Canvas.of(image, how.wrap), Quantizer(stepper.quantizer.rule, image.dtype))
    return OctaveLoop(
        source, dream, stepper.quantizer, workers or InProcess(stepper), store, progress or Steps()
    )


def in_memory(how, image, make=Canvas, **given):
    """Dream in RAM, or on the canvases of a device; return the canvas's pixels."""
    store = InMemory(np.dtype(how.storage), how.wrap, make)
    return loop(store, how, image, **given).run().array()


def in_folder(path, how, image, resume=False, **given):
    """Dream in a work folder; return the canvas's pixels. The folder stays."""
    store = WorkFolder(path, resume=resume)
    try:
        store.begin({"picture": "a test's"}, np.dtype(how.storage), how.wrap, need=1)
        return np.array(loop(store, how, image, **given).run().array())
    finally:
        store.close()


if __name__ == "__main__":  # a process of its own, for tests that kill it
    FOLDER, SCHEDULE, RESUME = sys.argv[1:]
    HOW = options(SCHEDULE)
    in_folder(
        FOLDER, HOW, picture(26, 30), resume=RESUME == "resume",
        stepper=FakeStepper(dream_of(HOW, (26, 30)), pause=0.03),
    )  # fmt: skip
