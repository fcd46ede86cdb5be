"""Objectives that make a layer more like a guide picture's, and how guide pictures are seen."""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.objectives import Objective, Term
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import shrunken, shrunken_size
from dreamlib.models.input_size import misfit
from dreamlib.models.preprocessing import preprocess

#: Elements of the matrix of dot products that a guide makes at once: 64 MB of float32.
MATCHES = 1 << 24

#: Pixels to which a guide picture is scaled down: the network sees all of it at once.
GUIDE_PIXELS = 1 << 20


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
        picture = open_picture(path, None, "")
        seen = features(net, spec.guide_layer, shrunken(picture, _guide_side(picture)))
        objective += weight * kind(spec.guide_layer, seen, name=path)
    return objective


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
    blob = net.blobs["data"]
    blob.reshape(1, 3, *pixels.shape[:2])
    preprocess(net, pixels, out=blob.data[0])
    net.forward(end=layer)
    return net.blobs[layer].data[0].copy()
