"""Initial values of parameters: Caffe's fillers."""

from __future__ import annotations

import math

import numpy as np

from dreamlib.errors import CaffeError
from dreamlib.pycaffe.proto import caffe_pb2


def fill(array, filler, random):
    """Fill an array as a prototxt's filler says.

    Parameters
    ----------
    array : ndarray of float32
        Overwritten. The first axis counts outputs, the others the inputs of each.
    filler : caffe_pb2.FillerParameter
    random : numpy.random.RandomState

    Raises
    ------
    CaffeError
        Unknown filler, or one that does not suit the shape.
    """
    if filler.type not in FILLERS:
        raise CaffeError(f"filler type {filler.type!r} is none of {', '.join(sorted(FILLERS))}")
    array[...] = FILLERS[filler.type](array.shape, filler, random)


def _constant(shape, filler, random):
    return filler.value


def _uniform(shape, filler, random):
    return random.uniform(filler.min, filler.max, shape)


def _gaussian(shape, filler, random):
    values = random.normal(filler.mean, filler.std, shape)
    if filler.sparse >= 0:  # the number of non-zero inputs of each output, on average
        values *= random.random_sample(shape) < filler.sparse / shape[0]
    return values


def _positive_unitball(shape, filler, random):
    values = random.random_sample(shape)
    axes = tuple(range(1, len(shape)))
    return values / values.sum(axes, keepdims=True)


def _fan(shape, filler):
    """Return the number that the variance is divided by."""
    count = math.prod(shape)
    fan_in = count / shape[0]
    fan_out = count / shape[1] if len(shape) > 1 else count
    return {
        caffe_pb2.FillerParameter.FAN_IN: fan_in,
        caffe_pb2.FillerParameter.FAN_OUT: fan_out,
        caffe_pb2.FillerParameter.AVERAGE: (fan_in + fan_out) / 2,
    }[filler.variance_norm]


def _xavier(shape, filler, random):
    limit = math.sqrt(3 / _fan(shape, filler))
    return random.uniform(-limit, limit, shape)


def _msra(shape, filler, random):
    return random.normal(0, math.sqrt(2 / _fan(shape, filler)), shape)


def _bilinear(shape, filler, random):
    if len(shape) != 4 or shape[2] != shape[3]:
        raise CaffeError(f"the bilinear filler needs a square 4-axis kernel, got shape {shape}")
    side = shape[3]
    factor = math.ceil(side / 2)
    centre = (side - 1) / (2 * factor)
    weights = 1 - np.abs(np.arange(side) / factor - centre)
    return weights[:, None] * weights


FILLERS = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
