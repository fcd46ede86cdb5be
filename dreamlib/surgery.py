"""Networks made fully convolutional, so that their class scores work on pictures of any size.

Long, Shelhamer and Darrell, "Fully Convolutional Networks" (2015): an inner product over a map is a
convolution with a kernel as large as the map. What a network published for one input size computes
there once, it then computes at every place of a larger picture: a map of scores. At its own input
size the map has one place, and the scores are the original's.

Works on definitions and weights of either engine and either age (``layer``, and ``layers`` of 2014
with enum types), as messages of the engine's own; what it writes, stock Caffe loads.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from .engines import load_layers, read_definition
from .errors import DreamError, reading

RECIPE = b"1"  #: goes into the key of the cache; another one for another result
PROTOTXT, WEIGHTS = "deploy.prototxt", "weights.caffemodel"


def fully_convolutional(model, engine="auto", folder=None):
    """Make a model's network fully convolutional.

    Parameters
    ----------
    model : dreamlib.models.Model
    engine : {'auto', 'caffe', 'torch'}
        Whose protocol buffers read and write; the files are the same.
    folder : path, optional
        Where the files go; it must exist. By default a cache, ``$XDG_CACHE_HOME/dreamlib``, where
        they are made once.

    Returns
    -------
    dreamlib.models.Model
        The same, but for network and weights. Layers, blobs and input size are called and sized as
        before. Pictures must not be smaller than the network's own input: the windows would not
        fit.

    Raises
    ------
    DreamError
        Weights are missing, do not fit or cannot be read; an inner product that is no convolution;
        a folder that cannot be written.
    """
    model.require_weights()
    with reading():
        content = model.weights.read_bytes()
        if folder is None:
            key = hashlib.sha256(RECIPE + model.prototxt.read_bytes() + b"\0" + content).hexdigest()
            folder = _cache() / key[:16]
    folder = Path(folder)
    made = dataclasses.replace(model, prototxt=folder / PROTOTXT, weights=folder / WEIGHTS)
    if not made.has_weights:
        definition = read_definition(model, engine)
        shapes = {
            name: tuple(blob.shape) for name, blob in load_layers(model, engine).blobs.items()
        }
        converted = convert_definition(definition, shapes)
        weights = _parse_weights(type(definition)(), content, model.weights)
        del content
        convert_weights(weights, converted, model.weights)
        _write(made, definition, weights)
    return made


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dreamlib" / "fully_convolutional"


def _parse_weights(message, content, path):
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise DreamError(
            f"{path}: truncated, or not a caffemodel; fetch or copy it again"
        ) from error
    return message


def _write(made, definition, weights):
    from google.protobuf import text_format

    files = (
        (made.weights, weights.SerializeToString()),
        (made.prototxt, text_format.MessageToString(definition).encode()),
    )
    try:
        made.prototxt.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files:  # each beside its place first: others may look, or write too
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
    except OSError as error:
        raise DreamError(
            f"the fully convolutional network cannot be written to {made.prototxt.parent}: "
            f"{error.strerror}; make room there, or set XDG_CACHE_HOME to a folder of yours"
        ) from error


# The definition


def convert_definition(definition, shapes):
    """Make the layers of a definition fit any size.

    Inner products become convolutions; the poolings of the whole map before the classifier become
    windows as large as that map, stride 1; what flattens maps for them passes them on. Poolings of
    the whole map elsewhere, whose result weighs another blob, pool the whole of any map.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
        Changed in place.
    shapes : dict of str -> tuple of int
        Of the blobs, at the network's own input size.

    Returns
    -------
    dict of str -> _Kernel
        The inner products by name, for `convert_weights`.

    Raises
    ------
    DreamError
        An inner product over other axes than those of a map.
    """
    layers = list(definition.layer) or list(definition.layers)
    converted = {}
    maps = {}  # blobs that were flat, as the maps that they have become
    for number, layer in enumerate(layers):
        if not layer.bottom or not layer.top or layer.bottom[0] not in shapes:
            continue  # an input, or a layer of another phase
        bottom, top = layer.bottom[0], layer.top[0]
        shape = maps.get(bottom, shapes[bottom])
        kind = _kind(layer)
        if kind == "innerproduct":
            converted[layer.name] = kernel = _kernel(layer, shape)
            _to_convolution(layer, kernel)
            maps[top] = (shape[0], kernel.outputs, 1, 1)
        elif kind in ("flatten", "reshape") and _is_flat(shapes.get(top, ()), shape):
            _pass_on(layer)
            maps[top] = shape
        elif kind == "pooling" and len(shape) == 4:
            _open_pooling(layer, shape, shapes[top], layers[number + 1 :])
        elif bottom in maps and len(layer.bottom) == 1 and shapes.get(top) == shapes[bottom]:
            maps[top] = maps[bottom]  # a neuron on what was flat
    return converted


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """The weights of a convolution that was an inner product."""

    outputs: int
    channels: int
    height: int
    width: int
    transposed: bool  # how the inner product's are stored

    @property
    def shape(self):
        return self.outputs, self.channels, self.height, self.width


def _kind(layer):
    """Type of a layer of either age, such as "innerproduct"."""
    kind = layer.type if isinstance(layer.type, str) else layer.LayerType.Name(layer.type)
    return kind.replace("_", "").lower()


def _retype(layer, kind, old_kind):
    layer.type = kind if isinstance(layer.type, str) else layer.LayerType.Value(old_kind)


def _kernel(layer, shape):
    param = layer.inner_product_param
    if param.axis not in (1, 1 - len(shape)):
        raise DreamError(
            f"layer {layer.name!r} is an inner product from axis {param.axis} on, which no "
            "convolution computes; expected axis 1"
        )
    channels, height, width = (tuple(shape[1:]) + (1, 1))[:3]
    return _Kernel(param.num_output, channels, height, width, param.transpose)


def _to_convolution(layer, kernel):
    old, new = layer.inner_product_param, layer.convolution_param
    new.num_output = kernel.outputs
    if not old.bias_term:
        new.bias_term = False
    for filler in ("weight_filler", "bias_filler"):
        if old.HasField(filler):
            getattr(new, filler).CopyFrom(getattr(old, filler))
    if kernel.height == kernel.width:
        new.kernel_size.append(kernel.height)
    else:
        new.kernel_h, new.kernel_w = kernel.height, kernel.width
    layer.ClearField("inner_product_param")
    _retype(layer, "Convolution", "CONVOLUTION")


def _is_flat(shape, source):
    """Whether `shape` is a batch of vectors, of all that `source` holds (no matter the ones)."""
    count = int(np.prod(source[1:]))
    return len(shape) >= 2 and shape[1] == count and int(np.prod(shape[1:])) == count


def _pass_on(layer):
    """Make a layer the identity, under its name: Power's defaults are 1 x, to the power 1, + 0."""
    for field in ("flatten_param", "reshape_param"):
        if any(descriptor.name == field for descriptor in layer.DESCRIPTOR.fields):
            layer.ClearField(field)
    _retype(layer, "Power", "POWER")


def _open_pooling(layer, shape, pooled, later):
    param = layer.pooling_param
    padded = param.pad or param.pad_h or param.pad_w
    whole = param.global_pooling or (tuple(pooled[2:]) == (1, 1) and not padded)
    if not whole or not _covers(param, shape):
        return
    for field in (
        *("global_pooling", "kernel_size", "kernel_h", "kernel_w"),
        *("stride", "stride_h", "stride_w"),
    ):
        param.ClearField(field)
    if not _is_head(layer, later):
        param.global_pooling = True
    elif shape[2] == shape[3]:
        param.kernel_size = shape[2]
    else:
        param.kernel_h, param.kernel_w = shape[2:]


def _covers(param, shape):
    if param.global_pooling:
        return True
    height, width = param.kernel_h or param.kernel_size, param.kernel_w or param.kernel_size
    return height >= shape[2] and width >= shape[3]


def _is_head(layer, later):
    """Whether nothing but this layer's result goes into the layers above it (labels excepted)."""
    reached = set(layer.top)
    for other in later:
        inside = [bottom in reached for bottom in other.bottom]
        if any(inside):
            judged = "loss" in _kind(other) or _kind(other) == "accuracy"
            if not all(inside) and not judged:
                return False
            reached.update(other.top)
    return True


# The weights


def convert_weights(weights, converted, path):
    """Give the weights of inner products the shape of their convolutions.

    Parameters
    ----------
    weights : caffe_pb2.NetParameter
        A caffemodel of either age, changed in place.
    converted : dict of str -> _Kernel
        From `convert_definition`.
    path : path
        Where they come from, for errors.

    Raises
    ------
    DreamError
        Weights of another number.
    """
    for layer in list(weights.layer) + list(weights.layers):
        kernel = converted.get(layer.name)
        if kernel is None or not layer.blobs:
            continue
        if _kind(layer) == "innerproduct":
            _to_convolution(layer, kernel)
        for blob, shape in zip(layer.blobs, (kernel.shape, (kernel.outputs,))):
            _reshape(blob, shape, f"{path}: layer {layer.name!r}")
        if kernel.transposed:
            _transpose(layer.blobs[0], kernel)


def _reshape(blob, shape, where):
    count = len(blob.data) or len(blob.double_data)
    if count != np.prod(shape, dtype=np.int64):
        raise DreamError(
            f"{where} has a parameter of {count} values where the network wants "
            f"{' x '.join(map(str, shape))}; take the weights that belong to this network"
        )
    for field in ("num", "channels", "height", "width", "shape"):
        blob.ClearField(field)
    blob.shape.dim.extend(shape)


def _transpose(blob, kernel):
    for field in ("data", "double_data"):
        values = getattr(blob, field)
        if values:
            matrix = np.array(values).reshape(-1, kernel.outputs)
            del values[:]
            values.extend(matrix.T.ravel().tolist())
