"""A Gaussian blur."""

from __future__ import annotations

from dataclasses import dataclass

from dreamlib.imaging.filters import gaussian_blur
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
        gaussian_blur(picture.transpose(2, 0, 1), self.sigma)
