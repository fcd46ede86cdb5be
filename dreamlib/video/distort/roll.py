"""Rows or columns that are rolled, each as far as a function of its number says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.video.distort import functions
from dreamlib.video.distort.fields import number, whole, written
from dreamlib.video.distort.functions import Function
from dreamlib.video.distort.lines import AXES, lines_of


@dataclass(frozen=True)
class Roll:
    """Roll lines in themselves: pixels change place, none is lost.

    Attributes
    ----------
    axis : {'rows', 'cols', 'alternate'}
    shift : Function
        Pixels to the right, or downwards; rounded.
    group : int
        So many neighbouring lines are rolled alike.
    start, stop : Function, optional
        Between which places of a line it is rolled; by default all of it.
    speed : float
        The functions move downwards, or to the right, by so many lines a turn.
    """

    axis: str
    shift: Function
    group: int = 1
    start: Function | None = None
    stop: Function | None = None
    speed: float = 0.0

    NAME = "roll"
    FORM = "roll:rows|cols|alternate:FUNC[:group=N][:from=FUNC][:to=FUNC][:speed=V]"
    HELP = (
        "roll each row or column, or both by turns, by FUNC of its number, in groups of N, only "
        f"between two places; the functions move by V lines a frame. FUNC is {functions.FORM}, or "
        "a sum with +"
    )

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        axis = fields.word("the axis", (*AXES, "alternate"))
        shift = functions.parse(fields.next("FUNC"), "FUNC")
        group, speed = fields.named("group"), fields.named("speed")
        bounds = [fields.named(name) for name in ("from", "to")]
        return cls(
            axis,
            shift,
            1 if group is None else whole(group, "group", 1, 1_000_000),
            *(text and functions.parse(text, name) for text, name in zip(bounds, ("from", "to"))),
            0.0 if speed is None else number(speed, "speed"),
        )

    def __str__(self):
        text = f"roll:{self.axis}:{self.shift}"
        if self.group != 1:
            text += f":group={self.group}"
        if self.start is not None:
            text += f":from={self.start}"
        if self.stop is not None:
            text += f":to={self.stop}"
        return text + (f":speed={written(self.speed)}" if self.speed else "")

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of a strip of columns."""
        axis = AXES[moment.turn % 2] if self.axis == "alternate" else self.axis
        count, length = picture.shape[:2] if axis == "rows" else picture.shape[1::-1]
        shifts, starts, stops = self._plan(count, length, moment)
        for first, lines in lines_of(picture, axis):
            for line, shift, start, stop in zip(
                lines, shifts[first:], starts[first:], stops[first:]
            ):
                if shift:
                    part = line[start:stop]
                    kept = part.copy()
                    part[shift:] = kept[:-shift]
                    part[:shift] = kept[-shift:]

    def _plan(self, count, length, moment):
        """Return for each line how far it is rolled, 0 to the length of the part, and that part."""
        groups = -(-count // self.group)
        numbers = np.arange(groups) * float(self.group) - self.speed * moment.turn
        random = moment.random()

        def whole_numbers(function, default):
            if function is None:
                return np.full(groups, default)
            values = np.clip(function(numbers, length, random), -1e15, 1e15)
            return np.rint(values).astype(np.int64)

        shifts = whole_numbers(self.shift, 0)
        starts = np.clip(whole_numbers(self.start, 0), 0, length)
        stops = np.clip(whole_numbers(self.stop, length), starts, length)
        shifts %= np.maximum(stops - starts, 1)
        return [np.repeat(each, self.group)[:count].tolist() for each in (shifts, starts, stops)]
