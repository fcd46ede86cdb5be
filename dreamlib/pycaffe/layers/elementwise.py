"""Layers that act on each element alone or combine blobs element by element; and Softmax."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function, Layer, kernels_take, register
from dreamlib.pycaffe.proto import caffe_pb2

threshold_backward = torch.ops.aten.threshold_backward


def _passed(diff, inside):
    """Keep a gradient, which is written into, where `inside`, a mask or its bits, says so."""
    if isinstance(inside, torch.Tensor):
        return diff.mul_(inside)
    from dreamlib.pycaffe import kernels

    return kernels.pass_inside(diff, inside)


@register("ReLU")
class ReLU(Layer):
    """``max(x, 0)``, with a slope below zero if one is given. Its gradient needs only the top.

    But where that slope is negative and the layer in place: then the top has lost what is above 0.
    """

    def setup(self, shapes):
        self.slope = self.param.relu_param.negative_slope
        self._above = None

    def forward(self, bottoms):
        x = bottoms[0]
        if self.slope:
            self._above = x > 0 if self.slope < 0 and self.in_place else None
            return [F.leaky_relu(x, self.slope, self.in_place)]
        return [F.relu(x, self.in_place)]

    def trace(self, bottoms):
        if self.slope:
            return super().trace(bottoms)
        top = bottoms[0] if self.in_place else bottoms[0].clone()
        if not kernels_take(top):
            return [F.relu_(top)], top > 0
        from dreamlib.pycaffe import kernels

        return [top], kernels.rectify(top, self.room)

    def retrace(self, top_diffs, kept, wanted):
        if self.slope:
            return super().retrace(top_diffs, kept, wanted)
        return [_passed(top_diffs[0], kept)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        if self.slope:
            above = bottoms[0] > 0 if self._above is None else self._above
            return [torch.where(above, top_diffs[0], top_diffs[0] * self.slope)]
        if self.in_place:
            threshold_backward.grad_input(top_diffs[0], tops[0], 0, grad_input=top_diffs[0])
            return top_diffs
        return [threshold_backward(top_diffs[0], tops[0], 0)]


@register("PReLU")
class PReLU(Function):
    """ReLU with a learned slope, one for each channel or one for all."""

    def setup(self, shapes):
        param = self.param.prelu_param
        filler = _filler(param, 0.25)
        self.add_blob(() if param.channel_shared else (shapes[0][1],), filler)

    def function(self, x, slope):
        shape = (1, -1) + (1,) * (x.dim() - 2) if slope.dim() else ()
        return torch.where(x > 0, x, x * slope.reshape(shape))


def _filler(param, default):
    """The prototxt's filler, else a constant."""
    if param.HasField("filler"):
        return param.filler
    return caffe_pb2.FillerParameter(type="constant", value=default)


@register("ELU")
class ELU(Function):
    """``x`` above zero, ``alpha (e^x - 1)`` below."""

    def function(self, x):
        alpha = self.param.elu_param.alpha
        return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


@register("Sigmoid")
class Sigmoid(Function):
    """``1 / (1 + e^-x)``."""

    def function(self, x):
        return torch.sigmoid(x)


@register("TanH")
class TanH(Function):
    """Hyperbolic tangent."""

    def function(self, x):
        return torch.tanh(x)


@register("AbsVal")
class AbsVal(Function):
    """Absolute value."""

    def function(self, x):
        return x.abs()


@register("Power")
class Power(Function):
    """``(shift + scale x) ^ power``."""

    def function(self, x):
        param = self.param.power_param
        base = x * param.scale + param.shift
        return base if param.power == 1 else base.pow(param.power)


def _log_of_base(layer, base):
    """Natural logarithm of a base; -1 stands for e."""
    if base != -1 and base <= 0:
        raise layer.fail(f"base {base} must be positive, or -1 for e")
    return 1.0 if base == -1 else math.log(base)


@register("Exp")
class Exp(Function):
    """``base ^ (shift + scale x)``; base e if it is -1."""

    def setup(self, shapes):
        self.log_base = _log_of_base(self, self.param.exp_param.base)

    def function(self, x):
        param = self.param.exp_param
        return ((x * param.scale + param.shift) * self.log_base).exp()


@register("Log")
class Log(Function):
    """``log_base(shift + scale x)``; natural if base is -1."""

    def setup(self, shapes):
        self.log_base = _log_of_base(self, self.param.log_param.base)

    def function(self, x):
        param = self.param.log_param
        return (x * param.scale + param.shift).log() / self.log_base


@register("BNLL")
class BNLL(Function):
    """``log(1 + e^x)``."""

    def function(self, x):
        return torch.logaddexp(x, torch.zeros_like(x))


@register("Clip")
class Clip(Layer):
    """Limit to an interval; ReLU6 is ``Clip`` from 0 to 6."""

    def setup(self, shapes):
        self.low, self.high = self.param.clip_param.min, self.param.clip_param.max

    def forward(self, bottoms):
        out = bottoms[0] if self.in_place else None
        return [torch.clamp(bottoms[0], self.low, self.high, out=out)]

    def trace(self, bottoms):
        if self.in_place:
            return self.forward(bottoms), None  # everything passes: see `backward`
        x = bottoms[0]
        if not kernels_take(x):
            return self.forward(bottoms), (x >= self.low) & (x <= self.high)
        from dreamlib.pycaffe import kernels

        top = torch.empty_like(x)
        return [top], kernels.limit(x, top, self.low, self.high, self.room)

    def retrace(self, top_diffs, kept, wanted):
        return [top_diffs[0] if kept is None else _passed(top_diffs[0], kept)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        # The limits are inside, as in Caffe: so where it ran in place everything passes.
        inside = (bottoms[0] >= self.low) & (bottoms[0] <= self.high)
        return [top_diffs[0] * inside]


@register("Swish")
class Swish(Function):
    """``x sigmoid(beta x)``."""

    def function(self, x):
        return x * torch.sigmoid(x * self.param.swish_param.beta)


@register("Threshold")
class Threshold(Layer):
    """1 above the threshold, else 0. It has no gradient."""

    def forward(self, bottoms):
        return [(bottoms[0] > self.param.threshold_param.threshold).to(bottoms[0].dtype)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        raise self.fail("has no gradient; start backward below it")


@register("Dropout")
class Dropout(Layer):
    """Drop elements at random in training, scaling up the others; nothing in phase TEST."""

    linear = True

    def forward(self, bottoms):
        x = bottoms[0]
        if self.phase == caffe_pb2.TEST:
            return [x if self.in_place else x.clone()]  # a layer above may work in place
        keep = 1 - self.param.dropout_param.dropout_ratio
        self.mask = torch.empty_like(x).bernoulli_(keep).div_(keep)
        return [x * self.mask]

    def backward(self, top_diffs, bottoms, tops, wanted):
        if self.phase == caffe_pb2.TEST:
            return [top_diffs[0] if self.in_place else top_diffs[0].clone()]
        return [top_diffs[0] * self.mask]


@register("Softmax")
class Softmax(Function):
    """Exponentials that sum to one along an axis."""

    def setup(self, shapes):
        self.along = self.axis(self.param.softmax_param.axis, len(shapes[0]))

    def function(self, x):
        return torch.softmax(x.float(), self.along).to(x.dtype)


@register("Eltwise")
class Eltwise(Layer):
    """Product, weighted sum or maximum of blobs of one shape."""

    bottoms = (2, None)

    def setup(self, shapes):
        param, kind = self.param.eltwise_param, caffe_pb2.EltwiseParameter
        self.product, self.sum = param.operation == kind.PROD, param.operation == kind.SUM
        self.linear = self.sum
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
        return [functools.reduce(torch.mul if self.product else torch.maximum, bottoms)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        diff = top_diffs[0]
        if self.sum:
            return [diff * coefficient for coefficient in self.coefficients]
        if self.product:
            return [diff * self._product_without(index, bottoms) for index in range(len(bottoms))]
        winner = self._winner(bottoms)
        return [diff * (winner == index) for index in range(len(bottoms))]

    def _product_without(self, skipped, bottoms):
        others = [x for index, x in enumerate(bottoms) if index != skipped]
        return functools.reduce(torch.mul, others)

    def _winner(self, bottoms):
        """Return the map of the index of the bottom that holds the maximum.

        Of equal values the second wins against the first, and against both no later one: so Caffe.
        """
        best = torch.maximum(bottoms[0], bottoms[1])
        winner = (bottoms[0] <= bottoms[1]).long()
        for index, x in enumerate(bottoms[2:], 2):
            winner = torch.where(x > best, index, winner)
            best = torch.maximum(best, x)
        return winner


class _Broadcast(Function):
    """Combine with a second bottom, or a learned blob, that spans the axes from `axis` on."""

    bottoms = (1, 2)

    def _prepare(self, param, shapes, filler):
        shape = shapes[0]
        self.linear = len(shapes) == 1  # what is learned is not asked for
        spans = shapes[1] if len(shapes) > 1 else param.num_axes  # a scalar has no axis
        self.start = self.axis(param.axis, len(shape)) if spans else 0
        if len(shapes) == 1:
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
        self._prepare(param, shapes, _filler(param, 1))
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
