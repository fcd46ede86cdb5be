"""What training and judging need: losses, accuracy, and data made up."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers import Function, Layer, register
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import fill

Normalisation = caffe_pb2.LossParameter


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Function):
    """Cross-entropy of a softmax along an axis with labels at every other position."""

    bottoms = (2, 2)
    tops = (1, 2)
    loss_weight = 1.0
    has_labels = True

    def setup(self, shapes):
        self.along = self.axis(self.param.softmax_param.axis, len(shapes[0]))
        loss = self.param.loss_param
        self.ignored = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalisation = loss.normalization
        if not loss.HasField("normalization") and loss.HasField("normalize"):
            self.normalisation = Normalisation.VALID if loss.normalize else Normalisation.BATCH_SIZE

    def reshape(self, shapes):
        shape, labels = shapes
        if math.prod(labels) * shape[self.along] != math.prod(shape):
            raise self.fail(f"labels of shape {labels} do not match predictions of {shape}")
        return [(), shape][: len(self.param.top)]

    def forward(self, bottoms):
        tops = [self.function(*bottoms)]
        if len(self.param.top) > 1:
            tops.append(torch.softmax(bottoms[0].float(), self.along).to(bottoms[0].dtype))
        return tops

    def function(self, x, labels):
        logits = x.float().movedim(self.along, -1).flatten(0, -2)
        target = labels.detach().long().flatten()
        ignored = -100 if self.ignored is None else self.ignored
        target = torch.where(target == ignored, -100, target)
        loss = F.cross_entropy(logits, target, reduction="sum", ignore_index=-100)
        return (loss / self._normaliser(x, target)).to(x.dtype)

    def _normaliser(self, x, target):
        counts = {
            Normalisation.FULL: target.numel(),
            Normalisation.VALID: int((target != -100).sum()),
            Normalisation.BATCH_SIZE: math.prod(x.shape[: self.along]),
            Normalisation.NONE: 1,
        }
        return max(1, counts[self.normalisation])


@register("EuclideanLoss")
class EuclideanLoss(Function):
    """Half the mean over the batch of the squared distance."""

    bottoms = (2, 2)
    loss_weight = 1.0

    def reshape(self, shapes):
        if math.prod(shapes[0][1:]) != math.prod(shapes[1][1:]):
            raise self.fail(f"bottoms differ in shape: {shapes[0]} and {shapes[1]}")
        return [()]

    def function(self, x, target):
        return (x - target.reshape(x.shape)).square().sum() / (2 * x.shape[0])


@register("Accuracy")
class Accuracy(Layer):
    """Share of the labels that are among the `top_k` best predictions; per class as second top."""

    bottoms = (2, 2)
    tops = (1, 2)

    def setup(self, shapes):
        param = self.param.accuracy_param
        self.along = self.axis(param.axis, len(shapes[0]))
        self.ignored = param.ignore_label if param.HasField("ignore_label") else None

    def reshape(self, shapes):
        shape, labels = shapes
        if math.prod(labels) * shape[self.along] != math.prod(shape):
            raise self.fail(f"labels of shape {labels} do not match predictions of {shape}")
        return [(), (shape[self.along],)][: len(self.param.top)]

    def forward(self, bottoms):
        scores = bottoms[0].movedim(self.along, -1).flatten(0, -2)
        labels = bottoms[1].long().flatten()
        if self.ignored is not None:
            kept = labels != self.ignored
            scores, labels = scores[kept], labels[kept]
        own = scores.gather(1, labels[:, None])
        # A label is beaten by every class that scores at least as much, itself excepted.
        beaten = (scores >= own).sum(1) - 1
        right = (beaten < self.param.accuracy_param.top_k).to(scores.dtype)
        tops = [right.sum() / max(1, len(labels))]
        if len(self.param.top) > 1:
            counts = torch.bincount(labels, minlength=scores.shape[1])
            hits = torch.bincount(labels, right, minlength=scores.shape[1])
            tops.append((hits / counts.clamp(min=1)).to(scores.dtype))
        return tops

    def backward(self, top_diffs, bottoms, tops, wanted):
        raise self.fail("has no gradient; start backward below it")


@register("DummyData")
class DummyData(Layer):
    """Constant or random numbers; constants are filled once, others at every forward."""

    bottoms = (0, 0)
    tops = (1, None)

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
