"""What training and judging need beside losses: accuracy, and blobs that no layer computes."""

from __future__ import annotations

import math

import torch

from dreamlib.pycaffe.layers import Layer, register
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.weights import fill


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
    is_source = True

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


@register("MemoryData")
class MemoryData(Layer):
    """Batches of the pictures and labels that `Net.set_input_arrays` gave, in a circle."""

    bottoms = (0, 0)
    tops = (2, 2)
    is_source = True

    def setup(self, shapes):
        param = self.param.memory_data_param
        self.shapes = [
            (param.batch_size, param.channels, param.height, param.width),
            (param.batch_size, 1, 1, 1),
        ]
        if not math.prod(self.shapes[0]):
            raise self.fail("needs batch_size, channels, height and width in memory_data_param")
        self.arrays, self.position = None, 0

    def set_arrays(self, data, labels):
        """Take other pictures and labels, from their first batch on.

        Parameters
        ----------
        data : (M, C, H, W) ndarray of float32
        labels : (M, ...) ndarray of float32
            One each.

        Raises
        ------
        CaffeError
            Another shape, or M is no multiple of the batch.
        """
        batch, *picture = self.shapes[0]
        if list(data.shape[1:]) != picture or not len(data) or len(data) % batch:
            raise self.fail(
                f"takes any multiple of {batch} pictures of shape {tuple(picture)}, got an array "
                f"of shape {data.shape}"
            )
        if labels.shape[:1] != data.shape[:1] or labels.size != len(data):
            raise self.fail(f"{len(data)} pictures need as many labels, got shape {labels.shape}")
        self.arrays, self.position = (data, labels.reshape(-1, 1, 1, 1)), 0

    def forward(self, bottoms):
        if self.arrays is None:
            raise self.fail("has no pictures yet; give them with net.set_input_arrays")
        batch, start = self.shapes[0][0], self.position
        self.position = (start + batch) % len(self.arrays[0])
        parts = [torch.from_numpy(array[start : start + batch].copy()) for array in self.arrays]
        return [part.to(self._compute.device, self._compute.dtype) for part in parts]


@register("Parameter")
class Parameter(Layer):
    """A learned blob as a top."""

    bottoms = (0, 0)
    is_source = True

    def setup(self, shapes):
        self.shapes = [tuple(self.param.parameter_param.shape.dim)]
        self.add_blob(self.shapes[0])

    def forward(self, bottoms):
        return [self.value(0).clone()]  # a layer above may work in place

    def parameter_gradients(self, top_diffs, bottoms, tops):
        return [top_diffs[0]]
