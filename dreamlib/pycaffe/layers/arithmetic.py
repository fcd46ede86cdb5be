"""Layers that combine blobs element by element: Eltwise, Scale, Bias."""

from __future__ import annotations

import torch

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.proto import caffe_pb2


@register("Eltwise")
class Eltwise(Layer):
    """Product, weighted sum or maximum of blobs of one shape."""

    bottoms = (2, None)

    def setup(self, shapes):
        param, kind = self.param.eltwise_param, caffe_pb2.EltwiseParameter
        self.product, self.sum = param.operation == kind.PROD, param.operation == kind.SUM
        if param.coeff and not (self.sum and len(param.coeff) == len(shapes)):
            raise self.fail(f"{len(param.coeff)} coefficients for a {len(shapes)}-term operation")
        self.coefficients = list(param.coeff) or [1.0] * len(shapes)

    def reshape(self, shapes):
        if any(shape != shapes[0] for shape in shapes):
            raise self.fail(f"bottoms differ in shape: {', '.join(map(str, shapes))}")
        return [shapes[0]]

    def forward(self, bottoms):
        if self.sum:
            total = bottoms[0] * self.coefficients[0]
            for x, coefficient in zip(bottoms[1:], self.coefficients[1:]):
                total.add_(x, alpha=coefficient)
            return [total]
        result = bottoms[0]
        for x in bottoms[1:]:
            result = result * x if self.product else torch.maximum(result, x)
        return [result]

    def backward(self, top_diffs, bottoms, tops, wanted):
        diff = top_diffs[0]
        if self.sum:
            return [diff * coefficient for coefficient in self.coefficients]
        if self.product:
            return [diff * self._product_without(index, bottoms) for index in range(len(bottoms))]
        return [diff * (winner == index) for index, winner in self._winners(bottoms)]

    def _product_without(self, skipped, bottoms):
        others = [x for index, x in enumerate(bottoms) if index != skipped]
        product = others[0]
        for x in others[1:]:
            product = product * x
        return product

    def _winners(self, bottoms):
        """Pair each bottom's index with the map of the index that holds the maximum.

        Of equal values the second wins against the first, and against both no later one: so Caffe.
        """
        best = torch.maximum(bottoms[0], bottoms[1])
        winner = (bottoms[0] <= bottoms[1]).long()
        for index, x in enumerate(bottoms[2:], 2):
            winner = torch.where(x > best, index, winner)
            best = torch.maximum(best, x)
        return [(index, winner) for index in range(len(bottoms))]


class _Broadcast(Function):
    """Combine with a second bottom, or a learned blob, that spans the axes from `axis` on."""

    bottoms = (1, 2)

    def _prepare(self, param, shapes, filler):
        shape = shapes[0]
        if len(shapes) > 1:
            self.start = self.axis(param.axis, len(shape)) if shapes[1] else 0
        else:
            self.start = self.axis(param.axis, len(shape)) if param.num_axes else 0
            stop = len(shape) if param.num_axes == -1 else self.start + param.num_axes
            if stop > len(shape):
                raise self.fail(f"axis {param.axis}, num_axes {param.num_axes} of shape {shape}")
            self.add_blob(tuple(shape[self.start : stop]), filler)

    def _spread(self, factor, x):
        """View `factor` so that it broadcasts over `x`."""
        trailing = x.dim() - self.start - factor.dim()
        return factor.reshape(tuple(factor.shape) + (1,) * trailing)

    def reshape(self, shapes):
        own = shapes[1] if len(shapes) > 1 else self.blobs[0].shape
        if tuple(shapes[0][self.start : self.start + len(own)]) != tuple(own):
            raise self.fail(f"{own} does not match {shapes[0]} from axis {self.start} on")
        return [shapes[0]]


@register("Scale")
class Scale(_Broadcast):
    """Multiply, and add a bias if asked."""

    def setup(self, shapes):
        param = self.param.scale_param
        if param.HasField("filler"):
            filler = param.filler
        else:
            filler = caffe_pb2.FillerParameter(type="constant", value=1)
        self._prepare(param, shapes, filler)
        if param.bias_term:
            shape = shapes[1] if len(shapes) > 1 else self.blobs[0].shape
            self.add_blob(tuple(shape), param.bias_filler)

    def function(self, x, factor, bias=None):
        result = x * self._spread(factor, x)
        return result if bias is None else result + self._spread(bias, x)


@register("Bias")
class Bias(_Broadcast):
    """Add."""

    def setup(self, shapes):
        param = self.param.bias_param
        self._prepare(param, shapes, param.filler)

    def function(self, x, bias):
        return x + self._spread(bias, x)
