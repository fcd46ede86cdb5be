"""The dreamt picture mixed with the undreamt one, once all octaves are dreamt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.imaging.picture import Window
from dreamlib.imaging.resample import strips
from dreamlib.tiling.pyramid import Resized
from dreamlib.tiling.quantize import Quantizer


@dataclass(frozen=True)
class Finish:
    """How the result is mixed with the undreamt picture.

    Attributes
    ----------
    keep_colour : bool
        The undreamt picture's colours, the dream's light and shade.
    strength : float
        Share of the dream in the result.
    mask : str
        Path of a picture of that share; "" is none.
    """

    keep_colour: bool = False
    strength: float = 1.0
    mask: str = ""

    @property
    def is_on(self):
        """Whether there is anything to do."""
        return bool(self.keep_colour or self.strength != 1 or self.mask)

    def apply(self, canvas, target, quantizer, source, window, size):
        """Finish a dreamt canvas, strip by strip.

        Parameters
        ----------
        canvas, target : dreamlib.tiling.canvas.Canvas
            Read, and written to. They may be one, but not where a kill is to be survived: a blend
            that is done twice is another one.
        quantizer : dreamlib.tiling.quantize.Quantizer
            Of both.
        source : dreamlib.tiling.pyramid.Stored
            The undreamt picture.
        window : dreamlib.imaging.picture.Window
            The part of the picture that the canvas holds.
        size : (height, width)
            Of the picture.
        """
        from dreamlib.ascent.mask import Mask

        mask = Mask.read(self.mask) if self.mask else None
        for top, bottom in strips(window.height, window.width, least=1):
            here = Window(top, 0, bottom - top, window.width)
            there = here._replace(top=window.top + top, left=window.left)
            rows = canvas.read(here)
            if quantizer.levels is None:
                rows = quantizer.as_levels(rows)
            self._mix(
                rows,
                _undreamt(source, there, size, quantizer.rule),
                mask and mask.part(there, size),
            )
            if quantizer.levels is None:  # back to the network's own values
                for channel, mean in zip(quantizer.rule.order, quantizer.rule.mean):
                    rows[..., channel] -= mean
                    rows[..., channel] *= quantizer.rule.scale
            target.write(here, rows)

    def _mix(self, dreamt, undreamt, share):
        """Mix rows of both pictures, levels as in `dreamlib.imaging.color`, into the first."""
        from dreamlib.imaging.color import blend_undreamt, keep_colour

        if self.keep_colour:
            keep_colour(dreamt, undreamt)
        if share is not None:
            share *= np.float32(self.strength)
            blend_undreamt(dreamt, undreamt, share)
        elif self.strength != 1:
            blend_undreamt(dreamt, undreamt, self.strength)


def _undreamt(source, window, size, rule):
    """Read a window of the undreamt picture of a size: rows whose numbers are levels."""
    if tuple(source.size) == tuple(size):
        return source.canvas.read(window)
    edges = (window.top, window.top + window.height, window.left, window.left + window.width)
    exact = Quantizer(rule, np.float32)
    return exact.as_levels(exact.encode(Resized(source, size).rows(*edges), window, 0))
