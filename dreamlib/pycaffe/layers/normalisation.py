"""Layers that normalise: LRN, BatchNorm, MVN."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.layers.choice import kernels_for
from dreamlib.pycaffe.proto import caffe_pb2

#: Elements handled at a time in LRN: few enough for the cache, many enough for two threads.
CHUNK = 1 << 18


@register("LRN")
class LRN(Layer):
    """Local response normalisation (Krizhevsky et al., 2012): ``x / (k + alpha/n sum x^2)^beta``.

    The sum is over `n` neighbouring channels, or over an n x n window of the same channel.
    """

    def setup(self, shapes):
        param = self.param.lrn_param
        self.n, self.alpha, self.beta, self.k = param.local_size, param.alpha, param.beta, param.k
        if self.n % 2 == 0:
            raise self.fail(f"local_size {self.n} must be odd")
        if len(shapes[0]) != 4:
            raise self.fail(f"takes an (N, C, H, W) blob, got {shapes[0]}")
        self.across = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS
        if not self.across:
            self.k = 1.0  # Caffe ignores k within channels

    def forward(self, bottoms):
        x = bottoms[0]
        if not self.across:
            return [self._within(x)]
        top = torch.empty_like(x, memory_format=torch.channels_last)
        for values, out in self._chunks(x, top):
            torch.mul(values, self._power(self._scale(values)), out=out)
        return [top]

    def backward(self, top_diffs, bottoms, tops, wanted):
        if not self.across:
            with torch.enable_grad():
                x = bottoms[0].detach().requires_grad_()
                top = self._within(x)
            return list(torch.autograd.grad(top, x, top_diffs[0]))
        # d/dx_i sum_j y_j dy_j = dy_i s_i^-b - 2ab/n x_i sum_(j near i) x_j dy_j s_j^(-b-1)
        gradient = torch.empty_like(bottoms[0], memory_format=torch.channels_last)
        for x, diff, out in self._chunks(bottoms[0], top_diffs[0], gradient):
            scale = self._scale(x)
            power = self._power(scale)
            shared = self._window_sum((power * diff).mul_(x).div_(scale))
            factor = 2.0 * self.alpha * self.beta / self.n
            out.copy_(power.mul_(diff).sub_(shared.mul_(x), alpha=factor))
        return [gradient]

    def trace(self, bottoms):
        kernels = self._kernels(bottoms[0])
        if kernels is None:
            return self.forward(bottoms), (bottoms, None)
        return [kernels.normalise(bottoms[0], *self._how())], (bottoms, None)

    def retrace(self, top_diffs, kept, wanted):
        x = kept[0][0]
        kernels = self._kernels(x)
        if kernels is None:
            return super().retrace(top_diffs, kept, wanted)
        return [kernels.normalise_gradient(x, top_diffs[0], *self._how())]

    def _kernels(self, x):
        """Our own kernels for this tensor, if they know such an LRN."""
        kernels = kernels_for(x) if self.across else None
        return kernels if kernels and kernels.normalises(self.n, self.beta) else None

    def _how(self):
        return self.n, self.alpha, self.beta, self.k

    def _chunks(self, *tensors):
        """Corresponding (pixels, channels) views of the tensors, some pixels at a time."""
        channels = tensors[0].shape[1]
        rows = [
            tensor.contiguous(memory_format=torch.channels_last)
            .permute(0, 2, 3, 1)
            .view(-1, channels)
            for tensor in tensors
        ]
        # A GPU has no such cache, and each chunk would be a dozen launches.
        some = (
            max(1, CHUNK // channels) if tensors[0].device.type == "cpu" else max(1, len(rows[0]))
        )
        return zip(*(tensor.split(some) for tensor in rows))

    def _window_sum(self, values, start=0.0):
        total = values + start
        for shift in range(1, min(self.n // 2, values.shape[1] - 1) + 1):
            total[:, shift:].add_(values[:, :-shift])
            total[:, :-shift].add_(values[:, shift:])
        return total

    def _scale(self, x):
        # In float32 whatever the net's precision: the squares of half floats overflow.
        x = x.float()
        return self._window_sum((x * x).mul_(self.alpha / self.n), start=self.k)

    def _power(self, scale):
        if self.beta == 0.75:  # Krizhevsky's, and everybody's: two roots are quicker than a power
            return scale.sqrt().mul_(scale).rsqrt_()
        return scale.pow(-self.beta)

    def _within(self, x):
        mean_square = F.avg_pool2d(x.square(), self.n, 1, self.n // 2)
        return x * (mean_square * self.alpha + self.k).pow(-self.beta)


@register("BatchNorm")
class BatchNorm(Function):
    """Normalise each channel by stored statistics, or by the batch's own in training.

    Blobs: sum of means, sum of variances, and the factor that both are divided by.
    """

    def setup(self, shapes):
        param = self.param.batch_norm_param
        self.use_stored = self.phase == caffe_pb2.TEST
        if param.HasField("use_global_stats"):
            self.use_stored = param.use_global_stats
        self.linear = self.use_stored
        if len(shapes[0]) < 2:
            raise self.fail(f"takes a blob with a channel axis, got shape {shapes[0]}")
        channels = shapes[0][1]
        for shape in ((channels,), (channels,), (1,)):
            self.add_blob(shape)

    def forward(self, bottoms):
        tops = super().forward(bottoms)
        if not self.use_stored:
            self._store(bottoms[0] if self._input is None else self._input)
        return tops

    def trace(self, bottoms):
        if not self.use_stored:
            self._store(bottoms[0])
        return super().trace(bottoms)

    def function(self, x, mean, variance, factor):
        if self.use_stored:
            factor = torch.where(factor == 0, factor, 1 / factor)
            mean, variance = mean * factor, variance * factor
        else:
            mean, variance = self._statistics(x)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        deviation = (variance + self.param.batch_norm_param.eps).sqrt()
        return (x - mean.reshape(shape)) / deviation.reshape(shape)

    def parameter_gradients(self, top_diffs, bottoms, tops):
        return []  # statistics are not learned by gradient

    def _statistics(self, x):
        axes = [axis for axis in range(x.dim()) if axis != 1]
        mean = x.mean(axes)
        return mean, (x - mean.reshape((1, -1) + (1,) * (x.dim() - 2))).square().mean(axes)

    def _store(self, x):
        """Add the batch's statistics to the moving sums."""
        fraction = self.param.batch_norm_param.moving_average_fraction
        mean, variance = self._statistics(x)
        count = x.numel() // x.shape[1]
        unbiased = variance * (count / (count - 1) if count > 1 else 1)
        news = (mean, unbiased, torch.ones(1, device=x.device))
        for index, new in enumerate(news):
            old = self.blobs[index].data_tensor
            self.blobs[index].data_tensor = old * fraction + new.to(old.dtype)


@register("MVN")
class MVN(Function):
    """Subtract the mean and divide by the deviation, of each channel or of each picture.

    The top has four axes at least, as all of Caffe's first layers.
    """

    def reshape(self, shapes):
        return [_four_axes(shapes[0])]

    def function(self, x):
        centred = self._centred(x.reshape(_four_axes(x.shape)))
        if not self.param.mvn_param.normalize_variance:
            return centred
        return centred / self._deviation(centred)

    def backward(self, top_diffs, bottoms, tops, wanted):
        if not self.param.mvn_param.normalize_variance:
            return super().backward(top_diffs, bottoms, tops, wanted)
        # Written out, as Caffe's gradient takes eps for a part of the deviation.
        x = bottoms[0] if self._input is None else self._input
        centred = self._centred(x.reshape(_four_axes(x.shape)))
        deviation = self._deviation(centred)
        top, diff = centred / deviation, top_diffs[0]
        gradient = self._centred(diff) - top * self._mean(top * diff)
        return [(gradient / deviation).reshape(x.shape)]

    def _mean(self, x):
        first = 1 if self.param.mvn_param.across_channels else 2
        return x.mean(list(range(first, x.dim())), keepdim=True)

    def _centred(self, x):
        return x - self._mean(x)

    def _deviation(self, centred):
        return self._mean(centred.square()).sqrt() + self.param.mvn_param.eps


def _four_axes(shape):
    return tuple(shape) + (1,) * (4 - len(shape))
