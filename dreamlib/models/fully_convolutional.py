"""Networks made fully convolutional, so that their class scores work on pictures of any size.

Long, Shelhamer and Darrell, "Fully Convolutional Networks" (2015): an inner product over a map is a
convolution with a kernel as large as the map. What a network published for one input size computes
there once, it then computes at every place of a larger picture: a map of scores. At its own input
size the map has one place, and the scores are the original's.

Definitions and weights of either engine and either age (``layer``, and ``layers`` of 2014 with enum
types) are changed as the engine's own messages; stock Caffe loads the result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError, reading
from dreamlib.models.definition import weights_of
from dreamlib.models.engines import import_engine, load_layers, read_definition
from dreamlib.util.atomic_write import replacing

RECIPE = b"1"  #: goes into the key of the cache; another one for another result
PROTOTXT, WEIGHTS = "deploy.prototxt", "weights.caffemodel"


def fully_convolutional(model, engine="auto", folder=None):
    """Make a model's network fully convolutional.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    engine : {'auto', 'caffe', 'torch'}
        Whose protocol buffers read and write; the files are the same.
    folder : path, optional
        Where the files go, over those that are there. By default a cache,
        ``$XDG_CACHE_HOME/dreamlib``, where they are made once.

    Returns
    -------
    dreamlib.models.model.Model
        The same, but for network and weights. Layers and blobs keep their names, the input its
        size. Pictures must not be smaller than that: the windows would not fit.

    Raises
    ------
    DreamError
        Weights are missing, do not fit or cannot be read; an inner product that is no convolution;
        a folder that cannot be written.
    """
    model.require_weights()
    cached = folder is None
    folder = _cached(model) if cached else Path(folder)
    made = dataclasses.replace(model, prototxt=folder / PROTOTXT, weights=folder / WEIGHTS)
    if not (cached and made.has_weights):
        definition = read_definition(model, engine)
        blobs = load_layers(model, engine).blobs
        kernels = _convert_definition(definition, {one: tuple(blobs[one].shape) for one in blobs})
        weights = weights_of(model, import_engine(engine))
        _convert_weights(weights, kernels, model.weights)
        _write(made, definition, weights)
    return made


@reading()
def _cached(model):
    """Return the folder of the cache for a network and its weights."""
    key = hashlib.sha256(RECIPE + model.prototxt.read_bytes() + b"\0" + model.weights.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dreamlib" / "fully_convolutional" / key.hexdigest()[:16]


def _write(made, definition, weights):
    from google.protobuf import text_format

    files = (
        (made.weights, weights.SerializeToString()),
        (made.prototxt, text_format.MessageToString(definition).encode()),
    )
    try:
        made.prototxt.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files:  # each beside its place first: others may look, or write too
            with replacing(path) as temporary:
                Path(temporary).write_bytes(content)
    except OSError as error:
        raise DreamError(
            f"the fully convolutional network cannot be written to {made.prototxt.parent}: "
            f"{error.strerror}; make room there, or set XDG_CACHE_HOME to a folder of yours"
        ) from error


# The definition


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """The weights of a convolution that was an inner product."""

    shape: tuple  # (outputs, channels, height, width)
    transposed: bool  # whether the inner product's are stored so


def _convert_definition(definition, shapes):
    """Make the layers of a definition fit any size, in place; return {name: kernel}.

    Inner products become convolutions; the poolings of the whole map before the classifier become
    windows as large as that map, stride 1; layers that flatten maps for them pass them on. Poolings
    of the whole map elsewhere, whose result weighs another blob, pool the whole of any map.
    `shapes` are the blobs' at the network's own input size.
    """
    layers = list(definition.layer) or list(definition.layers)
    kernels = {}
    maps = {}  # blobs that were flat -> shapes of the maps that they have become
    for number, layer in enumerate(layers):
        if not layer.bottom or not layer.top or layer.bottom[0] not in shapes:
            continue  # an input, or a layer of another phase
        bottom, top = layer.bottom[0], layer.top[0]
        shape = maps.get(bottom, shapes[bottom])
        kind = _kind(layer)
        if kind == "innerproduct":
            kernels[layer.name] = kernel = _kernel(layer, shape)
            _to_convolution(layer, kernel)
            maps[top] = (shape[0], kernel.shape[0], 1, 1)
        elif kind in ("flatten", "reshape") and _is_flat(shapes.get(top, ()), shape):
            _pass_on(layer)
            maps[top] = shape
        elif kind == "pooling" and len(shape) == 4:
            _open_pooling(layer, shape, shapes[top], layers[number + 1 :])
        elif bottom in maps and len(layer.bottom) == 1 and shapes.get(top) == shapes[bottom]:
            maps[top] = maps[bottom]  # an activation function of a blob that was flat
    return kernels


def _kind(layer):
    """Return the type of a layer of either age, such as "innerproduct"."""
    kind = layer.type if isinstance(layer.type, str) else layer.LayerType.Name(layer.type)
    return kind.replace("_", "").lower()


def _retype(layer, kind):
    layer.type = kind if isinstance(layer.type, str) else layer.LayerType.Value(kind.upper())


def _kernel(layer, shape):
    param = layer.inner_product_param
    if param.axis not in (1, 1 - len(shape)):
        raise DreamError(
            f"layer {layer.name!r} is an inner product from axis {param.axis} on, which no "
            "convolution computes; expected axis 1"
        )
    return _Kernel((param.num_output, *(tuple(shape[1:]) + (1, 1))[:3]), param.transpose)


def _to_convolution(layer, kernel):
    old, new = layer.inner_product_param, layer.convolution_param
    new.num_output, _, height, width = kernel.shape
    if not old.bias_term:
        new.bias_term = False
    for filler in ("weight_filler", "bias_filler"):
        if old.HasField(filler):
            getattr(new, filler).CopyFrom(getattr(old, filler))
    if height == width:
        new.kernel_size.append(height)
    else:
        new.kernel_h, new.kernel_w = height, width
    layer.ClearField("inner_product_param")
    _retype(layer, "Convolution")


def _is_flat(shape, source):
    """Tell whether a shape is a batch of flat vectors of `source`; axes of 1 may follow."""
    count = int(np.prod(source[1:]))
    return len(shape) >= 2 and shape[1] == count and int(np.prod(shape[1:])) == count


def _pass_on(layer):
    """Make a layer the identity, under its name: Power's defaults are 1 x, to the power 1, + 0."""
    for field in ("flatten_param", "reshape_param"):
        if field in layer.DESCRIPTOR.fields_by_name:
            layer.ClearField(field)
    _retype(layer, "Power")


def _open_pooling(layer, shape, pooled, later):
    param = layer.pooling_param
    height, width = param.kernel_h or param.kernel_size, param.kernel_w or param.kernel_size
    padded = param.pad or param.pad_h or param.pad_w
    covers = height >= shape[2] and width >= shape[3] and tuple(pooled[2:]) == (1, 1) and not padded
    if not (param.global_pooling or covers):
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


def _is_head(layer, later):
    """Tell whether the layers above take nothing but this layer's result (labels excepted)."""
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


def _convert_weights(weights, kernels, path):
    """Give the weights of inner products the shape of their convolutions, in place."""
    for layer in list(weights.layer) + list(weights.layers):
        kernel = kernels.get(layer.name)
        if kernel is None or not layer.blobs:
            continue
        if _kind(layer) == "innerproduct":
            _to_convolution(layer, kernel)
        for blob, shape in zip(layer.blobs, (kernel.shape, kernel.shape[:1])):
            _reshape(blob, shape, f"{path}: layer {layer.name!r}")
        if kernel.transposed:
            _transpose(layer.blobs[0], kernel.shape[0])


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


def _transpose(blob, outputs):
    for field in ("data", "double_data"):
        values = getattr(blob, field)
        if values:
            matrix = np.array(values).reshape(-1, outputs)
            del values[:]
            values.extend(matrix.T.ravel().tolist())
