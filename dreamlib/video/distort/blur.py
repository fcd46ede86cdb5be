"""A Gaussian blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.ascent.gradient_filters import blur, gaussian_taps
from dreamlib.video.distort.fields import written


@dataclass(frozen=True)
class Blur:
    """Blur: what is small fades and is dreamt anew; the mean stays."""

    sigma: float

    NAME = "blur"
    FORM = "blur:SIGMA"
    HELP = "blur by a Gaussian of so many pixels, 0 to 100"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(fields.number("SIGMA", 0, 100))

    def __str__(self):
        return f"blur:{written(self.sigma)}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of a plane."""
        taps = gaussian_taps(self.sigma) if self.sigma else [1.0]
        if len(taps) == 1:
            return
        plane = np.empty(picture.shape[:2], np.float32)
        for channel in range(3):
            blur(picture[..., channel], taps, plane)
            picture[..., channel] = plane
