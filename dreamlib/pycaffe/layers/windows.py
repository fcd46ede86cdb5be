"""Layers that slide windows over a map, and InnerProduct, whose window is the whole of it.

Four-axis tensors are kept channels-last, the layout in which PyTorch's convolutions are fastest.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Layer, kernels_take, register, unwritten
from dreamlib.pycaffe.layers.geometry import Kernels
from dreamlib.pycaffe.layers.phases import Phases

convolution_backward = torch.ops.aten.convolution_backward


def pair(repeated, height, width, default):
    """Read a spatial parameter: ``kernel_h``/``kernel_w``, one number for both, or one each.

    Parameters
    ----------
    repeated : sequence of int
        As the prototxt has it.
    height, width : int
        0 where they are not given.
    default : int

    Returns
    -------
    tuple of int
        For rows and columns.
    """
    if height or width:
        return int(height), int(width)
    if not repeated:
        return default, default
    return int(repeated[0]), int(repeated[-1])


class _Convolutional(Kernels, Layer):
    """What Convolution and Deconvolution share: gradients by one operator."""

    tops = (1, None)
    bottoms = (1, None)
    linear = True

    @classmethod
    def suited(cls, param, shapes):
        if not shapes or (len(shapes[0]) == 4 and param.convolution_param.axis in (1, -3)):
            return cls
        from dreamlib.pycaffe.layers import axes

        return axes.TransposedOverAxes if cls.transposed else axes.OverAxes

    def setup(self, shapes):
        param = self.param.convolution_param
        if any(len(shape) != 4 for shape in shapes) or param.axis not in (1, -3):
            raise self.fail(f"takes (N, C, H, W) blobs and axis 1, got {shapes}, axis {param.axis}")
        self.kernel = pair(param.kernel_size, param.kernel_h, param.kernel_w, 0)
        self.stride = pair(param.stride, param.stride_h, param.stride_w, 1)
        self.pad = pair(param.pad, param.pad_h, param.pad_w, 0)
        self.dilation = pair(param.dilation, 0, 0, 1)
        self.add_kernels(shapes[0][1])

    def reshape(self, shapes):
        for shape in shapes:
            if len(shape) != 4 or shape[1] != self.channels:
                raise self.fail(f"takes {self.channels} channels, got a blob of shape {shape}")
        return [(shape[0], self.outputs) + self.output_size(shape, 2) for shape in shapes]

    def _weight_and_bias(self, like):
        return self.value(0, like), self.value(1, like) if len(self.blobs) > 1 else None

    def _gradients(self, diff, bottom, mask):
        weight = self.value(0, bottom)
        bias_size = [self.outputs] if mask[2] else None
        return convolution_backward(
            *(_channels_last(diff), _channels_last(bottom), weight, bias_size),
            *(self.stride, self.pad, self.dilation, self.transposed, (0, 0), self.groups, mask),
        )

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [
            self._gradients(diff, bottom, [True, False, False])[0] if ask else None
            for diff, bottom, ask in zip(top_diffs, bottoms, wanted)
        ]

    def parameter_gradients(self, top_diffs, bottoms, tops):
        count = len(self.blobs)  # the weight, and perhaps a bias
        mask = [False, True, count > 1]
        found = [
            self._gradients(diff, x, mask)[1 : 1 + count] for diff, x in zip(top_diffs, bottoms)
        ]
        return [sum(parts) for parts in zip(*found)]


def _channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last)


@register("Convolution")
class Convolution(_Convolutional):
    """Correlate with learned kernels: groups, dilation, rectangular kernels."""

    def backward(self, top_diffs, bottoms, tops, wanted):
        if not self._phases:
            return super().backward(top_diffs, bottoms, tops, wanted)
        return [
            self._phase_gradient(_channels_last(diff), bottom.shape[2:])
            for diff, bottom in zip(top_diffs, bottoms)
        ]

    def setup(self, shapes):
        super().setup(shapes)
        self._made, self._made_of = {}, None
        self._phases = Phases(self.kernel, self.stride, self.pad) if self._sees_picture else None
        plain = (*self.kernel, *self.stride, *self.dilation, self.groups) == (3, 3, 1, 1, 1, 1, 1)
        ends = self.channels, self.outputs
        even = not any(count % 16 for count in ends) and min(ends) >= LEAST_CHANNELS
        self._spreads = plain and even and math.prod(ends) <= MOST_KERNELS  # Winograd's way

    @property
    def _sees_picture(self):
        return self.channels <= FEW_CHANNELS and self.groups == 1 and self.dilation == (1, 1)

    def _convolved(self, x, which, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
        """Convolve by weights that are laid out once for oneDNN, ``straight`` or ``turned``."""
        bias = self.value(1, x) if which == "straight" and len(self.blobs) > 1 else None
        where = padding, stride, dilation, self.groups
        if not _packs(x):
            return F.conv2d(x, self._weight(which, x), bias, stride, padding, dilation, self.groups)
        outputs = self.outputs if which == "straight" else self.channels
        results = math.prod(side + 2 * margin - 2 for side, margin in zip(x.shape[2:], padding))
        spreads = self._spreads and x.dtype == torch.float32 and kernels_take(x)
        if spreads and results >= LEAST_RESULTS:
            from dreamlib.pycaffe import winograd

            def multiply(values):
                alone = (0, 0), (1, 1), (1, 1), 36
                packed = self._laid_out(f"spread {which}", values, *alone)
                return _pointwise(values, packed, None, *alone)

            return winograd.convolve(x, outputs, padding, bias, multiply)
        packed = self._laid_out(which, x, *where)
        return _pointwise(x, packed, bias, *where)

    @property
    def laid_out(self):
        return 2 * 4 * self.blobs[0].count * (4 if self._spreads else 1)

    def _laid_out(self, which, x, *where):
        """Return weights as oneDNN likes them for `x`, as it else makes them at every call.

        Most shapes like the same.
        """
        shapes, layouts = self._made_of_weights().setdefault((which, x.dtype), ({}, {}))
        if x.shape not in shapes:
            packed = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight(which, x), *where, list(x.shape)
            )
            layout = torch.ops.mkldnn._get_mkldnn_serialized_md(packed)
            layout[PADDING] = 0
            if len(layouts) == MOST_LAYOUTS:
                shapes.clear(), layouts.clear()
            shapes[x.shape] = layouts.setdefault(layout.numpy().tobytes(), packed)
        return shapes[x.shape]

    def _made_of_weights(self):
        """Return what was made of the weights as they are: a dict, empty where they are new."""
        memory = self.blobs[0].data_memory
        if self._made_of != (memory, memory.version):
            self._made_of = memory, memory.version
            self._made.clear()
        return self._made

    def _phase_gradient(self, diff, size):
        """Compute the gradient, (N, C, *size), with respect to a picture of few channels."""
        made, key = self._made_of_weights(), ("phases", diff.dtype, diff.device)
        if key not in made:
            made[key] = self._phases.kernels(self.value(0, diff))
        return self._phases.gradient(diff, made[key], size)

    def _weight(self, which, like):
        """Return the weights ``straight`` or ``turned``, and if ``spread`` for Winograd's way."""
        weight = self.value(0, like)
        if which.endswith("turned"):  # each group for itself
            groups = weight.reshape(self.groups, -1, *weight.shape[1:]).transpose(1, 2)
            weight = groups.reshape(self.channels, -1, *self.kernel).flip(2, 3).contiguous()
        if which.startswith("spread"):
            from dreamlib.pycaffe import winograd

            weight = winograd.spread_kernels(weight)
        return weight

    def retrace(self, top_diffs, kept, wanted):
        few, diff = self.channels <= FEW_CHANNELS, top_diffs[0]
        plain = self.stride == (1, 1) and max(self.pad) < min(self.kernel)
        if not few and not plain and self.groups > 1 and _is_half_on_cpu(diff):
            return [
                self._by_groups(_channels_last(diff), shape) if ask else None
                for diff, shape, ask in zip(top_diffs, kept, wanted)
            ]
        if few or not plain or not _packs(diff):
            return super().retrace(top_diffs, kept, wanted)
        # With stride 1 it is a convolution with the kernels turned round.
        axes = zip(self.kernel, self.pad, self.dilation)
        padding = tuple(dilation * (kernel - 1) - pad for kernel, pad, dilation in axes)
        how = {"padding": padding, "dilation": self.dilation}
        return [
            self._convolved(_channels_last(diff), "turned", **how) if ask else None
            for diff, ask in zip(top_diffs, wanted)
        ]

    def _by_groups(self, diff, shape):
        """Compute the gradient in float32, some groups at a time.

        Where the stride is no 1 oneDNN has no quick way for halves: it takes ten times as long.
        """
        gradient, weight = unwritten(shape, diff), self.blobs[0].data_tensor
        inputs, outputs = self.channels // self.groups, self.outputs // self.groups
        some = max(1, SOME // (inputs * math.prod(shape[2:])))
        axes = zip(shape[2:], diff.shape[2:], self.stride, self.pad, self.kernel, self.dilation)
        missed = [  # at the end, by the last window
            side - ((count - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
            for side, count, stride, pad, kernel, dilation in axes
        ]
        for first in range(0, self.groups, some):
            count = min(some, self.groups - first)
            above = slice(first * outputs, (first + count) * outputs)
            gradient[:, first * inputs : (first + count) * inputs] = F.conv_transpose2d(
                diff[:, above].float(), weight[above].float(), None,
                self.stride, self.pad, missed, count, self.dilation,
            )  # fmt: skip
        return gradient

    def trace(self, bottoms):
        how = {"stride": self.stride, "padding": self.pad, "dilation": self.dilation}
        tops = [self._convolved(_channels_last(x), "straight", **how) for x in bottoms]
        return tops, [tuple(x.shape) for x in bottoms]

    def forward(self, bottoms):
        weight, bias = self._weight_and_bias(bottoms[0])
        how = (self.stride, self.pad, self.dilation, self.groups)
        return [F.conv2d(_channels_last(x), weight, bias, *how) for x in bottoms]


def _pointwise(x, weight, bias, *where):
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *where, "none", [], "")


def _is_half_on_cpu(x):
    return x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16)


def _packs(x):
    """Tell whether oneDNN convolves a tensor of this type on this processor."""
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    known = torch.ops.mkldnn
    if x.dtype == torch.float32:
        return True
    half = x.dtype == torch.float16
    return known._is_mkldnn_fp16_supported() if half else known._is_mkldnn_bf16_supported()


#: Channels from which on Winograd's way is faster; kernels above which what it makes of them takes
#: too much memory; and results that are worth it.
LEAST_CHANNELS, MOST_KERNELS, LEAST_RESULTS = 32, 1 << 16, 512

#: Values of a gradient that groups in halves are computed for at a time.
SOME = 1 << 22

#: Bytes of a descriptor of oneDNN's that mean nothing, between its type and what follows.
PADDING = slice(108, 112)

#: Layouts that a layer's weights may have: small pictures like another one than large ones.
MOST_LAYOUTS = 4

#: Number of bottom channels up to which a convolution is the input layer of an image network.
FEW_CHANNELS = 4


@register("Deconvolution")
class Deconvolution(_Convolutional):
    """The transpose of a convolution."""

    transposed = True

    def forward(self, bottoms):
        weight, bias = self._weight_and_bias(bottoms[0])
        how = (self.stride, self.pad, 0, self.groups, self.dilation)
        return [F.conv_transpose2d(_channels_last(x), weight, bias, *how) for x in bottoms]


@register("InnerProduct")
class InnerProduct(Layer):
    """Multiply everything from `axis` on, flattened, by one matrix."""

    linear = True

    def setup(self, shapes):
        param = self.param.inner_product_param
        self.start = self.axis(param.axis, len(shapes[0]))
        self.inputs, self.outputs = math.prod(shapes[0][self.start :]), int(param.num_output)
        if not self.outputs:
            raise self.fail("it has no num_output")
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
