"""The layer types, each with its gradient beside it."""

from . import arithmetic, linear, losses, neurons, normalisation, pooling, shaping, sources
from .base import LAYERS, Layer

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
