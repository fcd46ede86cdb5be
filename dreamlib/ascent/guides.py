"""Objectives that make a layer more like a guide picture's, and how guide pictures are seen.

A style picture is seen as one, too: see `dreamlib.ascent.style`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objectives import Objective, Term, like_data
from dreamlib.ascent.style import VALUES
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import open_picture, reading_cost
from dreamlib.imaging.picture import shrunken, shrunken_size
from dreamlib.models.engines import engine_name
from dreamlib.models.input_size import (
    activations_per_pixel,
    channels_of,
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

#: Gram matrices that a style has at once, and blocks of `style.VALUES`. Of channels alone no more
#: is kept than a number for each.
GRAMS, BLOCKS = 4, 3


def as_seen(path):
    """Read a guide picture at the size at which the network sees it.

    Parameters
    ----------
    path : str

    Returns
    -------
    (H, W, 3) ndarray
        RGB, 0..255.

    Raises
    ------
    DreamError
        The picture is not there.
    """
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
    making, kept, what, kinds = 0, 0, "", set()
    for path, terms in spec.of_pictures.items():
        cost = reading_cost(path)
        pixels = min(cost.pixels, GUIDE_PIXELS)
        reading = cost.size + SHRINKING * min(cost.pixels, 4 * GUIDE_PIXELS)
        for term in terms:
            # Not all that reading took is given back before the network sees the guide.
            here = kept + reading + int(_seeing(definition, engine, term.layer) * pixels)
            if here > making:
                making, what = here, cost.what
            kinds.add(term.kind)
            if term.kind == "match":
                kept += int(4 * last_per_pixel(definition, term.layer) * pixels)
            elif term.kind == "style":
                kept += GRAMS * 4 * channels_of(definition, term.layer) ** 2
    # One term is added after the other.
    kept += MATCHING * 4 * MATCHES if "match" in kinds else 0
    kept += BLOCKS * 4 * VALUES if "style" in kinds else 0
    return GuideBytes(making, kept, what)


def _seeing(definition, engine, layer):
    """Return the bytes that a pass forward to a layer takes for each pixel of a guide."""
    if engine == "caffe":  # which keeps everything
        return 4 * CAFFE_FACTOR * activations_per_pixel(definition, layer)
    return 4 * PASSING_FACTOR * passing_per_pixel(definition, layer)


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
        wanted = like_data(theirs, data, held)
        ours = data[0].reshape(len(theirs), -1)
        target = diff[0].reshape(len(theirs), -1)
        everywhere = len(np.shape(weight)) == 0
        for start in range(0, ours.shape[1], step):
            matches = ours[:, start : start + step].T @ wanted
            here = weight if everywhere else weight.reshape(-1)[start : start + step]
            target[:, start : start + step] += here * wanted[:, matches.argmax(1)]

    return Objective([Term(layer, add, 1.0, f"{name}({layer})", steady=True)])


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
        diff[:] += weight * like_data(means, data, held)

    return Objective([Term(layer, add, 1.0, f"{name}({layer})", steady=True)])


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
    for path, terms in spec.of_pictures.items():
        picture = open_picture(path, None, "")
        size = shrunken_size(picture, _guide_side(picture))
        for term in terms:
            fault = misfit(definition, term.layer, *size)
            if fault:
                raise DreamError(
                    f"the guide picture {path} is {size[1]} x {size[0]} pixels as it is seen; "
                    f"layer {term.layer!r} {fault}. Take a larger one, or a --guide-layer nearer "
                    "to the input"
                )


def _guide_side(picture):
    """Return the longest side to which a guide picture is reduced."""
    scale = min(1, (GUIDE_PIXELS / (picture.height * picture.width)) ** 0.5)
    return max(1, int(max(picture.height, picture.width) * scale))


def features(net, layer, pixels, end=None):
    """Return a layer's activations for a picture.

    Parameters
    ----------
    net : caffe.Classifier
        Its ``data`` blob is overwritten.
    layer : str
    pixels : (H, W, 3) array_like
        RGB, 0..255.
    end : str, optional
        The layer that the net runs up to, such as one that works in place on the blob; by default
        `layer`.

    Returns
    -------
    (C, h, w) ndarray of float32
    """
    end = end or layer
    blob = net.blobs[net.inputs[0]]
    blob.reshape(1, 3, *pixels.shape[:2])
    preprocess(net, pixels, out=blob.data[0])
    if engine_name(net) == "caffe":
        net.forward(end=end)
        return net.blobs[layer].data[0].copy()
    # Without what only a way back would need: the guide is seen whole.
    net.forward_range(0, net.layer_index(end), way_back=False)
    seen = np.ascontiguousarray(net.blobs[layer].data_tensor[0].float().cpu().numpy())
    give_back_freed()
    return seen
