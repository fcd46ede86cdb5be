"""Adam's moments: for each pixel of an octave the running means of its gradient and of its square.

After Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015). The moments belong to
places of the picture, not of the window that a tile, or jitter, shows to the network, so they lie
on canvases of their own: in RAM, 24 bytes a pixel, anew for every octave.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.resample import strips
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.schedule import interior_slices

#: Decay of the two means, as in the paper.
FIRST, SECOND = 0.9, 0.999

#: What is added to the root of the second moment, as a share of the mean |gradient|: the paper's
#: number is for gradients near 1.
EPSILON = 1e-8


class Moments:
    """The moments of the octave that is under way.

    Parameters
    ----------
    network : dreamlib.tiling.network.ArrayNetwork or TensorNetwork
    """

    def __init__(self, network):
        self._network = network
        self._octave, self._canvases = None, ()

    def begin(self, octave, canvas):
        """Make the moments of an octave, all 0, unless it is under way.

        Parameters
        ----------
        octave : int
        canvas : dreamlib.tiling.canvas.Canvas
            That is dreamt.
        """
        if octave == self._octave:
            return
        self._canvases = ()  # before there are others
        size = canvas.shape[:2]
        self._canvases = [Canvas(*size, np.float32, canvas.wrap) for _ in range(2)]
        self._octave = octave

    def advance(self, gradient, tile, time, mean):
        """Take in a tile's gradient and make it Adam's step, in place; by strips.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            Of the tile's window. Changed: what becomes of it is near 1 or -1 in a first step, and
            the smaller the more the gradient at a pixel changes.
        tile : dreamlib.tiling.schedule.Tile
            What lies beyond its interior is another tile's to take in.
        time : int
            Number of the step that the octave's pixels take, from 1.
        mean : scalar
            Mean |gradient| of the picture.
        """
        window, (inside, columns) = tile.window, interior_slices(tile)
        softness = EPSILON * float(mean) + 1e-30
        for top, bottom in strips(window.height, window.width, least=1):
            part = gradient[:, top:bottom]
            there = window._replace(top=window.top + top, height=bottom - top)
            # A canvas holds the colours of a pixel side by side.
            seen = part if isinstance(part, np.ndarray) else part.cpu().numpy()
            seen = seen.transpose(1, 2, 0)
            first, second = (canvas.read(there) for canvas in self._canvases)
            first += (1 - FIRST) * (seen - first)
            second += (1 - SECOND) * (seen * seen - second)
            rows = slice(max(top, inside.start) - top, min(bottom, inside.stop) - top)
            if rows.start < rows.stop:
                target = tile.interior._replace(
                    top=there.top + rows.start, height=rows.stop - rows.start
                )
                for canvas, moment in zip(self._canvases, (first, second)):
                    canvas.write(target, moment[rows, columns])
            second /= 1 - SECOND**time
            np.sqrt(second, out=second)
            second += softness
            first /= second
            first /= 1 - FIRST**time
            part[:] = self._network.on_device(np.ascontiguousarray(first.transpose(2, 0, 1)))
