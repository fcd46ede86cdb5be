"""Layers that have no bottom: Input, DummyData."""

from __future__ import annotations

import torch

from dreamlib.pycaffe.fillers import fill
from dreamlib.pycaffe.layers.base import Layer, register
from dreamlib.pycaffe.proto import caffe_pb2


class _Source(Layer):
    bottoms = (0, 0)
    tops = (1, None)

    def backward(self, top_diffs, bottoms, tops, wanted):
        return []


@register("Input")
class Input(_Source):
    """A blob that a script fills; it may be reshaped at any time."""

    def setup(self, shapes):
        given = [tuple(shape.dim) for shape in self.param.input_param.shape]
        if len(given) not in (1, len(self.param.top)):
            raise self.fail(f"{len(given)} shapes for {len(self.param.top)} tops")
        self.shapes = given * len(self.param.top) if len(given) == 1 else given


@register("DummyData")
class DummyData(_Source):
    """Constant or random numbers; constants are filled once, others at every forward."""

    def setup(self, shapes):
        param, tops = self.param.dummy_data_param, len(self.param.top)
        if param.shape:
            given = [tuple(shape.dim) for shape in param.shape]
        else:
            legacy = (param.num, param.channels, param.height, param.width)
            given = list(zip(*(list(axis) * tops if len(axis) == 1 else axis for axis in legacy)))
        if len(given) not in (1, tops) or len(param.data_filler) not in (0, 1, tops):
            raise self.fail(f"{len(given)} shapes, {len(param.data_filler)} fillers, {tops} tops")
        self.shapes = given * tops if len(given) == 1 else given
        fillers = list(param.data_filler) or [caffe_pb2.FillerParameter(type="constant")]
        self.fillers = fillers * tops if len(fillers) == 1 else fillers
        self.values = [None] * tops

    def forward(self, bottoms):
        for top, (shape, filler) in enumerate(zip(self.shapes, self.fillers)):
            if self.values[top] is None or filler.type != "constant":
                values = torch.zeros(shape)
                fill(values.numpy(), filler, self._random)
                self.values[top] = values.to(self._compute.device, self._compute.dtype)
        return list(self.values)
