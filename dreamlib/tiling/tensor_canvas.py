"""A canvas in the memory of a GPU: tiles are cut from it and put onto it where they are computed.

Reading and writing take the stream that computes, in the order in which they are asked for; only
what is read into an array, or written from one, makes the host wait.
"""

from __future__ import annotations

import numpy as np
import torch

from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.transfer import CARRIERS


class TensorCanvas(Canvas):
    """A picture of pixels ``(height, width, 3)``, RGB, which a tensor holds; black at first.

    `read` and `write` take arrays, which travel, and tensors on the canvas's device of the dtype
    that carries its own (see `CARRIERS`), which do not.

    Parameters
    ----------
    height, width, dtype, wrap
        As for `Canvas`.
    device : torch.device or str

    Attributes
    ----------
    device : torch.device
    """

    def __init__(self, height, width, dtype, wrap="none", *, device):
        self.shape = (int(height), int(width), 3)
        self.dtype, self.wrap, self.path = np.dtype(dtype), wrap, None
        self.device, self._file = torch.device(device), None
        self._pixels = self._room(*self.shape[:2]).zero_()

    def array(self):
        """Return a copy of the pixels, in RAM: (H, W, 3) ndarray."""
        return self.read(Window(0, 0, *self.shape[:2]))

    def copy(self, window, source):
        room = self._room(window.height, window.width)
        self.write(window, source.read(window, room))

    def _room(self, height, width):
        carrier = getattr(torch, CARRIERS[self.dtype.name])
        return torch.empty(height, width, 3, dtype=carrier, device=self.device)

    def _get(self, rows, columns, out):
        pixels = self._pixels[rows.here, columns.here]
        mirrored = [axis for axis, run in enumerate((rows, columns)) if run.step < 0]
        if mirrored:
            pixels = pixels.flip(mirrored)
        self._as_tensor(out).copy_(pixels)

    def _put(self, rows, columns, pixels):
        if isinstance(pixels, np.ndarray):
            # Strides may be of any kind, and PyTorch takes no array that is read-only.
            pixels = np.require(pixels, self.dtype, ["C", "W"])
        self._pixels[rows.here, columns.here].copy_(self._as_tensor(pixels))

    def _as_tensor(self, pixels):
        """Return pixels as a tensor of the same memory."""
        if isinstance(pixels, np.ndarray):
            return torch.from_numpy(pixels.view(CARRIERS[self.dtype.name]))
        return pixels
