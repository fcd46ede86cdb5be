"""From settings to the objective of a dream."""

from __future__ import annotations

import os

import numpy as np

from dreamlib.ascent.objective_parser import absolute_guides, parse_layers, parse_weights
from dreamlib.ascent.objectives import (
    Objective,
    channel_guide,
    class_scores,
    guide,
    l2,
    objective_L2,
)
from dreamlib.errors import DreamError, nearest
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import shrunken, shrunken_size
from dreamlib.models.input_size import misfit
from dreamlib.models.labels import parse_targets
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.preprocessing import preprocess

#: Pixels to which a guide picture is scaled down: the network sees all of it at once.
GUIDE_PIXELS = 1 << 20


def network_of(model, settings, engine):
    """Return the model that runs: its classifier is made to fit any size where classes are dreamt.

    Parameters
    ----------
    model : dreamlib.models.zoo.Model
    settings : Settings
        With `script` chosen; its windows have the network's own size.
    engine : {'auto', 'caffe', 'torch'}

    Returns
    -------
    dreamlib.models.zoo.Model
    """
    windows = settings.script and settings.schedule != "whole"
    if not settings.target or windows:
        return model
    from dreamlib.models.fully_convolutional import fully_convolutional

    return fully_convolutional(model, engine)


def objective_of(net, model, settings):
    """Make the objective that settings ask for.

    Parameters
    ----------
    net : caffe.Classifier
        Run forward where there are guides.
    model : dreamlib.models.zoo.Model
    settings : Settings
        As `settle_aims` returns them.

    Returns
    -------
    callable or dreamlib.ascent.objectives.Objective
        As `dreamlib.dream.make_step` takes it; the notebook's where nothing else is asked for.

    Raises
    ------
    DreamError
        A layer, a channel or a guide picture is not there.
    """
    objective = _mixture(net, settings)
    if settings.target:
        objective += class_scores(model.class_layer, targets_of(settings))
    return objective if objective.terms else objective_L2


def aim_of(net, model, settings):
    """Make the objectives that settings ask for of an octave script.

    Parameters and errors are those of `objective_of`.

    Returns
    -------
    callable
        Given an octave's layer, its objective: the targets are channels of that layer; without
        targets, and a mixture or a guide, all of it is dreamt.
    """
    mixture = _mixture(net, settings)
    targets = targets_of(settings)

    def aim(layer):
        if targets:
            return class_scores(layer, targets) + mixture
        return mixture if mixture.terms else l2(layer)

    return aim


def _mixture(net, settings):
    """Return what --layers and --guide ask for; an `Objective` without terms if nothing."""
    objective = Objective([])
    if settings.layers:
        objective += parse_layers(settings.layers, layer_shapes(net))
    if settings.guide:
        for part in _guides(net, settings):
            objective += part
    return objective


def targets_of(settings):
    """Return the classes of settings that `settle_aims` has seen to: a list of (int, float)."""
    return parse_targets(settings.target, [], None) if settings.target else []


def settle_aims(net, model, settings):
    """Fill in what follows from targets, layers or guides, and refuse what is not there.

    `end` becomes the deepest layer that is used: how far pictures must reach, and what memory is
    reckoned by. Targets become numbers, and guide pictures are named by their absolute paths, so
    that the settings can be repeated from anywhere.
    """
    shapes, names = layer_shapes(net), []
    if settings.target:
        settings = settings.replace(target=_settled_targets(shapes, model, settings))
        names.append(model.class_layer)
    if settings.guide:
        layer = settings.guide_layer or settings.end
        if layer not in shapes:
            raise DreamError(
                f"--guide-layer: there is no layer {layer!r} to dream (all: --list-layers)"
                f"{nearest(layer or '', shapes)}"
            )
        settings = settings.replace(guide=absolute_guides(settings.guide), guide_layer=layer)
        names.append(layer)
    if settings.layers:
        names += parse_layers(settings.layers, shapes).layers
    order = list(net._layer_names)
    return settings.replace(end=max(names, key=order.index)) if names else settings


def _settled_targets(shapes, model, settings):
    """Return the targets as numbers and weights, which need no labels and draw nothing."""
    if model.class_layer not in shapes:
        raise DreamError(
            f"--target: model {model.name} names no layer of class scores that it has; write "
            "class_layer = LAYER, the one before the softmax, into its model.toml, or take another "
            "--model"
        )
    text = numbered_targets(settings.target, model, settings.seed)
    classes = shapes[model.class_layer][1]
    for index, _ in parse_targets(text, [], None):
        if index >= classes:
            raise DreamError(f"--target: there is no class {index}; expected 0 to {classes - 1}")
    return text


def numbered_targets(text, model, seed):
    """Write targets as numbers and weights; a random one is drawn by the seed."""
    targets = parse_targets(text, labels_of(model), np.random.RandomState(seed))
    return ", ".join(str(i) if weight == 1 else f"{i}:{weight:.9g}" for i, weight in targets)


def describe(model, settings):
    """Say in a few words what was dreamt."""
    if settings.script and not (settings.target or settings.layers or settings.guide):
        return f"script {os.path.basename(settings.script)} of {model.name}"
    if not settings.target:
        return f"layer {settings.end} of {model.name}"
    names = labels_of(model)
    targets = [
        f"{index}{f' ({names[index]})' if names else ''}" for index, _ in targets_of(settings)
    ]
    return f"class {' and '.join(targets)} of {model.name}"


def labels_of(model):
    """Return the model's class names; none where it has none."""
    return model.read_labels() if model.labels and model.labels.is_file() else []


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


def check_guides(definition, settings):
    """Refuse guide pictures that do not reach their layer.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
    settings : Settings
        As `settle_aims` returns them.

    Raises
    ------
    DreamError
        Names the picture and its size.
    """
    for path, _ in parse_weights(settings.guide, "--guide"):
        picture = open_picture(path, None, "")
        size = shrunken_size(picture, _guide_side(picture))
        fault = misfit(definition, settings.guide_layer, *size)
        if fault:
            raise DreamError(
                f"the guide picture {path} is {size[1]} x {size[0]} pixels as it is seen; layer "
                f"{settings.guide_layer!r} {fault}. Take a larger one, or a --guide-layer nearer "
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
