"""Sizes and parameters of convolutions, over however many axes."""

from __future__ import annotations


class Kernels:
    """What convolutions over any axes share, once `kernel`, `stride`, `pad`, `dilation` are set."""

    transposed = False

    def add_kernels(self, channels):
        """Make the parameters for so many bottom channels."""
        param = self.param.convolution_param
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise self.fail(f"kernel {self.kernel} and stride {self.stride} must be positive")
        outputs, groups = int(param.num_output), int(param.group)
        if channels % groups or outputs % groups or not outputs:
            raise self.fail(
                f"{channels} inputs and {outputs} outputs do not divide by {groups} groups"
            )
        self.channels, self.outputs, self.groups = channels, outputs, groups
        first, second = (channels, outputs) if self.transposed else (outputs, channels)
        self.add_blob((first, second // groups, *self.kernel), param.weight_filler)
        if param.bias_term:
            self.add_blob((outputs,), param.bias_filler)

    def output_size(self, shape, first):
        """Return the lengths of the top's axes from `first` on, for a bottom of this shape."""
        axes = zip(shape[first:], self.kernel, self.stride, self.pad, self.dilation)
        size = tuple(self._output_length(*axis) for axis in axes)
        if min(size) < 1:
            raise self.fail(f"a blob of shape {shape} is too small for kernel {self.kernel}")
        return size

    def _output_length(self, length, kernel, stride, pad, dilation):
        reach = dilation * (kernel - 1) + 1
        if self.transposed:
            return stride * (length - 1) + reach - 2 * pad
        return (length + 2 * pad - reach) // stride + 1
