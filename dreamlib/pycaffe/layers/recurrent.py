"""Recurrent layers, unrolled over a first axis of time: RNN, LSTM, and one step of an LSTM.

A second bottom of (time, batch) is 0 where a sequence begins: what was before counts for nothing.
"""

from __future__ import annotations

import math

import torch

from dreamlib.pycaffe.layers import Function, register


@register("LSTMUnit")
class LSTMUnit(Function):
    """One step: cell and hidden values from the cell before and the sums of the four gates."""

    bottoms = (3, 3)
    tops = (2, 2)
    labels = (2,)

    def reshape(self, shapes):
        cell, gates, continues = shapes
        if len(cell) != 3 or gates != (*cell[:2], 4 * cell[2]) or continues != cell[:2]:
            raise self.fail(
                f"takes a cell (1, N, D), gates (1, N, 4 D) and (1, N) that say where it goes on, "
                f"got {shapes}"
            )
        return [cell, cell]

    def function(self, cell, gates, continues):
        return lstm_step(cell, gates, continues)


def lstm_step(cell, gates, continues):
    """Return cell and hidden values, (..., D), after one step.

    Parameters
    ----------
    cell : (..., D) Tensor
        Before it.
    gates : (..., 4 D) Tensor
        Sums at input, forget and output gate, and at the input itself.
    continues : (...) Tensor
        0 where a sequence begins.

    Returns
    -------
    cell, hidden : (..., D) Tensor
    """
    enter, forget, leave, value = gates.chunk(4, -1)
    forget = continues.detach()[..., None] * torch.sigmoid(forget)
    cell = forget * cell + torch.sigmoid(enter) * torch.tanh(value)
    return cell, torch.sigmoid(leave) * torch.tanh(cell)


class _Recurrent(Function):
    """What RNN and LSTM share: parameters, the walk through time, and what stays between passes.

    Bottoms are x (T, N, ...), where it goes on (T, N), perhaps a static input (N, ...), and with
    ``expose_hidden`` the values before the first step; tops the output (T, N, D) and, exposed, the
    values after the last: no gradient passes through these two, as in Caffe. Not exposed, a pass
    begins where the last one ended.
    """

    bottoms = (2, None)
    tops = (1, None)
    labels = (1,)
    #: rows of a sum for each output, and values carried from step to step
    sums, carried = 1, 1

    def setup(self, shapes):
        param = self.param.recurrent_param
        self.width, self.exposed = param.num_output, param.expose_hidden
        if not self.width:
            raise self.fail("needs num_output in recurrent_param")
        hidden = self.carried * self.exposed
        self.has_static = len(shapes) == 3 + hidden
        if len(shapes) not in (2 + hidden, 3 + hidden) or len(self.param.top) != 1 + hidden:
            raise self.fail(
                f"takes {2 + hidden} or {3 + hidden} bottoms and {1 + hidden} tops, "
                f"got {len(shapes)} and {len(self.param.top)}"
            )
        rows = self.sums * self.width
        self.add_blob((rows, math.prod(shapes[0][2:])), param.weight_filler)
        self.add_blob((rows,), param.bias_filler)
        if self.has_static:
            self.add_blob((rows, math.prod(shapes[2][1:])), param.weight_filler)
        self.add_blob((rows, self.width), param.weight_filler)
        self.state = None

    def reshape(self, shapes):
        steps, batch = shapes[0][:2]
        if tuple(shapes[1]) != (steps, batch):
            raise self.fail(f"goes on as {shapes[1]} says, expected shape {(steps, batch)}")
        for shape in shapes[len(shapes) - self.carried * self.exposed :]:
            if tuple(shape) != (1, batch, self.width):
                raise self.fail(f"values before are {shape}, expected {(1, batch, self.width)}")
        after = [(1, batch, self.width)] * (self.carried * self.exposed)
        return [(steps, batch, self.width), *after]

    def function(self, x, continues, *values):
        static, before, learned = self._sort(x, continues, values)
        weight, bias, *of_static, of_hidden = learned[: 3 + self.has_static]
        sums = x.flatten(2) @ weight.t() + bias
        if self.has_static:
            sums = sums + static.flatten(1) @ of_static[0].t()
        outputs, state = [], before
        for step, here in zip(sums, continues.detach()):
            goes_on = here[:, None] * state[0]
            state, output = self._step(step + goes_on @ of_hidden.t(), state, here, learned)
            outputs.append(output)
        self._state = [value.detach() for value in state]
        top = torch.stack(outputs)
        if self.exposed and not torch.is_grad_enabled():
            return (top, *(value[None] for value in state))
        return top

    def _sort(self, x, continues, values):
        """Part what follows the first two bottoms: static input, values before, parameters."""
        values = list(values)
        static = values.pop(0) if self.has_static else None
        if self.exposed:
            before = [value[0].detach() for value in values[: self.carried]]
            return static, before, values[self.carried :]
        shape = (x.shape[1], self.width)
        before = self._before
        if before is None or before[0].shape != shape:
            before = [x.new_zeros(shape)] * self.carried
        return static, [value.to(x) for value in before], values

    def _tops(self, values):
        if torch.is_grad_enabled():  # to differentiate the last pass, from where that began
            return super()._tops(values)
        self._before = self.state
        tops = super()._tops(values)
        self.state = self._state
        return tops


@register("RNN")
class RNN(_Recurrent):
    """``h = tanh(W_x x + W_h h + b)``, and of that ``tanh(W_o h + b_o)``."""

    def setup(self, shapes):
        super().setup(shapes)
        param = self.param.recurrent_param
        self.add_blob((self.width, self.width), param.weight_filler)
        self.add_blob((self.width,), param.bias_filler)

    def _step(self, sums, state, here, learned):
        hidden = torch.tanh(sums)
        return [hidden], torch.tanh(hidden @ learned[-2].t() + learned[-1])


@register("LSTM")
class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), without peepholes."""

    sums, carried = 4, 2

    def _step(self, sums, state, here, learned):
        cell, hidden = lstm_step(state[1], sums, here)
        return [hidden, cell], hidden
