"""Pooling: the maximum or the average of windows of a map."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Layer, register, unwritten
from dreamlib.pycaffe.layers.choice import kernels_for
from dreamlib.pycaffe.layers.windows import pair
from dreamlib.pycaffe.proto import caffe_pb2

max_pool = torch.ops.aten.max_pool2d_with_indices
max_pool_backward = torch.ops.aten.max_pool2d_with_indices_backward


@register("Pooling")
class Pooling(Layer):
    """Take the maximum or the average of windows.

    Sizes are rounded up, unless ``round_mode: FLOOR`` says down; a last window that would begin in
    the padding is dropped, one that reaches beyond it is clipped. An average divides by the
    window's part within the padded picture.
    """

    tops = (1, 2)

    def setup(self, shapes):
        param = self.param.pooling_param
        if len(shapes[0]) != 4:
            raise self.fail(f"takes an (N, C, H, W) blob, got {shapes[0]}")
        if param.pool == caffe_pb2.PoolingParameter.STOCHASTIC:
            raise self.fail("stochastic pooling is not supported; MAX and AVE are")
        self.maximum = param.pool == caffe_pb2.PoolingParameter.MAX
        self.linear = not self.maximum
        size = [param.kernel_size] if param.HasField("kernel_size") else []
        stride = [param.stride] if param.HasField("stride") else []
        pad = [param.pad] if param.HasField("pad") else []
        self.kernel = pair(size, param.kernel_h, param.kernel_w, 0)
        self.stride = pair(stride, param.stride_h, param.stride_w, 1)
        self.pad = pair(pad, param.pad_h, param.pad_w, 0)
        if not param.global_pooling and min(self.kernel) < 1:
            raise self.fail("it has no kernel size")
        if not param.global_pooling and any(p >= k for p, k in zip(self.pad, self.kernel)):
            raise self.fail(f"padding {self.pad} must be smaller than the kernel {self.kernel}")

    def reshape(self, shapes):
        shape = shapes[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = tuple(shape[2:])
        param = self.param.pooling_param
        down = param.round_mode == caffe_pb2.PoolingParameter.FLOOR or not param.ceil_mode
        # Padding of either axis makes Caffe look for windows that begin in it along both.
        rule = (math.floor if down else math.ceil, any(self.pad))
        axes = zip(shape[2:], self.kernel, self.stride, self.pad)
        self.size = tuple(_pooled(*axis, *rule) for axis in axes)
        if min(self.size) < 1:
            raise self.fail(f"a blob of shape {shape} is too small for kernel {self.kernel}")
        return [tuple(shape[:2]) + self.size] * len(self.param.top)

    def _axes(self, x):
        """Of each axis: windows, length, kernel, stride and padding."""
        return zip(self.size, x.shape[2:], self.kernel, self.stride, self.pad)

    def _windows(self, x):
        """Pad `x` where PyTorch would make other windows; return it and the padding left."""
        if all(
            _pooled(length, kernel, stride, pad) == size and 2 * pad <= kernel
            for size, length, kernel, stride, pad in self._axes(x)
        ):
            return x, self.pad
        margins = []
        for size, length, kernel, stride, pad in self._axes(x):
            margins = [pad, (size - 1) * stride + kernel - length - pad, *margins]
        return F.pad(x, margins, value=float("-inf") if self.maximum else 0.0), (0, 0)

    def _pool(self, x):
        padded, pad = self._windows(x)
        if self.maximum:
            return F.max_pool2d(padded, self.kernel, self.stride, pad, ceil_mode=True)
        if padded is x:
            return F.avg_pool2d(x, self.kernel, self.stride, pad, ceil_mode=True)
        total = F.avg_pool2d(padded, self.kernel, self.stride, divisor_override=1)
        return total / self._areas(x)

    def _areas(self, x):
        """Elements of each window that lie within the padded picture, (H, W)."""
        sides = []
        for size, length, kernel, stride, pad in self._axes(x):
            start = torch.arange(size, device=x.device) * stride - pad
            sides.append((start + kernel).clamp(max=length + pad) - start)
        return sides[0][:, None] * sides[1]

    def forward(self, bottoms):
        tops = [self._pool(bottoms[0])]
        return tops if len(self.param.top) == 1 else [*tops, self._mask(bottoms[0])]

    def trace(self, bottoms):
        x = bottoms[0]
        if not self.maximum or len(self.param.top) > 1:
            return super().trace(bottoms)
        kernels = kernels_for(x) if math.prod(self.kernel) <= 256 else None
        if kernels is None:
            padded, pad = self._windows(x)
            top, index = max_pool(padded, self.kernel, self.stride, pad, (1, 1), True)
            # Half of what PyTorch takes; of a blob there are no more values than that.
            return [top], _Positions(index.int(), tuple(x.shape), tuple(padded.shape), pad)
        windows = self.kernel, self.stride, self.pad
        top, winner = kernels.maxima(x, self.size, windows, self.room)
        return [top], _Winners(kernels, winner, tuple(x.shape), windows)

    def retrace(self, top_diffs, kept, wanted):
        if isinstance(kept, _Positions):
            return [self._scattered(top_diffs[0], *kept)]
        if isinstance(kept, _Winners):
            kernels, *kept = kept
            return [kernels.maxima_gradient(top_diffs[0], *kept)]
        return super().retrace(top_diffs, kept, wanted)

    def _scattered(self, diff, index, shape, padded, pad):
        like, how = unwritten(padded, diff), (self.kernel, self.stride, pad, (1, 1), True)
        diff = diff.contiguous(memory_format=torch.channels_last)
        gradient = max_pool_backward(diff, like, *how, index.long())
        if padded == shape:
            return gradient
        (above, beside), (height, width), (rows, columns) = self.pad, shape[2:], padded[2:]
        return F.pad(gradient, (-beside, width + beside - columns, -above, height + above - rows))

    def _mask(self, x):
        """Flat position in its plane of each maximum, as the second top of MAX pooling gives it."""
        if not self.maximum:
            raise self.fail("only MAX pooling has a second top")
        padded, pad = self._windows(x)
        index = F.max_pool2d(
            padded, self.kernel, self.stride, pad, ceil_mode=True, return_indices=True
        )[1]
        if padded is not x:
            row, column = index // padded.shape[3], index % padded.shape[3]
            index = (row - self.pad[0]) * x.shape[3] + column - self.pad[1]
        return index.to(x.dtype)

    def backward(self, top_diffs, bottoms, tops, wanted):
        # The positions of the maxima are found again: kept, they would weigh as much as the
        # activations that the pooling saves.
        with torch.enable_grad():
            x = bottoms[0].detach().requires_grad_()
            top = self._pool(x)
        return list(torch.autograd.grad(top, x, top_diffs[0]))


class _Positions(NamedTuple):
    """What PyTorch's max pooling keeps: where in its plane each maximum lay, and both shapes."""

    index: torch.Tensor
    shape: tuple
    padded: tuple
    pad: tuple


class _Winners(NamedTuple):
    """What our kernels keep: the tap that won each window, the bottom's shape, and the windows."""

    kernels: object  #: whose these are
    taps: object
    shape: tuple
    windows: tuple


def _pooled(length, kernel, stride, pad, rounding=math.ceil, dropped=True):
    """Count the windows along an axis, by PyTorch's rule unless told otherwise.

    `dropped` are last windows that would begin in the padding.
    """
    pooled = rounding((length + 2 * pad - kernel) / stride) + 1
    return pooled - 1 if dropped and (pooled - 1) * stride >= length + pad else pooled
