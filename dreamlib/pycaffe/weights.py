"""Values of parameters: Caffe's fillers, and caffemodels of every age."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from dreamlib.errors import CaffeError, CaffeWarning, DreamError, listed
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.util.atomic_write import replacing
from dreamlib.util.input_file import WEIGHTS_BYTES, read_bytes

#: of a BlobProto of 2014
LEGACY_AXES = ("num", "channels", "height", "width")


def read_weights(path):
    """Read the parameters of a caffemodel, binary or HDF5.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict of str -> list of ndarray
        Layer name to its parameters, float32, shaped as the file says: four axes in files of
        2014-15. Of layers of one name the last that has parameters, with a warning where several
        do.

    Raises
    ------
    CaffeError
        Missing, truncated or foreign file.
    """
    try:
        content = read_bytes(path, WEIGHTS_BYTES)
    except DreamError as error:
        raise CaffeError(f"{path}: cannot be read: {error}") from error
    hint = "fetch or copy it again"
    if content.startswith(b"\x89HDF"):
        from dreamlib.pycaffe.hdf5 import read_hdf5

        return read_hdf5(path)
    net_param = caffe_pb2.NetParameter()
    try:
        net_param.ParseFromString(content)
    except DecodeError as error:
        raise CaffeError(
            f"{path}: truncated, or not a caffemodel ({len(content)} bytes: {error}); {hint}"
        ) from error
    layers = [
        *net_param.layer,
        *(one.layer if one.HasField("layer") else one for one in net_param.layers),
    ]
    if not layers:
        raise CaffeError(f"{path}: holds no layers ({len(content)} bytes); {hint}")
    del content
    weights, twice = {}, []
    for layer in layers:
        arrays = [_array(blob, path, layer.name) for blob in layer.blobs]
        layer.ClearField("blobs")  # so that file and arrays are not held twice
        if arrays and weights.get(layer.name):
            twice.append(layer.name)
        if arrays or layer.name not in weights:
            weights[layer.name] = arrays
    if twice:
        _warn(
            f"{path}: holds parameters for {listed(dict.fromkeys(twice))} more than once; the last "
            "are taken, as Caffe does"
        )
    return weights


def _array(blob, path, layer):
    # Caffe's order: doubles before floats, four legacy axes before a shape, neither is a scalar.
    values = np.asarray(blob.double_data or blob.data, np.float32)
    if any(blob.HasField(axis) for axis in LEGACY_AXES):
        shape = tuple(getattr(blob, axis) for axis in LEGACY_AXES)
    else:
        shape = tuple(blob.shape.dim)
    if values.size != np.prod(shape, dtype=np.int64):
        raise CaffeError(
            f"{path}: layer {layer!r} has a parameter of shape {shape} with {values.size} values"
        )
    return values.reshape(shape)


def copy_weights(params, weights, source):
    """Copy parameters into the equally named layers of a net.

    Layers that only one side has are left alone, as Caffe does; where the net's are left so, a
    warning names those of both sides.

    Parameters
    ----------
    params : mapping of str -> list of Blob
        Their data is overwritten.
    weights : dict of str -> list of ndarray
    source : str
        Where the weights come from, for errors and warnings.

    Raises
    ------
    CaffeError
        A layer has another number of parameters, or another shape; nothing is copied then.
    """
    pairs = []
    for name, blobs in params.items():
        arrays = weights.get(name)
        if arrays is None:
            continue
        if len(arrays) != len(blobs):
            raise CaffeError(
                f"{source}: layer {name!r} has {len(arrays)} parameters, the net's has {len(blobs)}"
            )
        for index, (blob, array) in enumerate(zip(blobs, arrays)):
            if not _same_shape(blob.shape, array.shape):
                raise CaffeError(
                    f"{source}: parameter {index} of layer {name!r} has shape {array.shape}, "
                    f"the net's has {tuple(blob.shape)}"
                )
            pairs.append((blob, array))
    for blob, array in pairs:
        blob.data[...] = array.reshape(blob.shape)
    _warn_of_missing(params, weights, source)


def _warn_of_missing(params, weights, source):
    missing = [name for name in params if name not in weights]
    if not missing:
        return
    unused = [name for name, arrays in weights.items() if arrays and name not in params]
    others = f"; the file's layers {listed(unused)} are not the net's" if unused else ""
    _warn(
        f"{source}: has parameters for {len(params) - len(missing)} of the net's {len(params)} "
        f"layers; what was there stays in {listed(missing)}{others}"
    )


def _warn(text):
    """Warn at the line of the script that made the net or copied into it."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].startswith("dreamlib.pycaffe"):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, CaffeWarning, stacklevel=level)


def _same_shape(shape, stored):
    """Compare shapes; a legacy four-axis one may have leading ones more."""
    padded = (1,) * (4 - len(shape)) + tuple(shape)
    return tuple(shape) == stored or padded == stored


def write_weights(path, name, layers):
    """Write a binary caffemodel, atomically.

    Parameters
    ----------
    path : str
    name : str
        The net's.
    layers : iterable of (caffe_pb2.LayerParameter, list of ndarray)

    Raises
    ------
    CaffeError
        The file cannot be written; what was there before is still there.
    """
    net_param = caffe_pb2.NetParameter(name=name)
    for param, arrays in layers:
        layer = net_param.layer.add()
        layer.CopyFrom(param)
        layer.ClearField("blobs")
        for array in arrays:
            blob = layer.blobs.add()
            blob.shape.dim.extend(array.shape)
            blob.data.extend(memoryview(array.ravel()))  # thrice as fast as numpy's scalars
    try:
        with replacing(Path(path)) as temporary:
            Path(temporary).write_bytes(net_param.SerializeToString())
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written: {error.strerror or error}") from error


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
