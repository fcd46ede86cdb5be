"""Objectives that make a layer more like a guide picture's, and how guide pictures are seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objectives import Objective, Term
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import open_picture, reading_cost
from dreamlib.imaging.picture import shrunken, shrunken_size
from dreamlib.models.engines import engine_name
from dreamlib.models.input_size import (
    activations_per_pixel,
    last_per_pixel,
    misfit,
    passing_per_pixel,
)
from dreamlib.models.preprocessing import preprocess
from dreamlib.util.memory import give_back_freed

#: Elements of the matrix of dot products that a guide makes at once: 64 MB of float32.
MATCHES = 1 << 24

#: Pixels to which a guide picture is scaled down: the network sees all of it at once.
GUIDE_PIXELS = 1 << 20

#: Matrices of that size that matching takes, with the hole that one leaves.
MATCHING = 2

#: Bytes that reducing takes for each pixel that is left of a guide before the last reduction; and
#: what a pass forward takes for each byte of the blobs that are there at once.
SHRINKING, PASSING_FACTOR, CAFFE_FACTOR = 20, 1.6, 2.5


def guide_objective(net, spec):
    """Make the objective of a spec's guide pictures.

    Parameters
    ----------
    net : caffe.Classifier
        Run forward.
    spec : dreamlib.ascent.objectives.ObjectiveSpec

    Returns
    -------
    dreamlib.ascent.objectives.Objective

    Raises
    ------
    DreamError
        A picture is not there.
    """
    kind = {"match": guide, "channels": channel_guide}[spec.guide_mode]
    objective = Objective([])
    for path, weight in spec.guides:
        seen = features(net, spec.guide_layer, _as_seen(path))
        objective += weight * kind(spec.guide_layer, seen, name=path)
    return objective


def _as_seen(path):
    """Read a guide picture at the size at which the network sees it."""
    picture = open_picture(path, None, "")
    seen = shrunken(picture, _guide_side(picture))
    del picture
    give_back_freed()
    return seen


class GuideBytes(NamedTuple):
    """What guides take in each process that computes, in bytes."""

    making: int = 0  #: at most, before there are steps
    kept: int = 0  #: beside the steps
    what: str = ""  #: the guide that takes the most


def guide_bytes(definition, engine, spec):
    """Reckon what guides take, by their headers.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
    engine : {'caffe', 'torch'}
    spec : ObjectiveSpec

    Returns
    -------
    GuideBytes
    """
    if not spec.guides:
        return GuideBytes()
    if engine == "caffe":  # which keeps everything
        per_pixel = 4 * CAFFE_FACTOR * activations_per_pixel(definition, spec.guide_layer)
    else:
        per_pixel = 4 * PASSING_FACTOR * passing_per_pixel(definition, spec.guide_layer)
    own = 4 * last_per_pixel(definition, spec.guide_layer)
    making, kept, what = 0, 0, ""
    for path, _ in spec.guides:
        cost = reading_cost(path)
        pixels = min(cost.pixels, GUIDE_PIXELS)
        reading = cost.size + SHRINKING * min(cost.pixels, 4 * GUIDE_PIXELS)
        # Not all that reading took is given back before the network sees the guide.
        here = kept + reading + int(per_pixel * pixels)
        if here > making:
            making, what = here, cost.what
        if spec.guide_mode == "match":  # of channels no more stays than a number for each
            kept += int(own * pixels)
    matching = MATCHING * 4 * MATCHES if spec.guide_mode == "match" else 0
    return GuideBytes(making, kept + matching, what)


def guide(layer, features, name="guide"):
    """Make every place of a layer more like the best matching place of a guide picture.

    As in the notebook, the gradient at a place is the guide's feature vector with the largest dot
    product with the activations there. Dot products are made for some places at a time.

    Parameters
    ----------
    layer : str
    features : (C, h, w) ndarray of float32
        The layer's activations for the guide picture.
    name : str
        Of the guide, in the objective's text.

    Returns
    -------
    dreamlib.ascent.objectives.Objective
    """
    theirs = features.reshape(len(features), -1)
    step = max(1, MATCHES // theirs.shape[1])
    held = {}  # the same on another device

    def add(data, diff, weight):
        wanted = _like(theirs, data, held)
        ours = data[0].reshape(len(theirs), -1)
        target = diff[0].reshape(len(theirs), -1)
        for start in range(0, ours.shape[1], step):
            matches = ours[:, start : start + step].T @ wanted
            target[:, start : start + step] += weight * wanted[:, matches.argmax(1)]

    return Objective([Term(layer, add, 1.0, f"{name}({layer})")])


def channel_guide(layer, features, name="channels"):
    """Excite each channel of a layer as much as a guide picture does, wherever in the picture.

    Cheaper than `guide`: only the guide's mean over each channel counts.

    Parameters
    ----------
    layer : str
    features : (C, h, w) ndarray of float32
        The layer's activations for the guide picture.
    name : str
        Of the guide, in the objective's text.

    Returns
    -------
    dreamlib.ascent.objectives.Objective
    """
    means = features.reshape(len(features), -1).mean(axis=1)[None, :, None, None]
    held = {}

    def add(data, diff, weight):
        diff[:] += weight * _like(means, data, held)

    return Objective([Term(layer, add, 1.0, f"{name}({layer})")])


def _like(array, data, held):
    """Return an array as what `data` is: an ndarray, or a tensor on its device."""
    if isinstance(data, np.ndarray):
        return array
    key = (data.device, data.dtype)
    if key not in held:
        held[key] = data.new_tensor(array)
    return held[key]


def check_guides(definition, spec):
    """Refuse guide pictures that do not reach their layer.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
    spec : ObjectiveSpec

    Raises
    ------
    DreamError
        Names the picture and its size.
    """
    for path, _ in spec.guides:
        picture = open_picture(path, None, "")
        size = shrunken_size(picture, _guide_side(picture))
        fault = misfit(definition, spec.guide_layer, *size)
        if fault:
            raise DreamError(
                f"the guide picture {path} is {size[1]} x {size[0]} pixels as it is seen; layer "
                f"{spec.guide_layer!r} {fault}. Take a larger one, or a --guide-layer nearer "
                "to the input"
            )


def _guide_side(picture):
    """Return the longest side to which a guide picture is reduced."""
    scale = min(1, (GUIDE_PIXELS / (picture.height * picture.width)) ** 0.5)
    return max(1, int(max(picture.height, picture.width) * scale))


def features(net, layer, pixels):
    """Return a layer's activations for a picture.

    Parameters
    ----------
    net : caffe.Classifier
        Its ``data`` blob is overwritten.
    layer : str
    pixels : (H, W, 3) array_like
        RGB, 0..255.

    Returns
    -------
    (C, h, w) ndarray of float32
    """
    blob = net.blobs[net.inputs[0]]
    blob.reshape(1, 3, *pixels.shape[:2])
    preprocess(net, pixels, out=blob.data[0])
    if engine_name(net) == "caffe":
        net.forward(end=layer)
        return net.blobs[layer].data[0].copy()
    # Without what only a way back would need: the guide is seen whole.
    net.forward_range(0, net.layer_index(layer), way_back=False)
    seen = np.ascontiguousarray(net.blobs[layer].data_tensor[0].float().cpu().numpy())
    give_back_freed()
    return seen
