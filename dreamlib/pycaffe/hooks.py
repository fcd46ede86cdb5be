"""Calls of a script's own before and after each layer of a pass."""

from __future__ import annotations

from dreamlib.pycaffe.passes import Passes


class Hooks(Passes):
    """A net that tells others how far a pass is.

    While there are hooks layers run one at a time, and their blobs stay until the pass ends.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self._before_forward, self._after_forward = [], []
        self._before_backward, self._after_backward = [], []

    def before_forward(self, hook):
        """Call ``hook(position)`` before each layer that a forward pass runs, or goes past.

        Parameters
        ----------
        hook : callable
            Of an int, the layer's position in `layers`. What it raises ends the pass.
        """
        self._before_forward.append(hook)

    def after_forward(self, hook):
        """Call ``hook(position)`` after each layer; see `before_forward`."""
        self._after_forward.append(hook)

    def before_backward(self, hook):
        """Call ``hook(position)`` before each layer of a backward pass; see `before_forward`."""
        self._before_backward.append(hook)

    def after_backward(self, hook):
        """Call ``hook(position)`` after each layer of a backward pass; see `before_forward`."""
        self._after_backward.append(hook)

    def forward_range(self, first, last, read=(), way_back=True):
        if not (self._before_forward or self._after_forward):
            super().forward_range(first, last, read, way_back)
            return
        for position in range(first, last + 1):
            for hook in self._before_forward:
                hook(position)
            super().forward_range(position, position, read, way_back)
            for hook in self._after_forward:
                hook(position)

    def backward_range(self, first, last):
        if not (self._before_backward or self._after_backward):
            super().backward_range(first, last)
            return
        for position in range(first, last - 1, -1):
            for hook in self._before_backward:
                hook(position)
            super().backward_range(position, position)
            for hook in self._after_backward:
                hook(position)
