"""Classes of `Python` layers, as users write them; for either engine."""

import json

import caffe
import numpy as np


class Ramp(caffe.Layer):
    """A source: rising numbers, in a shape that ``param_str`` gives; higher at each pass."""

    def setup(self, bottom, top):
        self.shape = json.loads(self.param_str)["shape"]
        self.passes = 0

    def reshape(self, bottom, top):
        top[0].reshape(*self.shape)

    def forward(self, bottom, top):
        self.passes += 1
        top[0].data[...] = np.arange(top[0].count).reshape(top[0].data.shape) + 10 * self.passes

    def backward(self, top, propagate_down, bottom):
        pass


class Distance(caffe.Layer):
    """A loss: half the mean over the batch of the squared distance, its difference kept."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("needs two inputs")

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise Exception("inputs differ in size")
        self.difference = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.difference[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.difference**2) / bottom[0].num / 2.0

    def backward(self, top, propagate_down, bottom):
        for index, sign in enumerate([1, -1]):
            if propagate_down[index]:
                bottom[index].diff[...] = sign * self.difference / bottom[index].num


class Chosen(caffe.Layer):
    """Two tops: the positive rows, whose number only the values say, and their positions."""

    def setup(self, bottom, top):
        self.factor = float(self.param_str or 1)

    def reshape(self, bottom, top):
        rows = bottom[0].data.reshape(bottom[0].num, -1).sum(1) > 0
        self.rows = np.flatnonzero(rows) if rows.any() else np.array([0])
        top[0].reshape(len(self.rows), *bottom[0].data.shape[1:])
        top[1].reshape(len(self.rows))

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data[self.rows] * self.factor
        top[1].data[...] = self.rows

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 0
        bottom[0].diff[self.rows] = top[0].diff * self.factor


class Gain(caffe.Layer):
    """In place, by a learned factor."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 3

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data[0]

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * self.blobs[0].data[0]
