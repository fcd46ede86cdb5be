"""Drawings: dreams by an octave script, from settings to the dreamt canvas.

`dreamlib.tiling.deepdraw` draws; here is what the command settles before and what stands around it.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dreamlib.ascent.objective_builder import aim_of, targets_of
from dreamlib.errors import DreamError
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.settings import BY_NAME
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.deepdraw import (
    Sketch,
    check_layers,
    deepdraw,
    drawing_sizes,
    grey_noise,
    windows_of,
)
from dreamlib.tiling.memory_plan import LARGEST_WHOLE, Demand, memory_budget, network_bytes
from dreamlib.tiling.preview import Preview
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.work_folder import SKETCH
from dreamlib.util.atomic_write import written_whole

#: The presets that a class is drawn by where no script is named: from noise, into a photograph.
FROM_NOISE, INTO_PICTURE = "draw", "photograph"

#: Settings of dreams by octaves, and what a script has instead or has not.
BY_OCTAVES = ("iterations", "octaves", "octave_scale", "step_size", "jitter", "tile_size",
              "overlap", "wrap", "tile_steps", "storage", "region", "devices",
              "pull_base")  # fmt: skip

#: Bytes that a drawing holds for each pixel: the picture and its larger self, the undreamt picture
#: under it where that is kept sharp, and the source.
PICTURES, KEPT, SOURCE = 24, 12, 12

#: A drawing from noise is made at least so many times as large as the network's input, and reduced
#: to the size that is wanted: else objects cling to the borders, which every window sees.
ROOM = 1.43

#: Seconds between two records of a drawing in its work folder.
CHECKPOINT = 60

#: Grey levels of RGB, as they are.
LEVELS = Preprocessing((0, 1, 2), np.zeros(3, np.float32), np.float32(1))


def settle_script(settings, noise, pixels):
    """Choose the script where a class is dreamt and nothing speaks for octaves.

    Parameters
    ----------
    settings : Settings
    noise : bool
        Whether the picture is made of noise.
    pixels : int
        Of the picture.

    Returns
    -------
    Settings
        Its `script` is None for dreams by octaves.

    Raises
    ------
    DreamError
        A script, and flags that mean nothing to it.
    """
    changed = [name for name in BY_OCTAVES if getattr(settings, name) != BY_NAME[name].default]
    if settings.script is None:
        open_way = settings.schedule is None and not changed and pixels <= LARGEST_WHOLE
        if not settings.target or not open_way:
            return settings
        return settings.replace(script=FROM_NOISE if noise else INTO_PICTURE)
    if settings.schedule not in (None, "random", "whole"):
        raise DreamError(
            f"--script draws by random windows, or with --schedule whole; it was asked for by "
            f"{settings.schedule}. Leave --schedule out, or dream by octaves without --script"
        )
    if changed:
        flags = ", ".join(BY_NAME[name].flag for name in changed)
        raise DreamError(
            f"--script has its own octaves, steps and windows, for which {flags} mean nothing; "
            "leave them out, or write an octave script of yours (docs/usage.md)"
        )
    if settings.mask_on != "result":
        raise DreamError("with --script a mask scales the result alone; leave --mask-on out")
    return settings


def octave_flags(settings):
    """List the flags that were given and by which a class is dreamt by octaves."""
    names = [name for name in (*BY_OCTAVES, "schedule") if name in settings.given]
    return [BY_NAME[name].flag for name in names]


def layer_of(settings, model):
    """Return the layer of octaves that name none."""
    return model.class_layer if settings.target else settings.end


def prepare_drawing(net, model, definition, settings, script, size, keep, base):
    """Settle sizes and memory of a drawing, or refuse it.

    Parameters
    ----------
    net : caffe.Classifier
    model : dreamlib.models.zoo.Model
    definition : caffe_pb2.NetParameter
    settings : Settings
    script : list of dreamlib.ascent.octave_script.Octave
    size : (height, width)
        Of the picture.
    keep : bool
        Whether the picture is to stay sharp.
    base : int
        Resident memory of this process, in bytes.

    Returns
    -------
    list of (height, width), dreamlib.tiling.memory_plan.Demand

    Raises
    ------
    DreamError
        The picture is too large for the memory, or a layer is not there.
    """
    window = tuple(int(side) for side in net.crop_dims)
    size = _enlarged(size, window, 1 if keep else ROOM)
    check_layers(net, script, layer_of(settings, model))
    _check_targets(net, script, model.class_layer, targets_of(settings))
    pixels = size[0] * size[1]
    seen = pixels if settings.schedule == "whole" else window[0] * window[1]
    demand = Demand(
        network_bytes(definition, settings.end, settings.engine, seen),
        pixels * (PICTURES + SOURCE + KEPT * keep), base, True,
    )  # fmt: skip
    if demand.ram > memory_budget(settings, base):
        raise DreamError(
            f"drawing {size[1]} x {size[0]} pixels takes {demand.ram / (1 << 30):.2f}G of memory; "
            f"allow --memory {-(-demand.ram // (1 << 20))}M, or dream the class by tiles: "
            "--schedule shift without --script"
        )
    return drawing_sizes(size, script, window), demand


def _check_targets(net, script, class_layer, targets):
    """Refuse targets that are no channels of an octave's layer."""
    for number, octave in enumerate(script, 1):
        layer = octave.layer or class_layer
        for index, _ in targets:
            channels = net.blobs[layer].shape[1]
            if index >= channels:
                raise DreamError(
                    f"octave {number} of the script draws channels of layer {layer!r}, which are 0 "
                    f"to {channels - 1}: there is no {index} for --target; take another number, or "
                    "leave layer out of the script to draw classes"
                )


def _enlarged(size, window, room):
    """Enlarge a (height, width) until `room` windows fit in both directions."""
    scale = max(1, *(room * least / side for side, least in zip(size, window)))
    return tuple(round(scale * side) for side in size)


def work(job):
    """Return what `dreamlib.util.progress.Progress` counts: sizes of windows, number of each."""
    window = tuple(int(side) for side in job.net.crop_dims)
    seen = [size if job.settings.schedule == "whole" else window for size in job.sizes]
    counts = [windows_of(*one) for one in zip(job.script, job.sizes, seen)]
    return seen, counts


def draw(job, source, looks, progress):
    """Draw a job's picture.

    Parameters
    ----------
    job : dreamlib.jobs.prepare.Job
        With a script.
    source : dreamlib.imaging.resample.Stored
        The undreamt picture.
    looks : dreamlib.ascent.regularizers.Looks
    progress : dreamlib.util.progress.Progress

    Returns
    -------
    dreamlib.tiling.canvas.Canvas, dreamlib.tiling.quantize.Encoding
        Of grey levels as float32.
    """
    settings = job.settings
    size, drawn_size = job.frames[-1][2:], job.sizes[-1]
    pixels = source.canvas.array()
    if pixels.dtype == np.uint16:
        pixels = np.float32(pixels)
        pixels /= 257
    undreamt = pixels
    if drawn_size != size and job.keep:
        undreamt = _resized(pixels, drawn_size)
    elif drawn_size != size:
        noise = grey_noise(*drawn_size, settings.seed)
        undreamt = np.concatenate([rows for _, rows in noise.strips(drawn_size[0])])
    rule = Preprocessing.of(job.net)

    def shape(gradient, image):
        return looks.on_gradient(gradient, image, rule)

    np.random.seed(settings.seed)
    keeper = Keeper(job.folder.path) if job.folder else None
    preview = None
    if settings.preview:
        encoding = Encoding(rule, np.float32)
        preview = Preview(job.output, settings.preview, encoding, progress.say)
    sketch = keeper and keeper.load()
    if sketch:
        progress.skip(_steps_before(job, sketch))

    def on_sketch(make, last):
        if keeper:
            keeper(make, last)
        if preview and preview.due():
            octave, _, image, _ = make()
            channels = [rule.order.index(channel) for channel in range(3)]
            preview(Canvas.of(image[channels].transpose(1, 2, 0)), octave)

    drawn = deepdraw(
        job.net, undreamt, job.script, aim_of(job.net, job.model, settings),
        layer_of(settings, job.model), settings.schedule == "whole", job.keep, settings.clip,
        progress, shape if looks.on_steps else None, sketch, on_sketch,
    )  # fmt: skip
    if drawn_size != size and job.keep:
        drawn -= undreamt
        drawn = _resized(drawn, size)
        drawn += pixels
    elif drawn_size != size:
        drawn = _resized(drawn, size)
    if settings.clip:
        np.clip(drawn, 0, 255, out=drawn)
    return Canvas.of(drawn), Encoding(LEVELS, np.float32)


class Keeper:
    """Keeps a drawing's `Sketch` in a work folder: every `CHECKPOINT` seconds, and at an early end.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder):
        self._path = Path(folder) / SKETCH
        self._kept = time.monotonic()

    def __call__(self, make, last):
        if not last and time.monotonic() - self._kept < CHECKPOINT:
            return
        sketch = make()
        _, keys, *rest = sketch.random
        with written_whole(self._path) as temporary:
            np.savez(
                temporary, octave=sketch.octave, steps=sketch.steps, image=sketch.image, keys=keys,
                rest=rest,
            )  # fmt: skip
        self._kept = time.monotonic()

    def load(self):
        """Return the sketch that was kept; None where there is none."""
        if not self._path.exists():
            return None
        with np.load(self._path) as held:
            place, has_gauss, gauss = held["rest"]
            random = ("MT19937", held["keys"], int(place), int(has_gauss), float(gauss))
            return Sketch(int(held["octave"]), int(held["steps"]), held["image"], random)


def _steps_before(job, sketch):
    """Count the pixel-steps that a drawing to be gone on with has made."""
    seen, counts = work(job)
    made = [*counts[: sketch.octave], sketch.steps]
    return sum(height * width * count for (height, width), count in zip(seen, made))


def _resized(pixels, size):
    """Resample pixels (H, W, 3) to a (height, width): an ndarray of float32."""
    from PIL import Image

    planes = (Image.fromarray(np.float32(pixels[..., channel])) for channel in range(3))
    return np.stack([plane.resize(size[::-1], Image.BICUBIC) for plane in planes], axis=2)
