"""Layers whose tops are chosen by positions: rows of a batch, rows of a table."""

from __future__ import annotations

import math

import torch

from dreamlib.pycaffe.layers import Function, Layer, register


@register("BatchReindex")
class BatchReindex(Function):
    """Elements of the batch in the order of the second bottom, as often as they stand there."""

    bottoms = (2, 2)
    labels = (1,)

    def reshape(self, shapes):
        if len(shapes[1]) != 1:
            raise self.fail(f"the second bottom is a list of positions, got shape {shapes[1]}")
        return [(shapes[1][0], *shapes[0][1:])]

    def function(self, x, positions):
        chosen = positions.detach().long()
        if len(chosen) and not 0 <= int(chosen.min()) <= int(chosen.max()) < len(x):
            raise self.fail(f"takes positions from 0 to {len(x) - 1}, got {chosen.tolist()}")
        return x[chosen]


@register("Embed")
class Embed(Function):
    """Rows of a learned table, by their numbers."""

    labels = (0,)

    def setup(self, shapes):
        param = self.param.embed_param
        if not param.num_output or not param.input_dim:
            raise self.fail("needs num_output and input_dim in embed_param")
        self.add_blob((param.input_dim, param.num_output), param.weight_filler)
        if param.bias_term:
            self.add_blob((param.num_output,), param.bias_filler)

    def reshape(self, shapes):
        return [(*shapes[0], self.param.embed_param.num_output)]

    def function(self, numbers, table, bias=None):
        rows = numbers.detach().long()
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(table):
            raise self.fail(f"takes numbers from 0 to {len(table) - 1}, got others")
        return table[rows] if bias is None else table[rows] + bias

    def backward(self, top_diffs, bottoms, tops, wanted):
        return [torch.zeros_like(bottoms[0])]  # numbers have no slope


@register("Filter")
class Filter(Layer):
    """The elements of the batch where the last bottom is not zero: of each bottom before it.

    While a net is made all count, since nothing is known yet.
    """

    bottoms = (2, None)
    tops = (1, None)
    shaped_by_values = True

    def setup(self, shapes):
        tops, last = len(self.param.top), len(shapes) - 1
        self.labels = (last,)
        self.selected = None
        if tops != last:
            raise self.fail(f"takes a top for each bottom but the last: {last}, not {tops}")
        if math.prod(shapes[-1]) != shapes[-1][0]:
            raise self.fail(f"the last bottom has a number for each element, not {shapes[-1]}")

    def reshape(self, shapes):
        if any(shape[:1] != shapes[-1][:1] for shape in shapes):
            raise self.fail(f"bottoms differ in their first axis: {shapes}")
        count = shapes[-1][0]
        if self.selected is not None:
            count = int(torch.count_nonzero(self.bottom_blobs[-1].data_tensor))
        self.selected = count
        return [(count, *shape[1:]) for shape in shapes[:-1]]

    def forward(self, bottoms):
        chosen = bottoms[-1].flatten() != 0
        return [x[chosen] for x in bottoms[:-1]]

    def backward(self, top_diffs, bottoms, tops, wanted):
        chosen = bottoms[-1].flatten() != 0
        gradients = []
        for x, diff in zip(bottoms, top_diffs):
            gradients.append(torch.zeros_like(x))
            gradients[-1][chosen] = diff
        return [*gradients, None]
