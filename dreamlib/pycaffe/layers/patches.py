"""Layers that cut a map into windows and give them back side by side."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.layers.pooling import Pooling
from dreamlib.pycaffe.layers.windows import pair
from dreamlib.pycaffe.proto import caffe_pb2


@register("Im2col")
class Im2col(Function):
    """Each window of a map as a column of channels: what a convolution multiplies."""

    def setup(self, shapes):
        param = self.param.convolution_param
        if len(shapes[0]) != 4 or param.axis not in (1, -3):
            raise self.fail(f"takes an (N, C, H, W) blob and axis 1, got {shapes[0]}")
        self.how = (
            pair(param.kernel_size, param.kernel_h, param.kernel_w, 0),
            pair(param.dilation, 0, 0, 1),
            pair(param.pad, param.pad_h, param.pad_w, 0),
            pair(param.stride, param.stride_h, param.stride_w, 1),
        )
        if min(self.how[0]) < 1 or min(self.how[3]) < 1:
            raise self.fail(f"kernel {self.how[0]} and stride {self.how[3]} must be positive")

    def reshape(self, shapes):
        shape = shapes[0]
        self.size = tuple(
            (length + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
            for length, kernel, dilation, pad, stride in zip(shape[2:], *self.how)
        )
        if min(self.size) < 1:
            raise self.fail(f"a blob of shape {shape} is too small for kernel {self.how[0]}")
        return [(shape[0], shape[1] * math.prod(self.how[0]), *self.size)]

    def function(self, x):
        return F.unfold(x, *self.how).unflatten(2, self.size)


@register("SPP")
class SPP(Layer):
    """Poolings into 1, 2 x 2, 4 x 4 ... windows, joined into one row: any size to one length.

    Spatial pyramid pooling (He et al., 2014).
    """

    def setup(self, shapes):
        param = self.param.spp_param
        if param.pyramid_height < 1:
            raise self.fail("needs a pyramid_height of 1 at least in spp_param")
        self.poolings = []

    def reshape(self, shapes):
        shape = shapes[0]
        self.poolings = [self._pooling(2**level, shape) for level in range(self._levels)]
        tops = [pooling.reshape(shapes)[0] for pooling in self.poolings]
        if len(tops) == 1:
            return tops
        return [(shape[0], sum(math.prod(top[1:]) for top in tops))]

    @property
    def _levels(self):
        return self.param.spp_param.pyramid_height

    def _pooling(self, bins, shape):
        """Make the layer that pools into `bins` x `bins` windows, as large as they need be."""
        kernels = [-(-length // bins) for length in shape[2:]]
        pads = [(kernel * bins - length + 1) // 2 for kernel, length in zip(kernels, shape[2:])]
        param = caffe_pb2.LayerParameter(name=self.name, bottom=["x"], top=["y"])
        param.pooling_param.pool = self.param.spp_param.pool
        for field, (height, width) in zip(("kernel", "stride", "pad"), (kernels, kernels, pads)):
            setattr(param.pooling_param, f"{field}_h", height)
            setattr(param.pooling_param, f"{field}_w", width)
        pooling = Pooling(param, self.phase, self._compute, self._random)
        pooling.setup([shape])
        return pooling

    def forward(self, bottoms):
        tops = [pooling.forward(bottoms)[0] for pooling in self.poolings]
        return tops if len(tops) == 1 else [torch.cat([top.flatten(1) for top in tops], 1)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        shapes = [(len(bottoms[0]), bottoms[0].shape[1], *pool.size) for pool in self.poolings]
        lengths = [math.prod(shape[1:]) for shape in shapes]
        parts = top_diffs[0].flatten(1).split(lengths, 1)
        return [
            sum(
                pooling.backward([part.reshape(shape)], bottoms, None, wanted)[0]
                for pooling, part, shape in zip(self.poolings, parts, shapes)
            )
        ]
