"""Steps taken by this process alone, where there are no workers."""

from __future__ import annotations

import contextlib


class InProcess:
    """Steps taken in this process.

    Parameters
    ----------
    stepper : dreamlib.tiling.stepper.Stepper
    """

    def __init__(self, stepper):
        self._stepper = stepper

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Do nothing: there are no processes to end."""

    def steps(self, place, scale, tiles, indices, canvas, target, base=None):
        """Step on some tiles of a phase.

        Parameters
        ----------
        tiles : list of dreamlib.tiling.schedule.Tile
            All of the phase.
        indices : list of int
            Those to step on.
        place, scale, canvas, target, base
            As for `Stepper.steps`.

        Yields
        ------
        index : int
        sums : tuple of float
            See `Stepper.steps`.
        """
        chosen = [tiles[index] for index in indices]
        stepping = self._stepper.steps(place, scale, chosen, canvas, target, base)
        with contextlib.closing(stepping):
            for position, sums in stepping:
                yield indices[position], sums

    def measure(self, octave, pass_, phases, places, canvas):
        """Measure some tiles of a pass, and change nothing.

        Parameters
        ----------
        octave, pass_ : int
        phases : list of list of dreamlib.tiling.schedule.Tile
            All of the pass.
        places : list of (phase, index)
            Those to measure.
        canvas : dreamlib.tiling.canvas.Canvas

        Yields
        ------
        place : (phase, index)
        sums : tuple of float
            See `Stepper.measure`.
        """
        for phase, index in places:
            yield (phase, index), self._stepper.measure(octave, phases[phase][index], canvas)
