"""Dreams for benchmarks: settings, a network and pixels become a `Dream`, which is run in RAM."""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.picture import Picture
from dreamlib.jobs.prepare import open_network
from dreamlib.jobs.resolve import make_job
from dreamlib.jobs.run import work
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.settings import Settings
from dreamlib.tiling.canvas import Canvas, InMemory
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.octave_loop import OctaveLoop
from dreamlib.tiling.pyramid import Stored
from dreamlib.tiling.quantize import Quantizer
from dreamlib.tiling.stepper import Stepper
from dreamlib.util.progress import Progress

EMBEDDED = "efficientnet_lite0"


def load(model=EMBEDDED, **settings):
    """Load a model, by its name or folder, on our engine: a `dreamlib.jobs.resolve.Network`."""
    return open_network(Settings(model=model, engine="torch", **settings))


def dream_of(network, pixels, **settings):
    """Resolve the dream of pixels (H, W, 3); the seed is 0 where none is given."""
    settings = {"model": str(network.published.folder), "seed": 0, **settings}
    return make_job(network, Picture(pixels), Settings(**settings), "dream.png").dream


def run(dream, rule, pixels, workers, store):
    """Run a dream of pixels in a store; gives the canvas."""
    source = Stored(Canvas.of(pixels, dream.wrap), Quantizer(rule, pixels.dtype))
    quantizer, progress = Quantizer(rule, dream.storage), Progress(*work(dream), quiet=True)
    return OctaveLoop(source, dream, quantizer, workers, store, progress).run()


def levels(network, pixels, dream, workers=InProcess):
    """Run a dream of pixels (H, W, 3) in RAM; gives float32 grey levels.

    Parameters
    ----------
    network : dreamlib.jobs.resolve.Network
    pixels : (H, W, 3) ndarray of uint8 or uint16
    dream : dreamlib.tiling.octaves.Dream
    workers : callable
        Makes those who step on tiles, given the stepper.
    """
    rule, store = Preprocessing.of(network.net), InMemory(np.dtype(dream.storage), dream.wrap)
    canvas = run(dream, rule, pixels, workers(Stepper(network.net, dream)), store)
    return Quantizer(rule, dream.storage).as_levels(canvas.array())
