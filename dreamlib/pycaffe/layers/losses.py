"""Losses: one number that says how far predictions are from labels, targets or each other."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError

from dreamlib.pycaffe.layers import Function, register
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.util.input_file import WEIGHTS_BYTES, read_bytes

Normalisation = caffe_pb2.LossParameter

#: Probabilities count as this much at least where their logarithm is taken: Caffe's kLOG_THRESHOLD.
LEAST_PROBABILITY = 1e-20

#: What an ignored label is turned into: `F.cross_entropy`'s own.
IGNORED = -100


class _Loss(Function):
    """A loss of predictions and labels, divided by a count that ``loss_param`` chooses."""

    bottoms = (2, 2)
    loss_weight = 1.0
    labels = (1,)
    default_normalisation = Normalisation.VALID

    def setup(self, shapes):
        loss = self.param.loss_param
        self.ignored = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalisation = self.default_normalisation
        if loss.HasField("normalization"):
            self.normalisation = loss.normalization
        elif loss.HasField("normalize"):
            self.normalisation = Normalisation.VALID if loss.normalize else Normalisation.BATCH_SIZE

    def reshape(self, shapes):
        return [()]

    def _normaliser(self, total, valid, batch):
        counts = {
            Normalisation.FULL: total,
            Normalisation.VALID: int(valid),
            Normalisation.BATCH_SIZE: batch,
            Normalisation.NONE: 1,
        }
        return max(1, counts[self.normalisation])


class _ClassLoss(_Loss):
    """A loss of a softmax along an axis, with a label at every other position."""

    tops = (1, 2)

    def reshape(self, shapes):
        shape, labels = shapes[:2]
        if math.prod(labels) * shape[self.along] != math.prod(shape):
            raise self.fail(f"labels of shape {labels} do not match predictions of {shape}")
        return [(), shape][: len(self.param.top)]

    def forward(self, bottoms):
        tops = super().forward(bottoms)
        if len(self.param.top) > 1:
            tops.append(torch.softmax(bottoms[0].float(), self.along).to(bottoms[0].dtype))
        return tops

    def trace(self, bottoms):
        return self._kept(bottoms, self.forward(bottoms))

    def _rows(self, x, labels):
        """Return logits, (positions, classes), and the label of each, `IGNORED` for some."""
        logits = x.float().movedim(self.along, -1).flatten(0, -2)
        target = labels.detach().long().flatten()
        if self.ignored is not None:
            target = torch.where(target == self.ignored, IGNORED, target)
        return logits, target

    def _mean(self, total, x, target):
        batch = math.prod(x.shape[: self.along])
        count = self._normaliser(target.numel(), (target != IGNORED).sum(), batch)
        return (total / count).to(x.dtype)


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(_ClassLoss):
    """Cross-entropy of a softmax."""

    def setup(self, shapes):
        super().setup(shapes)
        self.along = self.axis(self.param.softmax_param.axis, len(shapes[0]))

    def function(self, x, labels):
        logits, target = self._rows(x, labels)
        loss = F.cross_entropy(logits, target, reduction="sum", ignore_index=IGNORED)
        return self._mean(loss, x, target)


@register("InfogainLoss")
class InfogainLoss(_ClassLoss):
    """Cross-entropy of a softmax, each label spread over all classes by a matrix.

    The matrix, a row for each label, is the third bottom or in the file `source`.
    """

    bottoms = (2, 3)
    labels = (1, 2)

    def setup(self, shapes):
        super().setup(shapes)
        param = self.param.infogain_loss_param
        self.along = self.axis(param.axis, len(shapes[0]))
        self.matrix = None if len(shapes) > 2 else self._read(param.source)

    def _read(self, source):
        if not source:
            raise self.fail("needs a matrix: a third bottom, or infogain_loss_param { source }")
        blob = caffe_pb2.BlobProto()
        try:
            blob.ParseFromString(read_bytes(source, WEIGHTS_BYTES))
        except DecodeError as error:
            raise self.fail(f"{source} is no binary BlobProto: {error}") from error
        return torch.tensor(list(blob.data))

    def reshape(self, shapes):
        tops, classes = super().reshape(shapes), shapes[0][self.along]
        given = math.prod(shapes[2]) if len(shapes) > 2 else self.matrix.numel()
        if given != classes**2:
            raise self.fail(f"{classes} classes need a matrix of {classes**2} values, got {given}")
        return tops

    def function(self, x, labels, matrix=None):
        logits, target = self._rows(x, labels)
        matrix = self.matrix if matrix is None else matrix
        matrix = matrix.detach().to(logits).reshape(logits.shape[1], -1)
        kept = target != IGNORED
        logs = F.log_softmax(logits[kept], 1).clamp(min=math.log(LEAST_PROBABILITY))
        return self._mean(-(matrix[target[kept]] * logs).sum(), x, target)


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(_Loss):
    """Cross-entropy of sigmoids with targets from 0 to 1, for each element by itself."""

    default_normalisation = Normalisation.BATCH_SIZE

    def reshape(self, shapes):
        if math.prod(shapes[0]) != math.prod(shapes[1]):
            raise self.fail(f"targets of shape {shapes[1]} do not match predictions of {shapes[0]}")
        return [()]

    def function(self, x, targets):
        targets = targets.detach().reshape(x.shape).float()
        each = F.binary_cross_entropy_with_logits(x.float(), targets, reduction="none")
        kept = torch.ones_like(targets)
        if self.ignored is not None:
            kept = (targets != self.ignored).float()
        return ((each * kept).sum() / self._normaliser(x.numel(), kept.sum(), len(x))).to(x.dtype)


class _RowLoss(_Loss):
    """A loss of scores, one row for each element of the batch, divided by the batch."""

    def reshape(self, shapes):
        if math.prod(shapes[1]) != shapes[0][0]:
            raise self.fail(f"labels of shape {shapes[1]} are not one for each row of {shapes[0]}")
        return [()]


@register("HingeLoss")
class HingeLoss(_RowLoss):
    """How far scores are on the wrong side of one: of the label from below, else of minus one."""

    def function(self, x, labels):
        rows = x.flatten(1)
        sign = torch.ones_like(rows).scatter_(1, labels.long().reshape(-1, 1), -1)
        margins = F.relu(1 + rows * sign)
        if self.param.hinge_loss_param.norm == caffe_pb2.HingeLossParameter.L2:
            margins = margins.square()
        return margins.sum() / len(x)


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(_RowLoss):
    """Minus the logarithm of the label's probability: `SoftmaxWithLoss` behind its softmax."""

    def function(self, x, labels):
        own = x.flatten(1).gather(1, labels.long().reshape(-1, 1))
        return -own.clamp(min=LEAST_PROBABILITY).log().sum() / len(x)


@register("EuclideanLoss")
class EuclideanLoss(_Loss):
    """Half the mean over the batch of the squared distance."""

    labels = ()

    def reshape(self, shapes):
        if math.prod(shapes[0][1:]) != math.prod(shapes[1][1:]):
            raise self.fail(f"bottoms differ in shape: {shapes[0]} and {shapes[1]}")
        return [()]

    def function(self, x, target):
        return (x - target.reshape(x.shape)).square().sum() / (2 * x.shape[0])


@register("ContrastiveLoss")
class ContrastiveLoss(_Loss):
    """Squared distance of pairs that are alike, and how far others are nearer than a margin.

    (Hadsell, Chopra and LeCun, 2006)
    """

    bottoms = (3, 3)
    labels = (2,)

    def setup(self, shapes):
        param = self.param.contrastive_loss_param
        self.margin, self.legacy = param.margin, param.legacy_version

    def reshape(self, shapes):
        first, second, alike = shapes
        if math.prod(first) != math.prod(second) or math.prod(alike) != first[0]:
            raise self.fail(f"takes two batches of vectors and a label for each pair, got {shapes}")
        return [()]

    def forward(self, bottoms):
        difference, alike = self._pairs(bottoms)
        square = difference.square().sum(1)
        if self.legacy:
            apart = F.relu(self.margin - square)
        else:
            apart = F.relu(self.margin - square.sqrt()).square()
        return [torch.where(alike, square, apart).sum() / (2 * len(square))]

    def backward(self, top_diffs, bottoms, tops, wanted):
        # Written out, as Caffe adds 1e-4 to the distance that it divides by.
        difference, alike = self._pairs(bottoms)
        square = difference.square().sum(1)
        if self.legacy:
            apart = -(square < self.margin).to(square.dtype)
        else:
            apart = -F.relu(self.margin - square.sqrt()) / (square.sqrt() + 1e-4)
        factor = torch.where(alike, torch.ones_like(apart), apart) * (top_diffs[0] / len(square))
        gradient = (difference * factor[:, None]).reshape(bottoms[0].shape)
        return [gradient, -gradient.reshape(bottoms[1].shape), None]

    def trace(self, bottoms):
        return self._kept(bottoms, self.forward(bottoms))

    def _pairs(self, bottoms):
        return bottoms[0].flatten(1) - bottoms[1].flatten(1), bottoms[2].flatten().bool()
