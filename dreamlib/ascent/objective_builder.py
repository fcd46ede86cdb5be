"""The objective of a dream, from plain values: a network's layers, guide pictures, classes."""

from __future__ import annotations

from dataclasses import dataclass

from dreamlib.ascent.objectives import Objective, class_scores, objective_L2
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import shrunken, shrunken_size
from dreamlib.models.input_size import misfit
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.preprocessing import preprocess

#: Pixels to which a guide picture is scaled down: the network sees all of it at once.
GUIDE_PIXELS = 1 << 20


@dataclass(frozen=True)
class ObjectiveSpec:
    """What is maximised; where nothing but `end` is given, that layer as in the notebook.

    Attributes
    ----------
    end : str
        The deepest layer that is used.
    layers : str
        A mixture: see `dreamlib.ascent.objective_parser.parse_layers`; "" is none.
    guides : tuple of (str, float)
        Paths of guide pictures, and their weights.
    guide_layer : str
    guide_mode : {'match', 'channels'}
    targets : tuple of (int, float)
        Channels of `class_layer`, and their weights.
    class_layer : str
        Blob of the class scores.
    """

    end: str
    layers: str = ""
    guides: tuple = ()
    guide_layer: str = ""
    guide_mode: str = "match"
    targets: tuple = ()
    class_layer: str = ""


def build_objective(net, spec):
    """Make the objective of a spec.

    Parameters
    ----------
    net : caffe.Classifier
        Run forward where there are guides.
    spec : ObjectiveSpec

    Returns
    -------
    callable or dreamlib.ascent.objectives.Objective
        As `dreamlib.dream.make_step` takes it.

    Raises
    ------
    DreamError
        A layer, a channel or a guide picture is not there.
    """
    objective = Objective([])
    if spec.layers:
        from dreamlib.ascent.objective_parser import parse_layers

        objective += parse_layers(spec.layers, layer_shapes(net))
    if spec.guides:
        from dreamlib.ascent.guides import channel_guide, guide

        kind = {"match": guide, "channels": channel_guide}[spec.guide_mode]
        for path, weight in spec.guides:
            seen = features(net, spec.guide_layer, _guide_pixels(path))
            objective += weight * kind(spec.guide_layer, seen, name=path)
    if spec.targets:
        objective += class_scores(spec.class_layer, spec.targets)
    return objective if objective.terms else objective_L2


def layer_shapes(net):
    """Return {layer: shape of its blob} for the layers that can be dreamt.

    Parameters
    ----------
    net : caffe.Net

    Returns
    -------
    dict of str: tuple of int
    """
    return {name: shape for name, _, shape in dreamable_layers(net)}


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


def _guide_pixels(path):
    """Read a guide picture, no larger than `GUIDE_PIXELS`: (h, w, 3) uint8."""
    picture = open_picture(path, None, "")
    return shrunken(picture, _guide_side(picture))


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
