"""Pooling, by Caffe's rule for the windows at the border."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Layer, register
from dreamlib.pycaffe.layers.linear import pair
from dreamlib.pycaffe.proto import caffe_pb2


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
        size = tuple(
            self._pooled(*axis) for axis in zip(shape[2:], self.kernel, self.stride, self.pad)
        )
        if min(size) < 1:
            raise self.fail(f"a blob of shape {shape} is too small for kernel {self.kernel}")
        self.size = size
        return [tuple(shape[:2]) + size] * len(self.param.top)

    def _pooled(self, length, kernel, stride, pad):
        """Windows along an axis."""
        down = self.param.pooling_param.round_mode == caffe_pb2.PoolingParameter.FLOOR
        pooled = (math.floor if down else math.ceil)((length + 2 * pad - kernel) / stride) + 1
        # Padding of either axis makes Caffe check both.
        if any(self.pad) and (pooled - 1) * stride >= length + pad:
            pooled -= 1
        return pooled

    def _windows(self, x):
        """Pad `x` where PyTorch would make other windows; return it and the padding left."""
        native = all(
            _torch_pooled(*axis) == size and 2 * axis[3] <= axis[1]
            for size, *axis in zip(self.size, x.shape[2:], self.kernel, self.stride, self.pad)
        )
        if native:
            return x, self.pad
        margins = []
        for size, length, kernel, stride, pad in zip(
            self.size, x.shape[2:], self.kernel, self.stride, self.pad
        ):
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
        for size, length, kernel, stride, pad in zip(
            self.size, x.shape[2:], self.kernel, self.stride, self.pad
        ):
            start = torch.arange(size, device=x.device) * stride - pad
            sides.append((start + kernel).clamp(max=length + pad) - start)
        return sides[0][:, None] * sides[1]

    def forward(self, bottoms):
        x = bottoms[0]
        top = self._pool(x)
        if len(self.param.top) == 1:
            return [top]
        return [top, self._mask(x)]

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


def _torch_pooled(length, kernel, stride, pad):
    pooled = math.ceil((length + 2 * pad - kernel) / stride) + 1
    if (pooled - 1) * stride >= length + pad:
        pooled -= 1
    return pooled
