"""From settings to the objective of a dream."""

from __future__ import annotations

import os

import numpy as np

from .dream import preprocess
from .errors import DreamError
from .layers import dreamable_layers
from .mixtures import parse_layers, parse_weights
from .names import nearest
from .objectives import channel_guide, guide, objective_L2

#: Pixels to which a guide picture is scaled down: the network sees all of it at once.
GUIDE_PIXELS = 1 << 20


def objective_of(net, settings):
    """Make the objective that settings ask for.

    Parameters
    ----------
    net : caffe.Classifier
        Run forward where there are guides.
    settings : Settings
        With `end` chosen.

    Returns
    -------
    callable or dreamlib.objectives.Objective
        As `dreamlib.dream.make_step` takes it; the notebook's where nothing else is asked for.

    Raises
    ------
    DreamError
        A layer, a channel or a guide picture is not there.
    """
    parts = []
    if settings.layers:
        parts.append(parse_layers(settings.layers, layer_shapes(net)))
    if settings.guide:
        parts += _guides(net, settings)
    if not parts:
        return objective_L2
    objective = parts[0]
    for part in parts[1:]:
        objective += part
    return objective


def settle_aims(net, settings):
    """Fill in what follows from a mixture of layers or from guides, and refuse what is not there.

    `end` becomes the deepest layer that is used: how far pictures must reach, and what memory is
    reckoned by. Guide pictures are named by their absolute paths, so that the settings can be
    repeated from anywhere.
    """
    shapes, names = layer_shapes(net), []
    if settings.guide:
        layer = settings.guide_layer or settings.end
        if layer not in shapes:
            raise DreamError(
                f"--guide-layer: there is no layer {layer!r} to dream (all: --list-layers)"
                f"{nearest(layer or '', shapes)}"
            )
        guides = parse_weights(settings.guide, "--guide")
        text = ", ".join(f"{os.path.abspath(path)}:{weight:g}" for path, weight in guides)
        settings = settings.replace(guide=text, guide_layer=layer)
        names.append(layer)
    if settings.layers:
        names += parse_layers(settings.layers, shapes).layers
    order = list(net._layer_names)
    return settings.replace(end=max(names, key=order.index)) if names else settings


def layer_shapes(net):
    """Return {layer: shape of its blob} for the layers that can be dreamt."""
    return {name: shape for name, _, shape in dreamable_layers(net)}


def _guides(net, settings):
    layer = settings.guide_layer
    kind = {"match": guide, "channels": channel_guide}[settings.guide_mode]
    return [
        weight * kind(layer, features(net, layer, _guide_pixels(path)), name=path)
        for path, weight in parse_weights(settings.guide, "--guide")
    ]


def _guide_pixels(path):
    """Read a guide picture, no larger than `GUIDE_PIXELS`: (h, w, 3) uint8 or float32."""
    from PIL import Image

    from .images import load_picture

    pixels = load_picture(path).pixels
    height, width = pixels.shape[:2]
    scale = (GUIDE_PIXELS / (height * width)) ** 0.5
    if scale < 1:
        image = Image.fromarray(np.uint8(np.clip(np.rint(pixels), 0, 255)))
        size = max(1, int(width * scale)), max(1, int(height * scale))
        pixels = np.asarray(image.resize(size, Image.BICUBIC))
    return pixels


def features(net, layer, pixels):
    """Return a layer's activations for a picture.

    Parameters
    ----------
    net : caffe.Classifier
    layer : str
    pixels : (H, W, 3) array_like
        RGB, 0..255.

    Returns
    -------
    (C, h, w) ndarray of float32
    """
    blob = net.blobs["data"]
    blob.reshape(1, 3, *pixels.shape[:2])
    preprocess(net, pixels, out=blob.data[0])
    net.forward(end=layer)
    return net.blobs[layer].data[0].copy()
