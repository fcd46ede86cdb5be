"""Objectives from the command line's texts, ``--layers`` and ``--guide``, and from their spec."""

from __future__ import annotations

import math
import os
import re

from dreamlib.ascent.objectives import Objective, class_scores, l2, mean, neuron, objective_L2
from dreamlib.errors import DreamError, nearest
from dreamlib.models.layers import layer_shapes

FORMS = (
    "LAYER, LAYER:0.5, LAYER[12,47-50]:2, mean(LAYER), LAYER[12]@COLUMNxROW, with commas between "
    "them; a negative weight suppresses"
)

#: Digits of a channel or a place.
DIGITS = 9

WEIGHTS = "a number other than 0 that is finite"

_TERM = re.compile(
    r"(?P<mean>mean\()?(?P<layer>[^\s\[\]@():,]+)(\[(?P<channels>[\d,\s-]+)\])?"
    r"(@(?P<x>\d+)x(?P<y>\d+))?(?(mean)\))\s*(:\s*(?P<weight>[-+]?[\d.]+(e[-+]?\d+)?))?"
)


def objective_of(net, spec):
    """Make the objective of a spec.

    Parameters
    ----------
    net : caffe.Net
    spec : dreamlib.ascent.objectives.ObjectiveSpec

    Returns
    -------
    Objective or callable
        As `dreamlib.dream.make_step` takes it.
    """
    objective = Objective([])
    if spec.layers:
        objective += parse_layers(spec.layers, layer_shapes(net))
    if spec.guides:
        from dreamlib.ascent.guides import guide_objective

        objective += guide_objective(net, spec)
    if spec.targets:
        objective += class_scores(spec.class_layer, spec.targets)
    return objective if objective.terms else objective_L2


def parse_layers(text, shapes):
    """Read a mixture of layers.

    Parameters
    ----------
    text : str
        See `FORMS`.
    shapes : dict of str -> tuple
        Shapes (1, C, ...) of the layers that can be dreamt.

    Returns
    -------
    dreamlib.ascent.objectives.Objective

    Raises
    ------
    DreamError
        Names the part that cannot be read, the layer or the channel that is not there.
    """
    objective = None
    for part in _parts(text):
        term = _term(part, shapes)
        objective = term if objective is None else objective + term
    if objective is None:
        raise DreamError(f"--layers names no layer; expected {FORMS}")
    return objective


def parse_weights(text, flag):
    """Read names with weights, as ``NAME:WEIGHT, NAME``; a name may have colons itself.

    Parameters
    ----------
    text : str
    flag : str
        For errors.

    Returns
    -------
    list of (str, float)
        Name and weight, 1 by default.

    Raises
    ------
    DreamError
        An empty text, or a weight of 0 or that is not finite.
    """
    found = []
    for part in _parts(text):
        name, colon, weight = part.rpartition(":")
        number = _number(weight) if colon else None
        if number == 0 or (number and not math.isfinite(number)):
            raise DreamError(f"{flag}: {part!r}: the weight is {weight}; expected {WEIGHTS}")
        found.append((part, 1.0) if number is None else (name.strip(), number))
    if not found:
        raise DreamError(f"{flag} is empty; expected NAME or NAME:WEIGHT, with commas between them")
    return found


def absolute_guides(text):
    """Spell guide pictures, as ``PATH:WEIGHT, PATH``, by their absolute paths.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    guides = parse_weights(text, "--guide")
    return ", ".join(f"{os.path.abspath(path)}:{weight:g}" for path, weight in guides)


def _parts(text):
    """Split at the commas that are not within brackets."""
    parts, start, depth = [], 0, 0
    for place, letter in enumerate(text):
        depth = max(0, depth + (letter == "[") - (letter == "]"))
        if letter == "," and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    return [part for part in [*parts, text[start:].strip()] if part]


def _whole(digits):
    """Read digits as an int; a DreamError where they are too many for any layer."""
    if len(digits) > DIGITS:
        raise DreamError(f"--layers: {digits[:20]}... has {len(digits)} digits; expected a number")
    return int(digits)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _term(part, shapes):
    match = _TERM.fullmatch(part)
    weight = _number(match["weight"] or "1") if match else None
    if weight is None:
        raise DreamError(f"--layers: {part!r} cannot be read; expected {FORMS}")
    if weight == 0 or not math.isfinite(weight):
        raise DreamError(f"--layers: {part!r}: the weight is {weight:g}; expected {WEIGHTS}")
    layer = match["layer"]
    if layer not in shapes:
        raise DreamError(
            f"--layers: there is no layer {layer!r} to dream (all: --list-layers)"
            f"{nearest(layer, shapes)}"
        )
    channels = None
    if match["channels"] is not None:
        channels = parse_channels(match["channels"], layer, shapes[layer][1], "--layers")
    if match["x"]:
        if match["mean"] or channels is None or len(channels) != 1:
            raise DreamError(f"--layers: {part!r}: a neuron is LAYER[CHANNEL]@COLUMNxROW")
        return weight * neuron(layer, channels[0], _whole(match["x"]), _whole(match["y"]))
    return weight * (mean if match["mean"] else l2)(layer, channels)


def parse_channels(text, layer, count, flag):
    """Read channels, as ``12,47-50``: a list of int, each once.

    Parameters
    ----------
    text : str
    layer : str
        For errors.
    count : int
        Number of the layer's channels.
    flag : str
        For errors.

    Returns
    -------
    list of int

    Raises
    ------
    DreamError
        No such numbers, or a channel that the layer does not have.
    """
    channels = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not ends:
            raise DreamError(
                f"{flag}: channels [{text}] of {layer!r}: expected numbers and ranges, as 12,47-50"
            )
        first, last = _whole(ends[1]), _whole(ends[2] or ends[1])
        if first > last or last >= count:
            raise DreamError(
                f"{flag}: layer {layer!r} has channels 0 to {count - 1}; there is no {part.strip()}"
            )
        channels += range(first, last + 1)
    return list(dict.fromkeys(channels))
