"""The layer types, each with its gradient beside it."""

from dreamlib.pycaffe.layers import (
    arithmetic,
    linear,
    losses,
    neurons,
    normalisation,
    pooling,
    shaping,
    sources,
)
from dreamlib.pycaffe.layers.base import LAYERS, Layer

__all__ = [
    "LAYERS",
    "Layer",
    "arithmetic",
    "linear",
    "losses",
    "neurons",
    "normalisation",
    "pooling",
    "shaping",
    "sources",
]
