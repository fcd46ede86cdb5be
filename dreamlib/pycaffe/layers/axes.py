"""Convolutions over another number of axes than two, or behind more axes than that of the batch.

Rare enough to be left to PyTorch's own operators and their gradients.
"""

from __future__ import annotations

import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function
from dreamlib.pycaffe.layers.geometry import Kernels

FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class OverAxes(Kernels, Function):
    """Correlate along all axes behind that of the channels; those before it are a batch."""

    type = "Convolution"

    def setup(self, shapes):
        param, shape = self.param.convolution_param, shapes[0]
        self.channel_axis = self.axis(param.axis, len(shape))
        count = len(shape) - self.channel_axis - 1
        if self.channel_axis < 1 or count not in FORWARD:
            raise self.fail(
                f"convolves over 1 to 3 axes behind those of batch and channels; a blob of shape "
                f"{shape} and axis {param.axis} leave {count}"
            )
        self.kernel = self._sides("kernel", count, None)
        self.stride = self._sides("stride", count, 1)
        self.pad = self._sides("pad", count, 0)
        self.dilation = self._sides("dilation", count, 1)
        self.add_kernels(shape[self.channel_axis])

    def _sides(self, name, count, default):
        """Read a spatial parameter: one number for each axis, or one for all."""
        param = self.param.convolution_param
        given = list(getattr(param, "kernel_size" if name == "kernel" else name))
        if not given and count == 2 and name != "dilation":
            pair = [getattr(param, f"{name}_{axis}") for axis in "hw"]
            given = pair if any(pair) else []
        if not given and default is not None:
            given = [default]
        if len(given) not in (1, count):
            raise self.fail(f"{name} has {len(given)} numbers; expected one, or {count}")
        return tuple(map(int, given * count if len(given) == 1 else given))

    def reshape(self, shapes):
        shape, axis = shapes[0], self.channel_axis
        if len(shape) != axis + 1 + len(self.kernel) or shape[axis] != self.channels:
            raise self.fail(f"takes {self.channels} channels on axis {axis}, got shape {shape}")
        return [(*shape[:axis], self.outputs, *self.output_size(shape, axis + 1))]

    def function(self, x, weight, bias=None):
        flat, count = x.flatten(0, self.channel_axis - 1), len(self.kernel)
        if self.transposed:
            how = (self.stride, self.pad, 0, self.groups, self.dilation)
            top = TRANSPOSED[count](flat, weight, bias, *how)
        else:
            how = (self.stride, self.pad, self.dilation, self.groups)
            top = FORWARD[count](flat, weight, bias, *how)
        return top.reshape(*x.shape[: self.channel_axis], *top.shape[1:])


class TransposedOverAxes(OverAxes):
    """The transpose of that."""

    type = "Deconvolution"
    transposed = True
