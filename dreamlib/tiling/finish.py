"""The dreamt picture mixed with the undreamt one, once all octaves are dreamt."""

from __future__ import annotations

import numpy as np

from dreamlib.ascent.mask import Mask
from dreamlib.imaging.color import blend_undreamt, keep_colour
from dreamlib.imaging.picture import Window
from dreamlib.imaging.resample import strips
from dreamlib.tiling.pyramid import Resized
from dreamlib.tiling.quantize import Quantizer


def apply_finish(finish, canvas, target, quantizer, source, window, size):
    """Mix a dreamt canvas with the undreamt picture, strip by strip.

    Parameters
    ----------
    finish : dreamlib.tiling.octaves.Finish
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
    mask = Mask.read(finish.mask) if finish.mask else None
    for top, bottom in strips(window.height, window.width, least=1):
        here = Window(top, 0, bottom - top, window.width)
        there = here._replace(top=window.top + top, left=window.left)
        rows = canvas.read(here)
        if quantizer.levels is None:
            rows = quantizer.as_levels(rows)
        undreamt = _undreamt(source, there, size, quantizer.rule)
        if finish.keep_colour:
            keep_colour(rows, undreamt)
        if mask:
            blend_undreamt(rows, undreamt, mask.part(there, size) * np.float32(finish.strength))
        elif finish.strength != 1:
            blend_undreamt(rows, undreamt, finish.strength)
        if quantizer.levels is None:  # back to the network's own values
            for channel, mean in zip(quantizer.rule.order, quantizer.rule.mean):
                rows[..., channel] -= mean
                rows[..., channel] *= quantizer.rule.scale
        target.write(here, rows)


def _undreamt(source, window, size, rule):
    """Read a window of the undreamt picture of a size: rows whose numbers are levels."""
    if tuple(source.size) == tuple(size):
        return source.canvas.read(window)
    edges = (window.top, window.top + window.height, window.left, window.left + window.width)
    exact = Quantizer(rule, np.float32)
    return exact.as_levels(exact.encode(Resized(source, size).rows(*edges), window, 0))
