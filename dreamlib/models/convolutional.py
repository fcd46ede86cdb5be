"""What `dreamlib.models.fully_convolutional` does to a network's definition and weights.

Messages of either engine and either age are changed in place.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from dreamlib.errors import DreamError

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
