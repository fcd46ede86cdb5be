"""Rows or columns: rolled, each as far as a function of its number says, or sorted in runs."""

import numpy as np

from dreamlib.imaging.color import luminance_of
from dreamlib.imaging.inplace import BLOCK
from dreamlib.video.distort.fields import Number, Range, Whole, Word
from dreamlib.video.distort.functions import FORM, LineFunction
from dreamlib.video.distort.registry import distortion

#: How an axis is written.
AXES = ("rows", "cols")


def _lines_of(picture, axis):
    """Yield the number of a first row or column, and the lines from there: (n, length, 3) ndarray.

    What is changed in them changes in the picture. Columns are a copy of bounded size, written back
    when the next are asked for: memory is walked along its rows, not column by column.
    """
    across = picture if axis == "rows" else picture.transpose(1, 0, 2)
    count = max(1, BLOCK // max(1, across.shape[1]))
    for first in range(0, across.shape[0], count):
        there = across[first : first + count]
        if axis == "rows":
            yield first, there
        else:
            lines = np.ascontiguousarray(there)
            yield first, lines
            there[:] = lines


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
    for first, lines in _lines_of(picture, axis):
        for line, shift, start, stop in zip(lines, *(each[first:] for each in plan)):
            if shift:
                part = line[start:stop]
                kept = part.copy()
                part[shift:] = kept[:-shift]
                part[:shift] = kept[-shift:]


@distortion(
    "sort pixels by brightness along rows or columns, in runs of those from LOW to HIGH, 60..200 "
    "if not given; dark to bright unless falling"
)
def pixelsort(
    picture, moment, axis: Word(*AXES), within: Range(0, 255) = (60, 200), falling: bool = False
):
    """Sort each run of pixels within thresholds; the others stay.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of some lines.
    moment : dreamlib.video.distort.chain.Moment
    axis : {'rows', 'cols'}
    within : tuple of float
        Lowest and highest luminance of a pixel that is sorted, 0 to 255.
    falling : bool
        Bright to dark.
    """
    low, high = within
    for _, lines in _lines_of(picture, axis):
        brightness = luminance_of(lines).astype(np.float64)
        inside = (brightness >= low) & (brightness <= high)
        # A run begins at every pixel, but for those that are inside as the one before is.
        begins = np.ones(inside.shape, bool)
        begins[:, 1:] = ~(inside[:, 1:] & inside[:, :-1])
        # One sort for all runs: a pixel of a later run is larger, whatever its brightness.
        keys = begins.cumsum(axis=1) * 512.0
        keys += np.where(inside, -brightness if falling else brightness, 0)
        order = keys.argsort(axis=1, kind="stable")
        lines[:] = np.take_along_axis(lines, order[..., None], axis=1)
