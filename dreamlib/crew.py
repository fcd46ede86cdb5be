"""Who paints a phase's visits: this process alone."""

from __future__ import annotations

import contextlib


class Alone:
    """One painter, in this process.

    Parameters
    ----------
    painter : dreamlib.painter.Painter
    """

    def __init__(self, painter):
        self._painter = painter

    def paint(self, place, visits, indices, canvas, target, mean, turn):
        """Paint some visits of a phase.

        Parameters
        ----------
        place : (octave, turn, phase)
        visits : list of dreamlib.tiles.Visit
            All of the phase.
        indices : list of int
            Which to paint.
        canvas, target, mean, turn
            As for `Painter.paint`.

        Yields
        ------
        index : int
        sum_abs : float
            What `Painter.paint` returned.
        """
        if hasattr(self._painter, "paint_many"):
            chosen = [visits[index] for index in indices]
            painting = self._painter.paint_many(chosen, canvas, target, mean, turn)
            with contextlib.closing(painting):
                for position, sum_abs in painting:
                    yield indices[position], sum_abs
            return
        for index in indices:
            yield index, self._painter.paint(visits[index], canvas, target, mean, turn)

    def measure(self, place, visits, indices, canvas):
        """Measure some visits of a phase: yields what `paint` does, and changes nothing."""
        for index in indices:
            yield index, self._painter.measure(visits[index], canvas)
