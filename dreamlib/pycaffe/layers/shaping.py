"""Input, and the layers that move, join, cut and reduce axes without weights."""

from __future__ import annotations

import math

import torch

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.proto import caffe_pb2


@register("Input")
class Input(Layer):
    """A blob that a script fills; it may be reshaped at any time."""

    bottoms = (0, 0)
    tops = (1, None)
    is_source = True

    def setup(self, shapes):
        given = [tuple(shape.dim) for shape in self.param.input_param.shape]
        if len(given) not in (1, len(self.param.top)):
            raise self.fail(f"{len(given)} shapes for {len(self.param.top)} tops")
        self.shapes = given * len(self.param.top) if len(given) == 1 else given


@register("Split")
class Split(Layer):
    """Give one blob to several layers; their gradients add up. The net inserts it by itself."""

    linear = True

    tops = (1, None)

    def reshape(self, shapes):
        return [shapes[0]] * len(self.param.top)

    def forward(self, bottoms):
        return [bottoms[0]] * len(self.param.top)

    def backward(self, top_diffs, bottoms, tops, wanted):
        if len(top_diffs) == 1:
            return [top_diffs[0].clone()]
        total = top_diffs[0] + top_diffs[1]
        for diff in top_diffs[2:]:
            total += diff
        return [total]

    def retrace(self, top_diffs, kept, wanted):
        total = top_diffs[0]
        for diff in top_diffs[1:]:
            total += diff
        return [total]


@register("Concat")
class Concat(Layer):
    """Join blobs along an axis."""

    bottoms = (1, None)
    linear = True

    def setup(self, shapes):
        param = self.param.concat_param
        axis = param.concat_dim if param.HasField("concat_dim") else param.axis
        self.along = self.axis(axis, len(shapes[0]))

    def reshape(self, shapes):
        first = list(shapes[0])
        for shape in shapes[1:]:
            same = list(shape[: self.along]) + first[self.along : self.along + 1]
            if len(shape) != len(first) or same + list(shape[self.along + 1 :]) != first:
                raise self.fail(f"shapes {shapes} differ beside axis {self.along}")
        self.lengths = [shape[self.along] for shape in shapes]
        first[self.along] = sum(self.lengths)
        return [tuple(first)]

    def forward(self, bottoms):
        return [torch.cat(bottoms, self.along)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        parts = top_diffs[0].split(self.lengths, self.along)
        layout = torch.channels_last if top_diffs[0].dim() == 4 else torch.contiguous_format
        return [part.clone(memory_format=layout) for part in parts]


@register("Slice")
class Slice(Layer):
    """Cut a blob along an axis, at given points or evenly."""

    tops = (1, None)
    linear = True

    def setup(self, shapes):
        param = self.param.slice_param
        axis = param.slice_dim if param.HasField("slice_dim") else param.axis
        self.along = self.axis(axis, len(shapes[0]))

    def reshape(self, shapes):
        shape, parts = list(shapes[0]), len(self.param.top)
        length = shape[self.along]
        points = list(self.param.slice_param.slice_point)
        if points:
            edges = [0, *points, length]
            if len(points) != parts - 1 or sorted(set(edges)) != edges:
                raise self.fail(f"slice points {points} do not cut {length} into {parts} parts")
        elif length % parts:
            raise self.fail(f"axis {self.along} of length {length} does not divide by {parts}")
        else:
            edges = list(range(0, length + 1, length // parts))
        self.lengths = [stop - start for start, stop in zip(edges, edges[1:])]
        return [
            tuple(shape[: self.along] + [part] + shape[self.along + 1 :]) for part in self.lengths
        ]

    def forward(self, bottoms):
        parts = bottoms[0].split(self.lengths, self.along)
        return [part.clone() for part in parts]  # a layer above may work in place

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [torch.cat(top_diffs, self.along)]


class _View(Layer):
    """A layer that only renames the axes of its one bottom."""

    linear = True

    def forward(self, bottoms):
        return [bottoms[0].reshape(self.reshape([tuple(bottoms[0].shape)])[0])]

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [top_diffs[0].reshape(bottoms[0].shape)]


@register("Flatten")
class Flatten(_View):
    """Merge a range of axes into one."""

    def reshape(self, shapes):
        shape, param = shapes[0], self.param.flatten_param
        start, end = self.axis(param.axis, len(shape)), self.axis(param.end_axis, len(shape))
        merged = math.prod(shape[start : end + 1])
        return [tuple(shape[:start]) + (merged,) + tuple(shape[end + 1 :])]


@register("Reshape")
class Reshape(_View):
    """Give new lengths to a range of axes: 0 copies the bottom's, -1 takes what is left."""

    def reshape(self, shapes):
        shape, param = shapes[0], self.param.reshape_param
        # axis may point behind the last axis, and counts -1 from there
        start = param.axis if param.axis >= 0 else len(shape) + param.axis + 1
        stop = len(shape) if param.num_axes == -1 else start + param.num_axes
        if not 0 <= start <= stop <= len(shape):
            raise self.fail(f"axis {param.axis}, num_axes {param.num_axes} of shape {shape}")
        lengths = []
        for position, length in enumerate(param.shape.dim):
            if length == 0 and start + position >= len(shape):
                raise self.fail(f"new axis {position} copies one that shape {shape} does not have")
            lengths.append(shape[start + position] if length == 0 else length)
        if -1 in lengths:
            rest = math.prod(shape[start:stop])
            known = math.prod(length for length in lengths if length != -1)
            if lengths.count(-1) > 1 or known == 0 or rest % known:
                raise self.fail(f"{shape} does not fit into {list(param.shape.dim)}")
            lengths[lengths.index(-1)] = rest // known
        new = tuple(shape[:start]) + tuple(lengths) + tuple(shape[stop:])
        if math.prod(new) != math.prod(shape):
            raise self.fail(f"{shape} has not as many elements as {new}")
        return [new]


@register("Tile")
class Tile(Layer):
    """Repeat a blob along an axis."""

    def setup(self, shapes):
        self.along = self.axis(self.param.tile_param.axis, len(shapes[0]))
        self.repeats = self.param.tile_param.tiles

    def reshape(self, shapes):
        shape = list(shapes[0])
        shape[self.along] *= self.repeats
        return [tuple(shape)]

    def forward(self, bottoms):
        return [torch.cat([bottoms[0]] * self.repeats, self.along)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [sum(top_diffs[0].chunk(self.repeats, self.along))]


@register("Crop")
class Crop(Layer):
    """Cut the first bottom to the size of the second, from `axis` on."""

    bottoms = (2, 2)

    def reshape(self, shapes):
        shape, like = shapes
        param = self.param.crop_param
        start = self.axis(param.axis, len(shape))
        offsets = list(param.offset)
        if len(offsets) not in (0, 1, len(shape) - start):
            raise self.fail(f"{len(offsets)} offsets for {len(shape) - start} axes")
        offsets = offsets * (len(shape) - start) if len(offsets) == 1 else offsets
        self.offsets = [0] * start + (offsets or [0] * (len(shape) - start))
        size = tuple(shape[:start]) + tuple(like[start:])
        if any(offset + new > old for offset, new, old in zip(self.offsets, size, shape)):
            raise self.fail(f"{like} at offset {self.offsets} does not lie within {shape}")
        return [size]

    def _cut(self, x, size):
        for axis, (offset, length) in enumerate(zip(self.offsets, size)):
            x = x.narrow(axis, offset, length)
        return x

    def forward(self, bottoms):
        size = self.reshape([tuple(x.shape) for x in bottoms])[0]
        return [self._cut(bottoms[0], size).clone()]

    def backward(self, top_diffs, bottoms, tops, wanted):
        gradient = torch.zeros_like(bottoms[0])
        self._cut(gradient, top_diffs[0].shape).copy_(top_diffs[0])
        return [gradient, torch.zeros_like(bottoms[1]) if wanted[1] else None]


@register("Reduction")
class Reduction(Function):
    """Sum, sum of absolute values, sum of squares or mean of all axes from `axis` on."""

    def setup(self, shapes):
        self.start = self.axis(self.param.reduction_param.axis, len(shapes[0]))

    def reshape(self, shapes):
        return [tuple(shapes[0][: self.start])]

    def function(self, x):
        param, kind = self.param.reduction_param, caffe_pb2.ReductionParameter
        axes = list(range(self.start, x.dim()))
        if param.operation == kind.MEAN:
            return x.mean(axes) * param.coeff
        values = {kind.SUM: x, kind.ASUM: x.abs(), kind.SUMSQ: x.square()}[param.operation]
        return values.sum(axes) * param.coeff


@register("ArgMax")
class ArgMax(Layer):
    """Positions (and values) of the largest elements; of equal ones the last comes first.

    It has no gradient.
    """

    def reshape(self, shapes):
        shape, param = shapes[0], self.param.argmax_param
        along = self.axis(param.axis, len(shape)) if param.HasField("axis") else None
        candidates = math.prod(shape[1:]) if along is None else shape[along]
        if not 1 <= param.top_k <= candidates:
            raise self.fail(f"top_k {param.top_k} of {candidates} values, in shape {shape}")
        if along is not None:
            return [tuple(shape[:along]) + (param.top_k,) + tuple(shape[along + 1 :])]
        top = [1] * max(len(shape), 3)
        top[0], top[2] = shape[0], param.top_k
        if param.out_max_val:
            top[1] = 2
        return [tuple(top)]

    def forward(self, bottoms):
        x, param = bottoms[0], self.param.argmax_param
        if param.HasField("axis"):
            values, positions = self._largest(x, self.axis(param.axis, x.dim()))
            return [values if param.out_max_val else positions.to(x.dtype)]
        values, positions = self._largest(x.flatten(1), 1)
        both = (positions.to(x.dtype), values) if param.out_max_val else (positions.to(x.dtype),)
        return [torch.stack(both, 1).reshape(self.reshape([tuple(x.shape)])[0])]

    def _largest(self, x, along):
        values, places = x.flip(along).sort(dim=along, descending=True, stable=True)
        top_k = self.param.argmax_param.top_k
        positions = x.shape[along] - 1 - places.narrow(along, 0, top_k)
        return values.narrow(along, 0, top_k), positions

    def backward(self, top_diffs, bottoms, tops, wanted):
        raise self.fail("has no gradient; start backward below it")


@register("Silence")
class Silence(Layer):
    """Take what nobody else wants, so that it is not an output of the net."""

    bottoms = (1, None)
    tops = (0, 0)

    def reshape(self, shapes):
        return []

    def forward(self, bottoms):
        return []

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [torch.zeros_like(x) for x in bottoms]
