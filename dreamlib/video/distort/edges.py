"""A picture of its own edges: `sobel` and `prewitt`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.imaging.color import luminance_of
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips
from dreamlib.video.distort.fields import written

#: Levels of an edge for each level by which neighbouring pixels differ: the edges of a photograph,
#: a few levels a pixel, could not be seen as they are.
GAIN = 4


@dataclass(frozen=True)
class Edges:
    """How steep the picture is, in levels a pixel times `GAIN`, mixed with the picture.

    Across its direction a kernel takes a difference, ``-1 0 1``, along it the mean that `MEAN` is
    the weights of. Beyond its borders the picture goes on with its last pixels.
    """

    colour: bool
    share: float

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        colour = fields.flag("colour")
        return cls(colour, fields.number("SHARE", 0, 1, 1.0))

    def __str__(self):
        share = "" if self.share == 1 else f":{written(self.share)}"
        return f"{self.NAME}{':colour' * self.colour}{share}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of some blocks of rows."""
        height, width = picture.shape[:2]
        above = picture[:1].copy()  # the row above the strip, as it was
        for top, bottom in strips(height, width, BLOCK // 3, 1):
            rows = picture[top:bottom]
            below = picture[min(bottom, height - 1)][None]
            window = np.concatenate([above, rows, below])
            above = window[-2:-1]
            edges = self._steepness(window if self.colour else luminance_of(window)[..., None])
            np.minimum(edges, 255, out=edges)
            rows *= np.float32(1 - self.share)
            edges *= np.float32(self.share)
            rows += edges

    def _steepness(self, window):
        """Return the steepness of (n + 2, W, c) rows, without the first and the last of them."""
        window = np.pad(window, ((0, 0), (1, 1), (0, 0)), mode="edge")
        before, here, after = np.float32(self.MEAN) * np.float32(GAIN / (2 * sum(self.MEAN)))
        difference = window[2:] - window[:-2]
        down = difference[:, :-2] * before
        down += difference[:, 1:-1] * here
        down += difference[:, 2:] * after
        difference = window[:, 2:] - window[:, :-2]
        across = difference[:-2] * before
        across += difference[1:-1] * here
        across += difference[2:] * after
        return np.hypot(down, across, out=down)


class Sobel(Edges):
    """Edges by Sobel's kernel."""

    MEAN = (1, 2, 1)
    NAME = "sobel"
    FORM = "sobel[:colour][:SHARE]"
    HELP = (
        "the picture's edges, grey, or with colour each channel's own; SHARE of them, 0 to 1, and "
        "the rest of the picture"
    )


class Prewitt(Edges):
    """Edges by Prewitt's kernel."""

    MEAN = (1, 1, 1)
    NAME = "prewitt"
    FORM = "prewitt[:colour][:SHARE]"
    HELP = "as sobel, but by Prewitt's kernel, which is a little softer"
