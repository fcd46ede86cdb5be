"""The part of a network that an engine can build: what stands above an unknown layer is left out.

Most networks of forks have their strange layers near the end, where nobody dreams.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from typing import NamedTuple

from dreamlib.util.net_layers import chooser, type_of
from dreamlib.util.prototxt_unknown import DATA_FILES

TEST = 1  # as in every Caffe; an engine must not be imported for it


class LeftOut(NamedTuple):
    """What was left out of a network, and why."""

    fields: list  #: (name of the layer or None, `dreamlib.util.prototxt_unknown.Unknown`)
    types: list  #: (name, type) of the layers whose type is unknown
    modules: list  #: (name, Python module) of the layers whose module is not there
    layers: dict  #: name of each layer left out -> the unknown one that it needs, or its own name
    former: dict  #: former names of blobs -> the layer's: from `name_blobs_by_layers`


def leave_out(definition, unknown, known, replaced=None):
    """Leave out of a definition, in place, what an engine cannot build in phase TEST.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
        Of any engine, with layers of either age.
    unknown : list of dreamlib.util.prototxt_unknown.Unknown
        That the text had beside it.
    known : collection of str
        Types of layers that the engine has. Those that read files of training data do not count.
    replaced : int, optional
        The layer in whose place an input stands: from `input_of_training`.

    Returns
    -------
    LeftOut
    """
    field = "layers" if definition.layers else "layer"
    layers = list(getattr(definition, field))
    strange = {}  # number of a layer -> what is unknown in it
    for one in unknown:
        if one.place:
            strange.setdefault(one.place[1], []).append(one)
    out = LeftOut([(None, one) for one in unknown if not one.place], [], [], {}, {})
    lacking = {}  # blob that cannot be made -> name of the layer that is unknown
    kept, chosen = [], chooser(definition, TEST)
    for number, layer in enumerate(layers):
        if number == replaced:
            lacking.update(dict.fromkeys(layer.top[1:], layer.name))
        if number == replaced or not chosen(layer):
            continue
        culprit = next((lacking[name] for name in layer.bottom if name in lacking), None)
        fields = strange.get(number, [])
        told = any(one.path == "type" for one in fields)
        kind = type_of(layer)
        odd_type = not told and (kind not in known or kind in DATA_FILES)
        module = _missing_module(layer)
        if fields or odd_type or module:
            out.fields.extend((layer.name, one) for one in fields)
            if odd_type:
                out.types.append((layer.name, kind))
            if module:
                out.modules.append((layer.name, module))
            culprit = culprit or layer.name
        if culprit:
            out.layers[layer.name] = culprit
            lacking.update(dict.fromkeys(layer.top, culprit))
        else:
            kept.append(layer)
            for name in layer.top:
                lacking.pop(name, None)
    copies = [type(layer).FromString(layer.SerializeToString()) for layer in kept]
    definition.ClearField(field)
    getattr(definition, field).extend(copies)
    return out


def _missing_module(layer):
    """Return the module that a layer is written in, in Python, where it is not there; else ""."""
    module = layer.python_param.module if type_of(layer) == "Python" else ""
    return module if module and importlib.util.find_spec(module.split(".")[0]) is None else ""


def input_of_training(definition):
    """Declare an input for the training data that a network reads, in place.

    Nothing changes where there is an input, or where the data's size is not in the definition.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter

    Returns
    -------
    int or None
        The number of the layer in whose place the input is, among the definition's layers.
    """
    if definition.input or any(layer.type == "Input" for layer in definition.layer):
        return None
    field = "layers" if definition.layers else "layer"
    layers, chosen = list(getattr(definition, field)), chooser(definition, TEST)
    for number, layer in enumerate(layers):
        shape = _shape_of(layer) if layer.top and chosen(layer) else None
        if shape is not None:
            definition.input.append(layer.top[0])
            definition.input_shape.add(dim=shape)
            return number
    return None


def name_blobs_by_layers(definition):
    """Call each blob as the one layer that makes it is called, in place: a dream names both.

    Fine-tuned networks have new layers with the old blobs. Only names of blobs change, by which no
    weights are found.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
        As `leave_out` leaves it.

    Returns
    -------
    dict of str -> str
        Former names of blobs, each with that of the layer.
    """
    layers = [*definition.layer, *definition.layers]
    count = Counter(layer.name for layer in layers)
    blobs = {*definition.input, *(top for layer in layers for top in layer.top)}
    renamed, former = {}, {}
    for layer in layers:
        bottoms = list(layer.bottom)
        layer.bottom[:] = [renamed.get(name, name) for name in bottoms]
        for index, name in enumerate(layer.top):
            if name in bottoms:  # in place
                layer.top[index] = renamed.get(name, name)
                continue
            renamed.pop(name, None)
            alone = len(layer.top) == 1 and bottoms and count[layer.name] == 1
            if alone and name not in count and layer.name not in blobs:
                layer.top[index] = renamed[name] = layer.name
                former.setdefault(name, layer.name)
    return former


def training_layer(definition):
    """Return name and type of the first layer that reads training data; None without one.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter

    Returns
    -------
    (str, str) or None
    """
    layers = [*definition.layer, *definition.layers]
    found = [(layer.name, type_of(layer)) for layer in layers if type_of(layer) in DATA_FILES]
    return found[0] if found else None


def _shape_of(layer):
    """Return the (N, C, H, W) that a layer of training data makes, of one picture; None unsaid."""
    kind = type_of(layer)
    if kind == "MemoryData":
        param = layer.memory_data_param
        size = param.height, param.width
    elif kind == "DummyData":
        param = layer.dummy_data_param
        dims = list(param.shape[0].dim) if param.shape else []
        if not dims and param.height and param.width:
            dims = [1, param.channels[0], param.height[0], param.width[0]]
        return [1, *dims[1:]] if len(dims) == 4 and dims[1] == 3 else None
    elif kind in DATA_FILES and kind != "HDF5Data":
        crop = layer.transform_param.crop_size or _old_crop(layer, kind)
        size = crop, crop
        if kind == "ImageData" and not crop:
            size = layer.image_data_param.new_height, layer.image_data_param.new_width
    else:
        return None
    return [1, 3, *size] if all(size) else None


def _old_crop(layer, kind):
    """Return the size of the crop where the files of 2013 had it."""
    param = {
        "Data": "data_param",
        "ImageData": "image_data_param",
        "WindowData": "window_data_param",
    }
    return getattr(layer, param[kind]).crop_size
