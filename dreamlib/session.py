"""One dream from file to file: everything between the settings and the written picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import engines, images
from .dream import deepdream
from .errors import DreamError
from .models import find_model, lasting_name
from .names import nearest
from .octaves import octave_sizes
from .progress import Progress
from .settings import to_toml
from .shapes import check_octaves_fit


class Result(NamedTuple):
    """What became of a dream."""

    path: Path  #: of the written picture
    settings: object  #: with everything that was left open now chosen
    device: str
    seconds: float  #: from the first step to the last
    interrupted: bool  #: whether Ctrl-C ended it early
    embedded: bool  #: whether the picture carries its settings


def run_dream(source, output, settings):
    """Dream a picture and write it.

    Parameters
    ----------
    source : str
        A picture file, or ``noise:WIDTHxHEIGHT``.
    output : str or None
        Its suffix chooses the format; None makes ``STEM_dream.png`` in the current folder.
    settings : Settings

    Returns
    -------
    Result

    Raises
    ------
    DreamError
        Before anything is dreamt, if the picture, the model, the layer or the output cannot do.
    """
    output = str(output or default_output(source))
    images.check_output(output, source)
    model = find_model(settings.model)
    end = settings.end or model.end
    seed = settings.seed
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    picture = images.load_picture(source, seed)
    net = engines.load_net(model, settings.engine, settings.gpu, settings.precision)
    settings = settings.replace(
        model=lasting_name(settings.model or model.name),
        engine=engines.engine_name(net),
        end=end or None,
        seed=seed,
    )
    check_layer(net, end, model)
    height, width = picture.pixels.shape[:2]
    sizes = octave_sizes(height, width, settings.octaves, settings.octave_scale)
    definition = engines.read_definition(model, settings.engine)
    check_octaves_fit(definition, end, sizes)

    np.random.seed(seed)
    begin = time.monotonic()
    with Progress(sizes, settings.iterations, settings.quiet) as progress:
        pixels = deepdream(
            net,
            picture.pixels,
            iter_n=settings.iterations,
            octave_n=settings.octaves,
            octave_scale=settings.octave_scale,
            end=end,
            clip=settings.clip,
            on_step=progress,
            step_size=settings.step_size,
            jitter=settings.jitter,
        )
    seconds = time.monotonic() - begin
    embedded = images.save_picture(
        output, pixels, to_toml(settings), like=picture, quality=settings.quality
    )
    device = "CPU" if settings.gpu is None else f"GPU {settings.gpu}"
    return Result(Path(output), settings, device, seconds, progress.interrupted, embedded)


def default_output(source):
    """Name the output of an input: its stem and ``_dream.png``, in the current folder."""
    stem = "noise" if str(source).startswith("noise:") else Path(source).stem
    return f"{stem}_dream.png"


#: Types that hold no activations of the picture, beside losses.
NOT_DREAMT = ("Data", "DummyData", "HDF5Data", "HDF5Output", "ImageData", "Input", "MemoryData",
              "Parameter", "Silence", "Split", "WindowData")  # fmt: skip
#: Types through which Caffe passes no gradient down: nothing from the first of them on is dreamt.
NO_GRADIENT = ("Accuracy", "ArgMax", "Threshold")
TYPICAL = ("Convolution", "Concat", "Eltwise")  # worth suggesting


def dreamable_layers(net):
    """List the layers that can be dreamt: (name, type, shape of its blob) in the net's order.

    The notebook's step wants a layer and a blob of one name, above the input, of more than one
    number, and a gradient through all layers below.
    """
    found = []
    for name, layer in zip(net._layer_names, net.layers):
        if layer.type in NO_GRADIENT:
            break
        if name in net.blobs and layer.type not in NOT_DREAMT and not layer.type.endswith("Loss"):
            shape = tuple(net.blobs[name].shape)
            if len(shape) > 1:
                found.append((name, layer.type, shape))
    return found


def check_layer(net, end, model):
    """Refuse a layer that cannot be dreamt.

    Raises
    ------
    DreamError
        Names the nearest layers, or a few.
    """
    layers = dreamable_layers(net)
    names = [name for name, _, _ in layers]
    if end in names:
        return
    if not names:
        raise DreamError(f"{model.prototxt} has no layer that can be dreamt; take another model")
    typical = [name for name, kind, _ in layers if kind in TYPICAL] or names
    if not end:
        raise DreamError(
            f"model {model.name} names no layer to dream; choose one with --end, for instance "
            f"{typical[len(typical) // 2]!r} (all: --list-layers)"
        )
    why, advice = _why_not(net, end, model)
    if advice not in names:
        spread = dict.fromkeys(typical[len(typical) * quarter // 4] for quarter in (1, 2, 3))
        some = f"; for instance {', '.join(map(repr, spread))}"
        raise DreamError(f"{why} (all: --list-layers){nearest(end, names) or some}")
    raise DreamError(f"{why}; use --end {advice}")


def _why_not(net, end, model):
    """Why a layer cannot be dreamt, and which to take instead (None where nobody knows)."""
    if end not in net._layer_names:
        return f"model {model.name} has no layer {end!r} to dream", None
    made = list(net.top_names[end])
    if made and end not in made:
        if made[0] in net.bottom_names[end]:
            return f"layer {end!r} works in place on {made[0]!r}", made[0]
        return f"layer {end!r} writes blob {made[0]!r}; a dream needs both of one name", None
    kind = net.layers[list(net._layer_names).index(end)].type
    return f"layer {end!r} ({kind}) cannot be dreamt", None
