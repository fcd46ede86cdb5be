"""Layers that Caffe 1.0 does not have and well-known forks do: plain arithmetic, all of it.

Each says whose it is. Prototxts give them the parameters at the end of ``proto/caffe.proto``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.layers.windows import Convolution
from dreamlib.pycaffe.proto import caffe_pb2


def _constant(value):
    return caffe_pb2.FillerParameter(type="constant", value=value)


@register("Axpy")
class Axpy(Function):
    """``a x + y``, with one factor for each channel (SENet)."""

    bottoms = (3, 3)

    def reshape(self, shapes):
        factor, x, y = shapes
        if x != y or tuple(factor) != (*x[:2], *(1,) * (len(factor) - 2)):
            raise self.fail(f"takes factors (N, C, 1, 1) and two blobs of one shape, got {shapes}")
        return [x]

    def function(self, factor, x, y):
        return factor.reshape(*x.shape[:2], *(1,) * (x.dim() - 2)) * x + y


@register("BN")
class BN(Function):
    """Batch normalisation with its scale and shift in one layer.

    Two forms, told apart by the fields that are given. With ``bn_mode``, or the fillers of scale
    and shift alone: SegNet's two blobs, scale and shift, where INFERENCE does nothing but these and
    LEARN normalises by the batch. Else four: scale, shift, and the stored mean and variance
    (PSPNet, ENet), by which phase TEST normalises, and TRAIN if ``frozen``.
    """

    def setup(self, shapes):
        param = self.param.bn_param
        given = {field.name for field, _ in param.ListFields()}
        if len(shapes[0]) < 2:
            raise self.fail(f"takes a blob with a channel axis, got shape {shapes[0]}")
        segnet = "bn_mode" in given or (bool(given) and given <= {"scale_filler", "shift_filler"})
        self.by_batch = self.phase == caffe_pb2.TRAIN and not param.frozen
        self.by_store = not segnet and not self.by_batch and param.moving_average
        self.plain = segnet and param.bn_mode == caffe_pb2.BNParameter.INFERENCE
        self.eps = 1e-9 if segnet else param.var_eps if "var_eps" in given else param.eps
        self.momentum = 1 - param.decay if "decay" in given else param.momentum
        shape = (1, shapes[0][1], 1, 1)
        scale, shift = param.scale_filler, param.shift_filler
        if "slope_filler" in given or "bias_filler" in given:
            scale, shift = param.slope_filler, param.bias_filler
        self.add_blob(shape, scale if scale.ListFields() else _constant(1))
        self.add_blob(shape, shift)
        if not segnet:
            self.add_blob(shape)
            self.add_blob(shape, _constant(1))
        self.linear = self.plain or self.by_store

    def function(self, x, scale, shift, mean=None, variance=None):
        along = (1, -1) + (1,) * (x.dim() - 2)
        if not self.plain:
            if not self.by_store:
                mean, variance = self._statistics(x)
            x = (x - mean.reshape(along)) / (variance + self.eps).sqrt().reshape(along)
        return x * scale.reshape(along) + shift.reshape(along)

    def _statistics(self, x):
        axes = [axis for axis in range(x.dim()) if axis != 1]
        return x.mean(axes), x.var(axes, unbiased=False)

    def _store(self, x):
        """Move the stored statistics towards the batch's, in training."""
        if self.by_batch:
            for blob, new in zip(self.blobs[2:], self._statistics(x)):
                old = blob.data_tensor
                mixed = self.momentum * old + (1 - self.momentum) * new.reshape(old.shape)
                blob.data_tensor = mixed.to(old.dtype)

    def forward(self, bottoms):
        self._store(bottoms[0])
        return super().forward(bottoms)

    def trace(self, bottoms):
        self._store(bottoms[0])
        return super().trace(bottoms)

    def parameter_gradients(self, top_diffs, bottoms, tops):
        return super().parameter_gradients(top_diffs, bottoms, tops)[:2]


def _own(tensor):
    """Copy, so that a layer that works in place above or below changes nothing here."""
    return tensor.clone(memory_format=torch.contiguous_format)


class _Depthwise(Convolution):
    """A convolution of each channel by itself, ``group`` or not."""

    def setup(self, shapes):
        param = self.param.convolution_param
        if param.num_output != shapes[0][1]:
            raise self.fail(
                f"convolves each channel by itself: num_output is {param.num_output}, the bottom "
                f"has {shapes[0][1]} channels"
            )
        param.group = param.num_output
        super().setup(shapes)


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(_Depthwise):
    """MobileNet, by one fork's name."""


@register("DepthwiseConvolution")
class DepthwiseConvolution(_Depthwise):
    """MobileNet, by another's."""


@register("Interp")
class Interp(Function):
    """Bilinear interpolation with corners on corners, to a size or by a whole factor (DeepLab)."""

    linear = True

    def setup(self, shapes):
        param = self.param.interp_param
        self.cut = -param.pad_beg, -param.pad_end
        sized = param.HasField("height") and param.HasField("width")
        given = sized + param.HasField("zoom_factor") + param.HasField("shrink_factor")
        if given < 1 or (sized and given > 1):
            raise self.fail("needs height and width, or zoom_factor, or shrink_factor")
        if min(self.cut) < 0 or min(param.zoom_factor, param.shrink_factor) < 1:
            raise self.fail(
                "takes pad_beg and pad_end of 0 or less, which cut, and factors of 1 or more; got "
                f"{param.pad_beg}, {param.pad_end}, {param.zoom_factor}, {param.shrink_factor}"
            )

    def reshape(self, shapes):
        shape, param = shapes[0], self.param.interp_param
        if len(shape) != 4:
            raise self.fail(f"takes an (N, C, H, W) blob, got {shape}")
        rest = [length - sum(self.cut) for length in shape[2:]]
        if param.HasField("height"):
            self.size = (param.height, param.width)
        else:
            shrunk = [(length - 1) // param.shrink_factor + 1 for length in rest]
            self.size = tuple((length - 1) * param.zoom_factor + 1 for length in shrunk)
        if min(rest) < 1 or min(self.size) < 1:
            raise self.fail(f"a blob of shape {shape} has nothing left: {rest} to {self.size}")
        return [(*shape[:2], *self.size)]

    def function(self, x):
        before, after = self.cut
        x = x[:, :, before : x.shape[2] - after, before : x.shape[3] - after]
        return F.interpolate(x, self.size, mode="bilinear", align_corners=True)


@register("Normalize")
class Normalize(Function):
    """Divide by the Euclidean norm of a pixel's channels, or of all, and scale (SSD, ParseNet)."""

    def setup(self, shapes):
        param = self.param.norm_param
        if len(shapes[0]) < 2:
            raise self.fail(f"takes a blob with a channel axis, got shape {shapes[0]}")
        filler = param.scale_filler if param.HasField("scale_filler") else _constant(1)
        self.add_blob(() if param.channel_shared else (shapes[0][1],), filler)

    def function(self, x, scale):
        param = self.param.norm_param
        axes = list(range(1, x.dim())) if param.across_spatial else [1]
        values = x.float()  # squares of half floats overflow
        norm = (values.square().sum(axes, keepdim=True) + param.eps).sqrt()
        return (values / norm * scale.reshape((1, -1) + (1,) * (x.dim() - 2))).to(x.dtype)


@register("Permute")
class Permute(Layer):
    """Change the order of the axes; those that are not named follow in theirs (SSD)."""

    linear = True

    def setup(self, shapes):
        order, axes = list(self.param.permute_param.order), len(shapes[0])
        if len(set(order)) < len(order) or any(axis >= axes for axis in order):
            raise self.fail(f"order {order} names axes of shape {shapes[0]} twice or beyond it")
        self.order = order + [axis for axis in range(axes) if axis not in order]

    def reshape(self, shapes):
        return [tuple(shapes[0][axis] for axis in self.order)]

    def forward(self, bottoms):
        return [_own(bottoms[0].permute(self.order))]

    def backward(self, top_diffs, bottoms, tops, wanted):
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return [_own(top_diffs[0].permute(back))]


@register("ReLU6")
class ReLU6(Function):
    """``min(max(x, 0), 6)``, with a slope below zero if one is given (MobileNet)."""

    def function(self, x):
        slope = self.param.relu6_param.negative_slope
        return torch.where(x > 0, torch.where(x < 6, x, 6.0), x * slope)


class _Shuffle(Layer):
    """A layer that gives its bottom's values other places: views of six axes, exchanged."""

    linear = True

    def forward(self, bottoms):
        split, order = self._plan(bottoms[0].shape)
        [shape] = self.reshape([tuple(bottoms[0].shape)])
        return [_own(bottoms[0].reshape(split).permute(order)).reshape(shape)]

    def backward(self, top_diffs, bottoms, tops, wanted):
        split, order = self._plan(bottoms[0].shape)
        back = sorted(range(len(order)), key=order.__getitem__)
        moved = top_diffs[0].reshape([split[axis] for axis in order]).permute(back)
        return [_own(moved).reshape(bottoms[0].shape)]


@register("ShuffleChannel")
class ShuffleChannel(_Shuffle):
    """Deal the channels of `group` groups out in turn (ShuffleNet)."""

    def reshape(self, shapes):
        group = self.param.shuffle_channel_param.group
        if group < 1 or shapes[0][1] % group:
            raise self.fail(f"{shapes[0][1]} channels do not divide by {group} groups")
        return [shapes[0]]

    def _plan(self, shape):
        group = self.param.shuffle_channel_param.group
        split = (shape[0], group, shape[1] // group, *shape[2:])
        return split, [0, 2, 1, *range(3, len(split))]


@register("Reorg")
class Reorg(_Shuffle):
    """Darknet's ``reorg`` (YOLO 9000): `stride` x `stride` pixels into as many channels, or back.

    As Darknet does it, it reads the bottom as if it were a map of ``C / stride^2`` channels that is
    `stride` times as wide and high; so `reverse`, which reads it as it is, does not undo it.
    """

    def reshape(self, shapes):
        shape, step = shapes[0], self.param.reorg_param.stride
        if len(shape) != 4 or step < 1 or shape[1] % step**2:
            raise self.fail(f"takes (N, C, H, W), C a multiple of {step}^2, got {shape}")
        batch, channels, height, width = shape
        if self.param.reorg_param.reverse:
            return [(batch, channels // step**2, height * step, width * step)]
        if height % step or width % step:
            raise self.fail(f"a map of {height} x {width} does not divide by {step}")
        return [(batch, channels * step**2, height // step, width // step)]

    def _plan(self, shape):
        batch, channels, height, width = shape
        step, fewer = self.param.reorg_param.stride, channels // self.param.reorg_param.stride**2
        if self.param.reorg_param.reverse:
            return (batch, step, step, fewer, height, width), [0, 3, 4, 1, 5, 2]
        return (batch, fewer, height, step, width, step), [0, 3, 5, 1, 2, 4]
