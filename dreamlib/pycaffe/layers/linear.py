"""Layers that multiply by learned weights: Convolution, Deconvolution, InnerProduct.

Four-axis tensors are kept channels-last, the layout in which PyTorch's convolutions are fastest.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .base import Layer, register

convolution_backward = torch.ops.aten.convolution_backward


def pair(repeated, height, width, default):
    """Read a spatial parameter: ``kernel_h``/``kernel_w``, one number for both, or one each."""
    if height or width:
        return int(height), int(width)
    if not repeated:
        return default, default
    return int(repeated[0]), int(repeated[-1])


class _Convolutional(Layer):
    """What Convolution and Deconvolution share: geometry, blobs, and gradients by one operator."""

    tops = (1, None)
    bottoms = (1, None)
    transposed = False

    def setup(self, shapes):
        param = self.param.convolution_param
        if any(len(shape) != 4 for shape in shapes) or param.axis not in (1, -3):
            raise self.fail(f"takes (N, C, H, W) blobs and axis 1, got {shapes}, axis {param.axis}")
        self.kernel = pair(param.kernel_size, param.kernel_h, param.kernel_w, 0)
        self.stride = pair(param.stride, param.stride_h, param.stride_w, 1)
        self.pad = pair(param.pad, param.pad_h, param.pad_w, 0)
        self.dilation = pair(param.dilation, 0, 0, 1)
        if min(self.kernel) < 1 or min(self.stride) < 1:
            raise self.fail(f"kernel {self.kernel} and stride {self.stride} must be positive")
        channels, outputs, groups = shapes[0][1], int(param.num_output), int(param.group)
        if channels % groups or outputs % groups or not outputs:
            raise self.fail(
                f"{channels} inputs and {outputs} outputs do not divide by {groups} groups"
            )
        self.channels, self.outputs, self.groups = channels, outputs, groups
        first, second = (channels, outputs) if self.transposed else (outputs, channels)
        self.add_blob((first, second // groups) + self.kernel, param.weight_filler)
        if param.bias_term:
            self.add_blob((outputs,), param.bias_filler)

    def reshape(self, shapes):
        for shape in shapes:
            if len(shape) != 4 or shape[1] != self.channels:
                raise self.fail(f"takes {self.channels} channels, got a blob of shape {shape}")
        sizes = [self._output_size(shape) for shape in shapes]
        for shape, size in zip(shapes, sizes):
            if min(size) < 1:
                raise self.fail(f"a blob of shape {shape} is too small for kernel {self.kernel}")
        return [(shape[0], self.outputs) + size for shape, size in zip(shapes, sizes)]

    def _output_size(self, shape):
        return tuple(
            (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
            for size, pad, dilation, kernel, stride in zip(
                shape[2:], self.pad, self.dilation, self.kernel, self.stride
            )
        )

    def _bias(self, like):
        return self.value(1, like) if len(self.blobs) > 1 else None

    def _gradients(self, diff, bottom, mask):
        weight = self.value(0, bottom)
        bias_size = [self.outputs] if mask[2] else None
        return convolution_backward(
            _channels_last(diff),
            _channels_last(bottom),
            weight,
            bias_size,
            self.stride,
            self.pad,
            self.dilation,
            self.transposed,
            (0, 0),
            self.groups,
            mask,
        )

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [
            self._gradients(diff, bottom, [True, False, False])[0] if ask else None
            for diff, bottom, ask in zip(top_diffs, bottoms, wanted)
        ]

    def parameter_gradients(self, top_diffs, bottoms, tops):
        mask = [False, True, len(self.blobs) > 1]
        found = [self._gradients(diff, x, mask)[1:] for diff, x in zip(top_diffs, bottoms)]
        return [sum(parts) for parts in zip(*found)][: len(self.blobs)]


def _channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last)


@register("Convolution")
class Convolution(_Convolutional):
    """Correlate with learned kernels: groups, dilation, rectangular kernels."""

    def forward(self, bottoms):
        weight = self.value(0, bottoms[0])
        bias = self._bias(bottoms[0])
        return [
            F.conv2d(
                _channels_last(x), weight, bias, self.stride, self.pad, self.dilation, self.groups
            )
            for x in bottoms
        ]


@register("Deconvolution")
class Deconvolution(_Convolutional):
    """The transpose of a convolution."""

    transposed = True

    def _output_size(self, shape):
        return tuple(
            stride * (size - 1) + (dilation * (kernel - 1) + 1) - 2 * pad
            for size, pad, dilation, kernel, stride in zip(
                shape[2:], self.pad, self.dilation, self.kernel, self.stride
            )
        )

    def forward(self, bottoms):
        weight = self.value(0, bottoms[0])
        bias = self._bias(bottoms[0])
        return [
            F.conv_transpose2d(
                _channels_last(x),
                weight,
                bias,
                self.stride,
                self.pad,
                0,
                self.groups,
                self.dilation,
            )
            for x in bottoms
        ]


@register("InnerProduct")
class InnerProduct(Layer):
    """Multiply everything from `axis` on, flattened, by one matrix."""

    def setup(self, shapes):
        param = self.param.inner_product_param
        self.start = self.axis(param.axis, len(shapes[0]))
        self.inputs, self.outputs = math.prod(shapes[0][self.start :]), int(param.num_output)
        shape = (self.outputs, self.inputs)
        self.add_blob(shape[::-1] if param.transpose else shape, param.weight_filler)
        if param.bias_term:
            self.add_blob((self.outputs,), param.bias_filler)

    def reshape(self, shapes):
        shape = shapes[0]
        if math.prod(shape[self.start :]) != self.inputs:
            raise self.fail(
                f"was made for {self.inputs} inputs from axis {self.start} on, got shape {shape}"
            )
        return [tuple(shape[: self.start]) + (self.outputs,)]

    def _matrix(self, like):
        weight = self.value(0, like)
        return weight.t() if self.param.inner_product_param.transpose else weight

    def forward(self, bottoms):
        x = bottoms[0]
        bias = self.value(1, x) if len(self.blobs) > 1 else None
        return [F.linear(x.flatten(self.start), self._matrix(x), bias)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [(top_diffs[0] @ self._matrix(top_diffs[0])).reshape(bottoms[0].shape)]

    def parameter_gradients(self, top_diffs, bottoms, tops):
        diff = top_diffs[0].reshape(-1, self.outputs)
        weight = diff.t() @ bottoms[0].reshape(-1, self.inputs)
        if self.param.inner_product_param.transpose:
            weight = weight.t()
        return [weight, diff.sum(0)][: len(self.blobs)]
