"""Rows or columns that are rolled, each as far as a function of its number says."""

import numpy as np

from dreamlib.video.distort.fields import Number, Whole, Word
from dreamlib.video.distort.functions import FORM, LineFunction
from dreamlib.video.distort.lines import AXES, lines_of
from dreamlib.video.distort.registry import distortion


@distortion(
    "roll each row or column, or both by turns, by FUNC of its number, in groups of N, only "
    f"between two places; the functions move by V lines a frame. FUNC is {FORM}, or a sum with +"
)
def roll(
    picture,
    moment,
    axis: Word(*AXES, "alternate"),
    by: LineFunction(),
    *,
    group: Whole(1, 1_000_000, sign="N") = 1,
    from_: LineFunction() = None,
    to: LineFunction() = None,
    speed: Number(sign="V") = 0.0,
):
    """Roll lines in themselves: pixels change place, none is lost.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of some columns.
    moment : dreamlib.video.distort.chain.Moment
    axis : {'rows', 'cols', 'alternate'}
    by : dreamlib.video.distort.functions.Function
        Pixels to the right or downwards, by number of the line.
    group : int
        Number of neighbouring lines that roll alike.
    from_, to : dreamlib.video.distort.functions.Function, optional
        The first pixel of the line that moves, and the one after the last.
    speed : float
        Lines by which the functions move each time.
    """
    if axis == "alternate":
        axis = AXES[moment.turn % 2]
    count, length = picture.shape[:2] if axis == "rows" else picture.shape[1::-1]
    groups, random = -(-count // group), moment.random()
    numbers = np.arange(groups) * float(group) - speed * moment.turn

    def places(function, default):
        if function is None:
            return np.full(groups, default)
        values = np.clip(function(numbers, length, random), -1e15, 1e15)
        return np.rint(values).astype(np.int64)

    shifts = places(by, 0)
    starts = np.clip(places(from_, 0), 0, length)
    stops = np.clip(places(to, length), starts, length)
    shifts %= np.maximum(stops - starts, 1)
    plan = [np.repeat(each, group)[:count].tolist() for each in (shifts, starts, stops)]
    for first, lines in lines_of(picture, axis):
        for line, shift, start, stop in zip(lines, *(each[first:] for each in plan)):
            if shift:
                part = line[start:stop]
                kept = part.copy()
                part[shift:] = kept[:-shift]
                part[:shift] = kept[-shift:]
