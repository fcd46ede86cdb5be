"""Layers of a network that can be dreamt, and refusals of the others."""

from __future__ import annotations

from dreamlib.errors import DreamError, nearest
from dreamlib.models.zoo import models_with

#: Types without activations of the picture, beside losses.
NOT_DREAMT = ("Data", "DummyData", "HDF5Data", "HDF5Output", "ImageData", "Input", "MemoryData",
              "Parameter", "Silence", "Split", "WindowData")  # fmt: skip
#: Types through which Caffe passes no gradient down: from the first of them on no layer is dreamt.
NO_GRADIENT = ("Accuracy", "ArgMax", "Embed", "Threshold")
TYPICAL = ("Convolution", "Concat", "Eltwise")  # worth suggesting


def dreamable_layers(net):
    """List the layers that can be dreamt, in the net's order.

    The notebook's step needs a layer and a blob of one name, above the input, of more than one
    number, and a gradient through all layers below.

    Parameters
    ----------
    net : caffe.Net

    Returns
    -------
    list of (str, str, tuple)
        Name, type and shape of the blob.
    """
    found = []
    for name, layer in zip(net._layer_names, net.layers):
        if layer.type in NO_GRADIENT:
            break
        if name in net.blobs and layer.type not in NOT_DREAMT and not layer.type.endswith("Loss"):
            shape = tuple(net.blobs[name].shape)
            if len(shape) > 1:
                found.append((name, layer.type, shape))
    return found


def layer_shapes(net):
    """Return {layer: shape of its blob} for the layers that can be dreamt.

    Parameters
    ----------
    net : caffe.Net

    Returns
    -------
    dict of str: tuple of int
    """
    return {name: shape for name, _, shape in dreamable_layers(net)}


def layer_named(net, name):
    """Return the layer that is meant by its name, or by that of its blob in the prototxt.

    Parameters
    ----------
    net : caffe.Net
    name : str or None

    Returns
    -------
    str or None
    """
    return getattr(net, "former_names", {}).get(name, name)


def before_softmax(net, end):
    """Return the layer whose scores a softmax is made of.

    Parameters
    ----------
    net : caffe.Net
    end : str

    Returns
    -------
    str or None
        None where `end` is no softmax, or nothing below it can be dreamt.
    """
    names = list(net._layer_names)
    if net.layers[names.index(end)].type != "Softmax":
        return None
    below = [name for name, _, _ in dreamable_layers(net) if names.index(name) < names.index(end)]
    return below[-1] if below else None


def check_layer(net, end, model):
    """Refuse a layer that cannot be dreamt.

    Parameters
    ----------
    net : caffe.Net
    end : str
    model : dreamlib.models.model.Model

    Raises
    ------
    DreamError
        Names the nearest layers, or a few others.
    """
    layers = dreamable_layers(net)
    names = [name for name, _, _ in layers]
    if end in names:
        return
    if not names:
        raise DreamError(f"{model.prototxt} has no layer that can be dreamt; take another model")
    known = [name for name in names if name in model.hints]
    typical = known or [name for name, kind, _ in layers if kind in TYPICAL] or names
    if not end:
        lacking = getattr(net, "lacking", "")
        raise DreamError(
            f"model {model.name} names no layer to dream; choose one with --end, for instance "
            f"{typical[len(typical) // 2]!r} (all: --list-layers){lacking and f'; {lacking}'}"
        )
    why, advice = _why_not(net, end, model)
    if advice not in names:
        others = models_with(end) if end not in net._layer_names else []
        if others:
            raise DreamError(f"{why}; {others[0]} has one: add --model {others[0]}")
        spread = dict.fromkeys(typical[len(typical) * quarter // 4] for quarter in (1, 2, 3))
        some = f"; for instance {', '.join(map(repr, spread))}"
        raise DreamError(f"{why} (all: --list-layers){nearest(end, names) or some}")
    raise DreamError(f"{why}; use --end {advice}")


def _why_not(net, end, model):
    """Return why a layer cannot be dreamt, and a layer to take instead, if known."""
    lacking = getattr(net, "left_out", {}).get(end)
    if lacking:
        above = f", above layer {lacking!r}," if lacking != end else ""
        return f"layer {end!r}{above} is left out: {net.lacking}", None
    if end not in net._layer_names:
        return f"model {model.name} has no layer {end!r} to dream", None
    made = list(net.top_names[end])
    if made and end not in made:
        if made[0] in net.bottom_names[end]:
            return f"layer {end!r} works in place on {made[0]!r}", made[0]
        return f"layer {end!r} writes blob {made[0]!r}; a dream needs both of one name", None
    kind = net.layers[list(net._layer_names).index(end)].type
    return f"layer {end!r} ({kind}) cannot be dreamt", None
