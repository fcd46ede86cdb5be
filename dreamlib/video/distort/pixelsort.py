"""Pixels sorted by their brightness, in runs along rows or columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.imaging.color import luminance_of
from dreamlib.video.distort.fields import Malformed, number, written
from dreamlib.video.distort.lines import AXES, lines_of


@dataclass(frozen=True)
class PixelSort:
    """Sort each run of pixels whose brightness is within thresholds; the others stay."""

    axis: str
    low: float
    high: float
    falling: bool

    NAME = "pixelsort"
    FORM = "pixelsort:rows|cols[:LOW..HIGH][:falling]"
    HELP = (
        "sort pixels by brightness along rows or columns, in runs of those from LOW to HIGH, "
        "60..200 if not given; dark to bright unless falling"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        axis = fields.word("the axis", AXES)
        falling = fields.flag("falling")
        low, high = 60.0, 200.0
        if fields.more() and not falling:
            first, dots, last = fields.next("LOW..HIGH").partition("..")
            if not dots:
                raise Malformed(f"{first!r} is no range like 60..200")
            low, high = number(first, "LOW", 0, 255), number(last, "HIGH", 0, 255)
            if low > high:
                raise Malformed("LOW is above HIGH")
            falling = fields.flag("falling")
        return cls(axis, low, high, falling)

    def __str__(self):
        given = (self.low, self.high) != (60, 200)
        within = f":{written(self.low)}..{written(self.high)}" if given else ""
        return f"pixelsort:{self.axis}{within}{':falling' * self.falling}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of some blocks of lines."""
        for _, lines in lines_of(picture, self.axis):
            brightness = luminance_of(lines).astype(np.float64)
            inside = (brightness >= self.low) & (brightness <= self.high)
            # A run begins at every pixel, but for those that are inside as the one before is.
            begins = np.ones(inside.shape, bool)
            begins[:, 1:] = ~(inside[:, 1:] & inside[:, :-1])
            # One sort for all runs: what is in a later run is larger, whatever its brightness.
            keys = begins.cumsum(axis=1) * 512.0
            keys += np.where(inside, -brightness if self.falling else brightness, 0)
            order = keys.argsort(axis=1, kind="stable")
            lines[:] = np.take_along_axis(lines, order[..., None], axis=1)
