"""Style: textures that another picture has, as the Gram matrix of a layer tells them.

The Gram matrix holds, for each two channels, the mean over all places of their product: what comes
together, wherever it is. After Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional
Neural Networks" (CVPR 2016); with a mask only its places count, as in Gatys et al., "Controlling
Perceptual Factors in Neural Style Transfer" (CVPR 2017).
"""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.objectives import Objective, Term, like_data
from dreamlib.errors import DreamError

#: Values of a layer that are gone over at once: 16 MB of float32.
VALUES = 1 << 22


def gram(features, shares=None):
    """Return the Gram matrix of a layer, by blocks of places.

    Parameters
    ----------
    features : (C, places) ndarray or tensor
    shares : (places,) ndarray or tensor of float32, optional
        Of each place in the mean, 1 all together; by default all have the same.

    Returns
    -------
    (C, C) ndarray or tensor
        Of float32, or more if the features are.
    """
    total = 0
    for block in _blocks(features):
        part = _exact(features[:, block])
        other = part / features.shape[1] if shares is None else part * shares[block]
        total = total + part @ other.T
    return total


def style(layer, features, name="style"):
    """Give a layer the Gram matrix of a style picture: its textures, wherever they are.

    With M places, G the Gram matrix of the layer and A the style's, what is maximised is
    ``-M / 4 * |G - A|**2 / |A|`` in Frobenius norms, whose gradient is ``-(G - A) F / |A|``. So it
    grows with the picture as `l2` does, and where G is off by as much as A is large the gradient is
    of the size of the layer's activations F, in every layer.

    Parameters
    ----------
    layer : str
    features : (C, h, w) ndarray of float32
        The layer's activations for the style picture.
    name : str
        In the objective's text.

    Returns
    -------
    dreamlib.ascent.objectives.Objective

    Raises
    ------
    DreamError
        Nothing is active in the layer for that picture.
    """
    wanted = gram(features.reshape(len(features), -1))
    size = float(np.linalg.norm(wanted))
    if size == 0:
        raise DreamError(
            f"nothing is active in layer {layer!r} for {name}; take another picture or layer"
        )
    held = {}  # the same on another device

    def add(data, diff, weight):
        ours = data[0].reshape(len(wanted), -1)
        target = diff[0].reshape(len(wanted), -1)
        shares = None
        if len(np.shape(weight)) == 2:  # masked
            weight = weight.reshape(-1)
            total = float(abs(weight).sum())
            if total == 0:
                return
            shares = abs(weight) / total
        off = gram(ours, shares)
        off -= like_data(wanted, off, held)
        off *= -1 / size
        for block in _blocks(ours):
            change = off @ _exact(ours[:, block])
            change *= weight if shares is None else weight[block]
            target[:, block] += change

    return Objective([Term(layer, add, 1.0, f"style({layer}, {name})", steady=True)])


def _blocks(features):
    """Yield slices of places, so many that a block has `VALUES` values."""
    step = max(1, VALUES // features.shape[0])
    for start in range(0, features.shape[1], step):
        yield slice(start, start + step)


def _exact(part):
    """Return values in float32 at least: products of halves would be too coarse to subtract."""
    return part if isinstance(part, np.ndarray) else part.float()
