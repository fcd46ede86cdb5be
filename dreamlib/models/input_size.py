"""Arithmetic on a prototxt: does a picture of this size reach that layer, and in how much memory?

Real Caffe ends the process where a picture gets too small for a layer, so the question is answered
before a network runs, from the definition alone.
"""

from __future__ import annotations

import math

from dreamlib.errors import DreamError

#: No layer of any known net needs a larger picture: the search for the smallest one ends here.
LARGEST_SIDE = 4096


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
    faults = [_fault(net_param, end, *size) for size in sizes]
    octave = next((index for index, fault in enumerate(faults) if fault), None)
    if octave is None:
        return
    height, width = sizes[octave]
    if len(sizes) == 1:
        what = f"a picture of {width} x {height} pixels does not fit"
    else:
        which = "the smallest" if octave == 0 else f"number {octave + 1}"
        what = f"{which} of {len(sizes)} octaves, {width} x {height} pixels, does not fit"
    largest = _fault(net_param, end, LARGEST_SIDE, LARGEST_SIDE)
    if largest and largest.takes:
        raise DreamError(
            f"{what}: {largest}. Take exactly {largest.takes[1]} x {largest.takes[0]} pixels and "
            f"--octaves 1, or a layer before {largest.layer!r}"
        )
    side = smallest_side(net_param, end)
    fitting = next(count for count, fault in enumerate(reversed(faults)) if fault)
    fewer = f"--octaves {fitting} (the most that fit), " if fitting else ""
    raise DreamError(
        f"{what}: {faults[octave]}; layer {end!r} takes pictures from {side} x {side} pixels on. "
        f"Take {fewer}a larger picture, or a layer nearer to the input"
    )


def misfit(net_param, end, height, width):
    """Say in a few words why a picture of one size does not reach a layer; '' where it does.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
    end : str
    height, width : int

    Returns
    -------
    str
    """
    if not _fault(net_param, end, height, width):
        return ""
    largest = _fault(net_param, end, LARGEST_SIDE, LARGEST_SIDE)
    if largest and largest.takes:
        return f"takes only pictures of {largest.takes[1]} x {largest.takes[0]} pixels"
    side = smallest_side(net_param, end)
    return f"takes pictures from {side} x {side} pixels on"


def activations_per_pixel(net_param, end, side=512):
    """Count the elements of all blobs up to a layer, the input's among them.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
    end : str
    side : int
        Of a square picture, for which they are counted.

    Returns
    -------
    float
        Per pixel of the picture.
    """
    return sum(_elements(net_param, end, side).values())


def passing_per_pixel(net_param, end, side=512):
    """Count the elements of all blobs that are there at once, where each goes when it was read.

    Parameters
    ----------
    net_param, end, side
        As for `activations_per_pixel`.

    Returns
    -------
    float
        Per pixel of the picture, at the layer at which they are most.
    """
    elements, layers = _elements(net_param, end, side), []
    for layer in _layers(net_param):
        layers.append(layer)
        if layer[0] == end:
            break
    last = {bottom: index for index, layer in enumerate(layers) for bottom in layer[2]}
    there, most = set(net_param.input), 0
    for index, (_, _, bottoms, tops, _) in enumerate(layers):
        there.update(tops)
        most = max(most, sum(elements[blob] for blob in there))
        there -= {bottom for bottom in bottoms if last[bottom] == index and bottom not in tops}
    return most


def last_per_pixel(net_param, end, side=512):
    """Count the elements of a layer's own results.

    Parameters
    ----------
    net_param, end, side
        As for `activations_per_pixel`.

    Returns
    -------
    float
        Per pixel of the picture.
    """
    tops = next(tops for name, _, _, tops, _ in _layers(net_param) if name == end)
    elements = _elements(net_param, end, side)
    return sum(elements[top] for top in tops)


def channels_of(net_param, end):
    """Return the number of a layer's channels.

    Parameters
    ----------
    net_param, end
        As for `activations_per_pixel`.

    Returns
    -------
    int
    """
    tops = next(tops for name, _, _, tops, _ in _layers(net_param) if name == end)
    return _channels(net_param, end)[tops[0]]


def _channels(net_param, end):
    """Return the number of channels of each blob up to a layer."""
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
    return channels


def _elements(net_param, end, side):
    """Return the elements of each blob up to a layer, per pixel of a square picture."""
    if _fault(net_param, end, side, side):
        side = _declared_input(net_param)[0]
    sizes, channels = _sizes(net_param, end, side, side), _channels(net_param, end)
    area = {blob: size[0] * size[1] if size else 1 for blob, size in sizes.items()}
    return {blob: channels[blob] * area[blob] / side**2 for blob in sizes}


class _Misfit(Exception):
    """The reason why a picture does not reach a layer."""

    def __init__(self, text, layer=None, takes=None):
        super().__init__(text)
        self.layer = layer
        self.takes = takes  # (height, width), where no other size fits


def _fault(net_param, end, height, width):
    """Return why a picture of one size does not fit (_Misfit), or None."""
    try:
        _sizes(net_param, end, height, width)
    except _Misfit as misfit:
        return misfit
    return None


def smallest_side(net_param, end):
    """Find the side of the smallest square picture that a layer takes.

    Parameters
    ----------
    net_param : caffe_pb2.NetParameter
    end : str
        The layer.

    Returns
    -------
    int
        Pixels; `LARGEST_SIDE` where none smaller does.
    """
    sides = (side for side in range(1, LARGEST_SIDE) if not _fault(net_param, end, side, side))
    return next(sides, LARGEST_SIDE)


def _layers(net_param):
    """Yield the layers of phase TEST, of any age: (name, type, bottoms, tops, message)."""
    for layer in list(net_param.layer) + list(net_param.layers):
        if any(rule.HasField("phase") and rule.phase == 0 for rule in layer.include):
            continue  # in phase TRAIN alone
        kind = layer.type
        if isinstance(kind, int):
            kind = layer.LayerType.Name(kind)
        yield layer.name, kind.replace("_", "").upper(), list(layer.bottom), list(layer.top), layer


def _sizes(net_param, end, height, width):
    """Return {blob: (height, width)} up to a layer; None for blobs without spatial axes."""
    if min(height, width) < 1:
        raise _Misfit("nothing is left of it")
    declared = _declared_input(net_param)
    sizes = dict.fromkeys(net_param.input, (height, width))
    own_sizes = dict.fromkeys(net_param.input, declared)  # the same at the declared input's size
    for name, kind, bottoms, tops, layer in _layers(net_param):
        if not bottoms:
            size, own = (height, width), declared
        else:
            known = [bottom for bottom in bottoms if sizes.get(bottom)]
            size, own = (sizes[known[0]], own_sizes[known[0]]) if known else (None, None)
        if size is not None:
            size, own = _through(name, kind, layer, size), _through(name, kind, layer, own)
            if kind == "INNERPRODUCT":
                if own is not None and size != own:
                    raise _Misfit(
                        f"layer {name!r} takes only the {declared[1]} x {declared[0]} pixels that "
                        "the network was made for",
                        layer=name,
                        takes=declared,
                    )
                size = own = None
        for top in tops:
            sizes[top], own_sizes[top] = size, own
        if name == end:
            return sizes
    return sizes


def _declared_input(net_param):
    """Return the input's (height, width) in the prototxt, or None."""
    shapes = [list(shape.dim) for shape in net_param.input_shape] + [list(net_param.input_dim)[:4]]
    for layer in net_param.layer:
        shapes += [list(shape.dim) for shape in layer.input_param.shape]
    return next(((shape[2], shape[3]) for shape in shapes if len(shape) == 4), None)


def _through(name, kind, layer, size):
    """Return a layer's output size (height, width) for an input size."""
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
    """Read a spatial parameter, one number or one for each axis: (height, width)."""
    if height or width:
        return height, width
    values = list(value) if hasattr(value, "__len__") else [value]
    return (values[0], values[-1]) if values else (default, default)
