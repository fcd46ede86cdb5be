"""Arithmetic on a prototxt: does a picture of this size reach that layer?

Real Caffe ends the process where a picture gets too small for a layer, so the question is answered
before a network runs, from the prototxt alone.
"""

from __future__ import annotations

import math

from dreamlib.errors import DreamError

#: Where no layer of any known net needs more: the search for the smallest picture ends here.
LARGEST_SIDE = 4096


def check_picture_fits(net_param, end, height, width):
    """Refuse a picture of one size: see `check_octaves_fit`."""
    check_octaves_fit(net_param, end, [(height, width)])


def check_octaves_fit(net_param, end, sizes):
    """Refuse octaves that are too small for a layer, or a layer that takes one size only.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
        Any engine's, of any age.
    end : str
        The layer to be dreamt.
    sizes : list of (height, width)
        Of the octaves in pixels, the smallest first, the picture's own last.

    Raises
    ------
    DreamError
        Says what would fit.
    """
    misfits = [_misfit(net_param, end, *size) for size in sizes]
    octave = next((index for index, misfit in enumerate(misfits) if misfit), None)
    if octave is None:
        return
    height, width = sizes[octave]
    if len(sizes) == 1:
        what = f"a picture of {width} x {height} pixels does not fit"
    else:
        which = "the smallest" if octave == 0 else f"number {octave + 1}"
        what = f"{which} of {len(sizes)} octaves, {width} x {height} pixels, does not fit"
    only = _misfit(net_param, end, LARGEST_SIDE, LARGEST_SIDE)
    if only and only.takes:
        raise DreamError(
            f"{what}: {only}. Take exactly {only.takes[1]} x {only.takes[0]} pixels and "
            f"--octaves 1, or a layer before {only.layer!r}"
        )
    side = _smallest_side(net_param, end)
    fitting = next(count for count, misfit in enumerate(reversed(misfits)) if misfit)
    fewer = f"--octaves {fitting} (the most that fit), " if fitting else ""
    raise DreamError(
        f"{what}: {misfits[octave]}; layer {end!r} takes pictures from {side} x {side} pixels on. "
        f"Take {fewer}a larger picture, or a layer nearer to the input"
    )


def misfit(net_param, end, height, width):
    """Say in a few words why a picture of one size does not reach a layer; '' where it does.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
    end : str
    height, width : int
    """
    fault = _misfit(net_param, end, height, width)
    if not fault:
        return ""
    only = _misfit(net_param, end, LARGEST_SIDE, LARGEST_SIDE)
    if only and only.takes:
        return f"takes only pictures of {only.takes[1]} x {only.takes[0]} pixels"
    side = _smallest_side(net_param, end)
    return f"takes pictures from {side} x {side} pixels on"


class _Misfit(Exception):
    """Why a picture does not reach a layer."""

    def __init__(self, text, layer=None, takes=None):
        super().__init__(text)
        self.layer = layer
        self.takes = takes  # (height, width) where nothing else fits, None if it is too small


def _misfit(net_param, end, height, width):
    """Why a picture of this size does not fit, or None."""
    try:
        _sizes(net_param, end, height, width)
    except _Misfit as misfit:
        return misfit
    return None


def _smallest_side(net_param, end):
    sides = (side for side in range(1, LARGEST_SIDE) if not _misfit(net_param, end, side, side))
    return next(sides, LARGEST_SIDE)


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
    if min(height, width) < 1:
        raise _Misfit("nothing is left of it")
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
                        layer=name,
                        takes=declared,
                    )
                size = home = None
        for top in tops:
            sizes[top], at_home[top] = size, home
        if name == end:
            return sizes
    return sizes


def activations_per_pixel(net_param, end, side=512):
    """Count what the network holds for a picture up to layer `end`.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
    end : str
    side : int
        Of the square picture that it is reckoned for.

    Returns
    -------
    float
        Elements of all blobs, the input's among them, per pixel of the picture.
    """
    if _misfit(net_param, end, side, side):
        side = _declared_input(net_param)[0]
    sizes = _sizes(net_param, end, side, side)
    channels = dict.fromkeys(net_param.input, 3)
    for name, kind, bottoms, tops, layer in _layers(net_param):
        below = [channels[bottom] for bottom in bottoms] or [3]
        if kind in ("CONVOLUTION", "DECONVOLUTION"):
            made = layer.convolution_param.num_output
        elif kind == "INNERPRODUCT":
            made = layer.inner_product_param.num_output
        elif kind == "CONCAT":
            made = sum(below)
        else:
            made = below[0]
        channels.update(dict.fromkeys(tops, made))
        if name == end:
            break
    area = {blob: size[0] * size[1] if size else 1 for blob, size in sizes.items()}
    return sum(channels[blob] * area[blob] for blob in sizes) / side**2


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
                f"{kernel[1]} x {kernel[0]}"
            )
        result.append(new)
    return tuple(result)


def _pair(value, height, width, default):
    """Read a spatial parameter that is one number, repeated, or given per axis."""
    if height or width:
        return height, width
    values = list(value) if hasattr(value, "__len__") else [value]
    return (values[0], values[-1]) if values else (default, default)
