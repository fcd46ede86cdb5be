"""Objectives that make a layer more like a guide picture's."""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.objectives import Objective, Term

#: Elements of the matrix of dot products that a guide makes at once: 64 MB of float32.
MATCHES = 1 << 24


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
