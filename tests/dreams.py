"""Small whole dreams, by a painter without a network, for tests of how dreams are kept."""

import sys
import time
from types import SimpleNamespace

import numpy as np

from dreamlib.imaging.resample import Stored, octave_sizes
from dreamlib.imaging.window import WRAPS
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer, whole_frames
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.work_folder import InMemory, WorkFolder
from dreamlib.tiling.workers import Alone

RULE = Preprocessing((2, 1, 0), np.float32([104, 116, 122]), np.float32(1))


def picture(height, width, dtype="uint8"):
    """A noisy picture."""
    pixels = np.random.RandomState(0).rand(height, width, 3)
    return (pixels * (255 if dtype == "float32" else np.iinfo(dtype).max)).astype(dtype)


class Steps:
    """Counts pixel-steps, and ends the dream after so many steps."""

    def __init__(self, stop_after=None):
        self.steps, self.skipped, self._stop_after = [], 0, stop_after

    def skip(self, pixels):
        self.skipped += pixels

    def __call__(self, step):
        self.steps.append(step)
        return len(self.steps) == self._stop_after


class FakePainter:
    """Paints what depends on all that a painter is given, so that any mistake shows.

    Parameters
    ----------
    encoding : Encoding
    pause : float
        Seconds that a visit takes.
    """

    def __init__(self, encoding, pause=0):
        self.encoding, self._pause = encoding, pause

    def paint(self, visit, canvas, target, mean_gradient, turn, deviations=None, base=None):
        time.sleep(self._pause)
        before = self._load(visit, canvas)
        gradient = self._gradient(before)
        mean = np.abs(gradient).mean() if mean_gradient is None else mean_gradient
        step = 3 if deviations is None else 3 * deviations[0] / deviations[1]
        image = before + np.float32(step / mean) * gradient
        if base is not None:
            image -= (before - self._load(visit, base)) / 8
        np.clip(image, *(limit[:, None, None] for limit in RULE.limits()), out=image)
        core = self._core(image, visit)
        if visit.row_weight is not None:
            weight = np.outer(visit.row_weight, visit.column_weight)
            core = self._core(before, visit) * (1 - weight) + core * weight
        target.write(visit.core, self.encoding.encode(core, visit.core, turn))
        return self._sums(self._core(gradient, visit))

    def measure(self, visit, canvas):
        return self._sums(self._core(self._gradient(self._load(visit, canvas)), visit))

    def _load(self, visit, canvas):
        out = np.empty((3,) + visit.window[2:], np.float32)
        return self.encoding.decode(canvas.read(visit.window), out)

    @staticmethod
    def _gradient(image):
        """Something of all pixels of the window, most of those nearby."""
        return image - np.roll(image, 1, 1) + np.roll(image, -2, 2) / 2 + image.mean() / 16 + 1

    @staticmethod
    def _sums(core):
        core = core.astype(np.float64)
        return tuple(float(values.sum()) for values in (abs(core), core**2, (core + 9) ** 2))

    @staticmethod
    def _core(image, visit):
        top, left = visit.core.top - visit.window.top, visit.core.left - visit.window.left
        return image[:, top : top + visit.core.height, left : left + visit.core.width]


def settings_of(schedule, **changes):
    """What a dreamer reads of a dream's settings."""
    values = {
        "schedule": schedule, "tile_size": 12, "overlap": 3, "wrap": "none", "jitter": 3, "seed": 5,
        "iterations": 2, "tile_steps": 1, "end": "layer", "pull_base": 0.0,
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def dreamer(
    store, settings, image, octaves=2, dtype="uint8", progress=None, painter=None, crew=None
):
    """A dreamer of `image` in a store."""
    encoding = painter.encoding if painter else Encoding(RULE, dtype)
    source = Stored(Canvas.of(image, settings.wrap), Encoding(encoding.rule, image.dtype))
    sizes = octave_sizes(*image.shape[:2], octaves, 1.4)
    crew = crew or Alone(painter or FakePainter(encoding))
    closed = (False, False) if settings.schedule == "whole" else WRAPS[settings.wrap]
    return Dreamer(
        source, sizes, whole_frames(sizes), closed, settings, encoding, crew, store,
        progress or Steps(),
    )  # fmt: skip


def in_memory(settings, image, dtype="uint8", **options):
    """Dream in RAM; return the canvas's pixels."""
    store = InMemory(np.dtype(dtype), settings.wrap)
    return dreamer(store, settings, image, dtype=dtype, **options).run().array()


def in_folder(path, settings, image, resume=False, **options):
    """Dream in a work folder; return the canvas's pixels. The folder stays."""
    store = WorkFolder(path, resume=resume)
    try:
        store.begin({"picture": "a test's"}, np.uint8, settings.wrap, need=1)
        return np.array(dreamer(store, settings, image, **options).run().array())
    finally:
        store.close()


if __name__ == "__main__":  # a process of its own, for tests that kill it
    FOLDER, SCHEDULE, RESUME = sys.argv[1:]
    in_folder(
        FOLDER, settings_of(SCHEDULE), picture(26, 30), resume=RESUME == "resume",
        painter=FakePainter(Encoding(RULE, "uint8"), pause=0.03),
    )  # fmt: skip
