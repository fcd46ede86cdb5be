"""Softmax, losses and accuracy."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from dreamlib.pycaffe.layers.base import Function, Layer, register
from dreamlib.pycaffe.proto import caffe_pb2

Normalisation = caffe_pb2.LossParameter


@register("Softmax")
class Softmax(Function):
    """Exponentials that sum to one along an axis."""

    def setup(self, shapes):
        self.along = self.axis(self.param.softmax_param.axis, len(shapes[0]))

    def function(self, x):
        return torch.softmax(x.float(), self.along).to(x.dtype)


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Function):
    """Cross-entropy of a softmax along an axis with labels at every other position."""

    bottoms = (2, 2)
    tops = (1, 2)

    def setup(self, shapes):
        self.along = self.axis(self.param.softmax_param.axis, len(shapes[0]))
        loss = self.param.loss_param
        self.ignored = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalisation = loss.normalization
        if not loss.HasField("normalization") and loss.HasField("normalize"):
            self.normalisation = Normalisation.VALID if loss.normalize else Normalisation.BATCH_SIZE

    def default_loss_weight(self, top):
        return 1.0 if top == 0 else 0.0

    def allows_force_backward(self, bottom):
        return bottom == 0

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

    def default_loss_weight(self, top):
        return 1.0

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
