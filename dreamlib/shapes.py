"""Arithmetic on a prototxt: does a picture of this size reach that layer?

Real Caffe ends the process where a picture gets too small for a layer, so the question is answered
before a network runs, from the prototxt alone.
"""

from __future__ import annotations

import math

from .errors import DreamError

#: Where no layer of any known net needs more: the search for the smallest picture ends here.
LARGEST_SIDE = 4096


def check_picture_fits(net_param, end, height, width):
    """Refuse a picture that is too small for a layer, or a layer that takes one size only.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
        Any engine's, of any age.
    end : str
        The layer to be dreamt.
    height, width : int
        Of the smallest (or largest) octave, in pixels.

    Raises
    ------
    DreamError
    """
    try:
        _sizes(net_param, end, height, width)
    except _Misfit as misfit:
        hint = ""
        if misfit.too_small:
            side = _smallest_side(net_param, end)
            hint = f"; layer {end!r} takes pictures from {side} x {side} pixels on"
        raise DreamError(
            f"an octave of {width} x {height} pixels does not fit: {misfit}{hint}. Take a larger "
            "picture, fewer octaves, or a layer nearer to the input"
        ) from None


class _Misfit(Exception):
    def __init__(self, text, too_small):
        super().__init__(text)
        self.too_small = too_small


def _smallest_side(net_param, end):
    for side in range(1, LARGEST_SIDE):
        try:
            _sizes(net_param, end, side, side)
        except _Misfit as misfit:
            if misfit.too_small:
                continue
        return side
    return LARGEST_SIDE


def _layers(net_param):
    """Layers of phase TEST as (name, type, bottoms, tops, message), whatever the prototxt's age."""
    for layer in list(net_param.layer) + list(net_param.layers):
        if any(rule.HasField("phase") and rule.phase == 0 for rule in layer.include):
            continue  # in phase TRAIN alone
        kind = layer.type
        if isinstance(kind, int):
            kind = layer.LayerType.Name(kind)
        yield layer.name, kind.replace("_", "").upper(), list(layer.bottom), list(layer.top), layer


def _sizes(net_param, end, height, width):
    """Return {blob: (height, width)} up to layer `end`, None for blobs without spatial axes."""
    declared = _declared_input(net_param)
    sizes = dict.fromkeys(net_param.input, (height, width))
    at_home = dict.fromkeys(net_param.input, declared)  # the same at the prototxt's own size
    for name, kind, bottoms, tops, layer in _layers(net_param):
        if not bottoms:
            size, home = (height, width), declared
        else:
            known = [bottom for bottom in bottoms if sizes.get(bottom)]
            size, home = (sizes[known[0]], at_home[known[0]]) if known else (None, None)
        if size is not None:
            size, home = _through(name, kind, layer, size), _through(name, kind, layer, home)
            if kind == "INNERPRODUCT":
                if home is not None and size != home:
                    raise _Misfit(
                        f"layer {name!r} takes only the {declared[1]} x {declared[0]} pixels that "
                        "the network was made for",
                        too_small=False,
                    )
                size = home = None
        for top in tops:
            sizes[top], at_home[top] = size, home
        if name == end:
            return sizes
    return sizes


def _declared_input(net_param):
    """Height and width that the prototxt gives its input, or None."""
    shapes = [list(shape.dim) for shape in net_param.input_shape] + [list(net_param.input_dim)[:4]]
    for layer in net_param.layer:
        shapes += [list(shape.dim) for shape in layer.input_param.shape]
    return next(((shape[2], shape[3]) for shape in shapes if len(shape) == 4), None)


def _through(name, kind, layer, size):
    if size is None or kind not in ("CONVOLUTION", "DECONVOLUTION", "POOLING"):
        return size
    if kind == "POOLING":
        param = layer.pooling_param
        if param.global_pooling:
            return (1, 1)
        dilation, rounding = (1, 1), math.ceil
    else:
        param = layer.convolution_param
        dilation, rounding = _pair(param.dilation, 0, 0, 1), math.floor
    kernel = _pair(param.kernel_size, param.kernel_h, param.kernel_w, 1)
    stride = _pair(param.stride, param.stride_h, param.stride_w, 1)
    pad = _pair(param.pad, param.pad_h, param.pad_w, 0)
    result = []
    for length, k, s, p, d in zip(size, kernel, stride, pad, dilation):
        reach = d * (k - 1) + 1
        if kind == "DECONVOLUTION":
            new = s * (length - 1) + reach - 2 * p
        else:
            new = rounding((length + 2 * p - reach) / s) + 1
            if kind == "POOLING" and p and (new - 1) * s >= length + p:
                new -= 1
        if new < 1:
            raise _Misfit(
                f"at layer {name!r} only {size[1]} x {size[0]} are left of it, under a kernel of "
                f"{kernel[1]} x {kernel[0]}",
                too_small=True,
            )
        result.append(new)
    return tuple(result)


def _pair(value, height, width, default):
    """Read a spatial parameter that is one number, repeated, or given per axis."""
    if height or width:
        return height, width
    values = list(value) if hasattr(value, "__len__") else [value]
    return (values[0], values[-1]) if values else (default, default)
