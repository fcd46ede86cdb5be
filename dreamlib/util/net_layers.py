"""Layers of a network's definition, of any age and any engine: their types, and their rules."""

from __future__ import annotations

from dreamlib.errors import CaffeError

#: V1 types whose present name is not the enum's with capitals: CONVOLUTION -> Convolution.
_IRREGULAR = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


def type_of(layer):
    """Return the present name of a layer's type: "InnerProduct".

    Parameters
    ----------
    layer : caffe_pb2.LayerParameter or caffe_pb2.V1LayerParameter

    Returns
    -------
    str
    """
    if isinstance(layer.type, str):
        return layer.type
    name = layer.LayerType.Name(layer.type)
    return _IRREGULAR.get(name, "".join(word.capitalize() for word in name.split("_")))


def chooser(net_param, phase, level=0, stages=()):
    """Return what tells whether a layer's rules choose it in a phase, level and stage.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
        Stages that it names in ``state`` hold beside the given ones; its phase and level do not.
    phase, level, stages : {TRAIN, TEST}, int, sequence of str

    Returns
    -------
    callable
        Given a layer of either age. Raises a `CaffeError` where it has rules of both kinds.
    """
    stages = {*net_param.state.stage, *stages}

    def meets(rule):
        return (
            (not rule.HasField("phase") or rule.phase == phase)
            and (not rule.HasField("min_level") or level >= rule.min_level)
            and (not rule.HasField("max_level") or level <= rule.max_level)
            and all(stage in stages for stage in rule.stage)
            and not any(stage in stages for stage in rule.not_stage)
        )

    def chosen(layer):
        if layer.include and layer.exclude:
            raise CaffeError(f"layer {layer.name!r} has both include and exclude rules")
        included = not layer.include or any(meets(rule) for rule in layer.include)
        return included and not any(meets(rule) for rule in layer.exclude)

    return chosen
