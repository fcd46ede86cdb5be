"""Reading a prototxt of any age, and making of it the list of layers that a net runs.

Three steps, each as Caffe does it: older forms are upgraded, layers are chosen by phase, level and
stage, and a blob that several layers read gets a Split layer, so that gradients add up.
"""

from __future__ import annotations

import contextlib
from collections import Counter

from google.protobuf import text_format

from dreamlib.errors import CaffeError, DreamError, nearest
from dreamlib.pycaffe.layers import layer_type_list
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.util.input_file import read_text
from dreamlib.util.net_layers import chooser, type_of
from dreamlib.util.prototxt_unknown import not_supported, unknown_fields, without


def load_net(path, phase, level=0, stages=(), definition=None):
    """Read a network definition, ready to be built layer by layer.

    Parameters
    ----------
    path : str
        Of the prototxt.
    phase, level, stages : {TRAIN, TEST}, int, sequence of str
        What the layers' include and exclude rules are held against.
    definition : caffe_pb2.NetParameter, optional
        The prototxt, parsed already. Not changed.

    Returns
    -------
    caffe_pb2.NetParameter

    Raises
    ------
    CaffeError
        Missing or malformed file, or layers that do not fit together; names the file.
    """
    if definition is None:
        net_param, unknown = _read(path)
    else:
        net_param, unknown = caffe_pb2.NetParameter(), []
        net_param.CopyFrom(definition)
    chosen = chooser(net_param, phase, level, stages)
    try:
        unknown = _of_chosen(unknown, net_param, chosen)
        _upgrade(net_param)
        _replace_layers(net_param, filter(chosen, net_param.layer))
        _refuse_unknown(net_param, unknown)
        _insert_splits(net_param)
        return net_param
    except CaffeError as error:
        raise CaffeError(f"{path}: {error}") from None


def _read(path):
    """Parse a file without the fields that are unknown, and return them beside it."""
    try:
        text = read_text(path, "a prototxt")
    except DreamError as error:
        raise CaffeError(f"{path}: cannot be read as a prototxt: {error}") from error
    try:
        return text_format.Parse(text, caffe_pb2.NetParameter()), []
    except RecursionError as error:
        raise CaffeError(f"{path}: its brackets are nested too deeply") from error
    except (text_format.ParseError, ValueError) as error:
        unknown = unknown_fields(text, caffe_pb2.NetParameter.DESCRIPTOR)
        with contextlib.suppress(text_format.ParseError, ValueError):
            if unknown:
                return text_format.Parse(without(text, unknown), caffe_pb2.NetParameter()), unknown
        raise CaffeError(f"{path}: not a network definition, at line:column {error}") from error


def _of_chosen(unknown, net_param, chosen):
    """Return what is unknown of the net and of layers that are chosen: (name, Unknown) each."""
    found = []
    for one in unknown:
        if not one.place:
            found.append((None, one))
            continue
        field, number = one.place
        layer = getattr(net_param, field)[number]
        if chosen(layer):
            found.append((layer.name or getattr(layer, "layer", layer).name, one))
    return found


def _refuse_unknown(net_param, unknown):
    known = layer_type_list()
    told = {name for name, one in unknown if one.path == "type"}
    types = [
        (layer.name, layer.type)
        for layer in net_param.layer
        if layer.type not in known and layer.name not in told
    ]
    if types or unknown:
        raise CaffeError(not_supported(unknown, types, known))


def _upgrade(net_param):
    """Bring a definition of any age to the present form, in place.

    ``layers`` with enum types become ``layer``, ``input`` and its shapes become an Input layer.
    """
    if net_param.layers:
        if net_param.layer:
            raise CaffeError("has both 'layer' and the older 'layers'; it must be one of them")
        net_param.layer.extend(upgrade_layers(net_param.layers))
        del net_param.layers[:]
    if net_param.input and _has_shapes(net_param):
        inputs = caffe_pb2.LayerParameter(name="input", type="Input", top=net_param.input)
        inputs.input_param.shape.extend(_input_shapes(net_param))
        _replace_layers(net_param, [inputs, *net_param.layer])
    for field in ("input", "input_shape", "input_dim"):
        net_param.ClearField(field)


def _has_shapes(net_param):
    """Tell whether inputs get shapes; without any, Caffe leaves them to an Input layer."""
    made = {top for layer in net_param.layer for top in layer.top}
    read = {bottom for layer in net_param.layer for bottom in layer.bottom}
    wanted = read.intersection(net_param.input) - made
    return bool(net_param.input_shape or net_param.input_dim or wanted)


def _input_shapes(net_param):
    inputs = len(net_param.input)
    if net_param.input_shape:
        shapes = list(net_param.input_shape)
    else:
        dims = list(net_param.input_dim)
        starts = range(0, len(dims) - 3, 4)
        shapes = [caffe_pb2.BlobShape(dim=dims[start : start + 4]) for start in starts]
    if len(shapes) < inputs:
        raise CaffeError(
            f"has {inputs} inputs and shapes for {len(shapes)}; each needs four input_dim or one "
            "input_shape"
        )
    return shapes[:inputs]  # Caffe overlooks what is too many


def upgrade_layers(layers):
    """Turn the layers of an older net, weights included, into present ones.

    Parameters
    ----------
    layers : sequence of caffe_pb2.V1LayerParameter
        Of 2014 (V1); or of 2013 (V0), each with another message in it.

    Returns
    -------
    list of caffe_pb2.LayerParameter

    Raises
    ------
    CaffeError
        Layers of both years, or unknown ones of 2013.
    """
    nested = [layer.HasField("layer") for layer in layers]
    if not any(nested):
        return [upgrade_layer(layer) for layer in layers]
    if not all(nested):
        raise CaffeError("has layers of 2013 (V0) beside those of 2014; it must be one of them")
    from dreamlib.pycaffe.v0 import upgrade_v0

    return upgrade_v0(layers)


def upgrade_layer(old):
    """Turn a V1 layer, weights included, into a present one.

    Parameters
    ----------
    old : caffe_pb2.V1LayerParameter

    Returns
    -------
    caffe_pb2.LayerParameter
    """
    new = caffe_pb2.LayerParameter(name=old.name, type=type_of(old))
    for field, value in old.ListFields():
        if field.name in ("bottom", "top", "include", "exclude", "blobs", "loss_weight"):
            getattr(new, field.name).extend(value)
        elif field.name.endswith("_param"):
            getattr(new, field.name).CopyFrom(value)
    specs = max(len(old.param), len(old.blobs_lr), len(old.weight_decay))
    for index in range(specs):
        spec = new.param.add()
        if index < len(old.param):
            spec.name = old.param[index]
        if index < len(old.blobs_lr):
            spec.lr_mult = old.blobs_lr[index]
        if index < len(old.weight_decay):
            spec.decay_mult = old.weight_decay[index]
    return new


def _replace_layers(net_param, layers):
    layers = list(layers)
    del net_param.layer[:]
    net_param.layer.extend(layers)


def _insert_splits(net_param):
    """Give each reader of a blob a blob of its own, where there are several; in place.

    A blob's use in the loss counts as a reading. Names are Caffe's:
    ``{blob}_{layer}_{top index}_split``, its tops with ``_0``, ``_1``... behind.
    """
    readers, losses = _count_readers(net_param)
    layers = []
    producer = {}  # blob -> (position of the layer, top index) that wrote it last
    split_names = {}  # of a blob as a layer left it
    used = Counter()  # how many of a split's tops are given away
    for position, layer in enumerate(net_param.layer):
        layers.append(layer)
        for index, blob in enumerate(layer.bottom):
            source = producer[blob]
            if readers[blob, source] > 1:
                layer.bottom[index] = f"{split_names[blob, source]}_{used[blob, source]}"
                used[blob, source] += 1
        for index, blob in enumerate(layer.top):
            producer[blob] = source = (position, index)
            count = readers[blob, source]
            if count > 1:
                name = split_names[blob, source] = f"{blob}_{layer.name}_{index}_split"
                tops = [f"{name}_{number}" for number in range(count)]
                split = caffe_pb2.LayerParameter(name=name, type="Split", bottom=[blob], top=tops)
                layers.append(split)
                weight = losses.get((blob, source))
                if weight:
                    layer.ClearField("loss_weight")
                    split.loss_weight.extend([weight] + [0] * (count - 1))
                    used[blob, source] += 1
    _replace_layers(net_param, layers)


def _count_readers(net_param):
    """Count who reads each blob as each layer left it; refuse blobs without one maker."""
    producer, readers, losses = {}, Counter(), {}
    for position, layer in enumerate(net_param.layer):
        for index, blob in enumerate(layer.bottom):
            if blob not in producer:
                raise CaffeError(
                    f"layer {layer.name!r}: bottom {index} is blob {blob!r}, which no layer before "
                    f"it makes{nearest(blob, producer)}"
                )
            readers[blob, producer[blob]] += 1
        for index, blob in enumerate(layer.top):
            in_place = index < len(layer.bottom) and layer.bottom[index] == blob
            if blob in producer and not in_place:
                raise CaffeError(
                    f"layer {layer.name!r}: top {index} is blob {blob!r}, which layer "
                    f"{net_param.layer[producer[blob][0]].name!r} makes already"
                )
            producer[blob] = (position, index)
        for blob, weight in zip(layer.top, layer.loss_weight):
            if weight:
                losses[blob, producer[blob]] = weight
                readers[blob, producer[blob]] += 1
    return readers, losses
