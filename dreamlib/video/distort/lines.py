"""Rows or columns: rolled, each as far as a function of its number says, or sorted in runs.

The functions are read, never evaluated as code.
"""

import re
from dataclasses import dataclass

import numpy as np

from dreamlib.errors import nearest
from dreamlib.imaging.color import luminance_of
from dreamlib.imaging.inplace import BLOCK
from dreamlib.video.distort.fields import Field, Malformed, Number, Range, Whole, Word, split
from dreamlib.video.distort.registry import distortion

#: How an axis is written.
AXES = ("rows", "cols")

#: How a function of a line's number is written.
FORM = "NUMBER, N%, linear(SLOPE[,START]), sine(AMPLITUDE,PERIOD[,PHASE]) or random(LOW,HIGH)"

#: Each function's arguments, and the values of those that may be left out.
_ARGUMENTS = {
    "linear": (("SLOPE", "START"), (0.0,)),
    "sine": (("AMPLITUDE", "PERIOD", "PHASE"), (0.0,)),
    "random": (("LOW", "HIGH"), ()),
}


@dataclass(frozen=True)
class Term:
    """One function."""

    name: str  #: 'constant', 'share', or a key of `_ARGUMENTS`
    arguments: tuple

    def __call__(self, lines, length, random):
        values = self.arguments
        if self.name == "linear":
            return values[0] * lines + values[1]
        if self.name == "sine":
            return values[0] * np.sin(2 * np.pi * (lines / values[1] + values[2] / 360))
        if self.name == "random":
            return random.uniform(*values, lines.shape)
        return np.full(lines.shape, values[0] * (length / 100 if self.name == "share" else 1.0))

    def __str__(self):
        if self.name in ("constant", "share"):
            return Number().write(self.arguments[0]) + "%" * (self.name == "share")
        defaults = _ARGUMENTS[self.name][1]
        values = self.arguments
        if defaults and values[-1] == defaults[-1]:
            values = values[:-1]
        return f"{self.name}({','.join(map(Number().write, values))})"


@dataclass(frozen=True)
class Function:
    """A sum of terms; made by `LineFunction`.

    Calling it with the numbers of lines, (n,) ndarray of float64, the length of a line in pixels
    and a RandomState gives (n,) float64, in pixels.
    """

    terms: tuple

    def __call__(self, lines, length, random):
        return sum(term(lines, length, random) for term in self.terms)

    def __str__(self):
        return "+".join(map(str, self.terms))


def _term(text, what):
    call = re.fullmatch(r"(\w+)\s*\((.*)\)", text)
    if not call:
        share = text.endswith("%")
        if not text or text[0] not in "+-.%0123456789":
            close = nearest(text, _ARGUMENTS)
            raise Malformed(f"{what} is {text!r}; it must be {FORM}{close}")
        return Term("share" if share else "constant", (Number().read(text.rstrip("%"), what),))
    name, texts = call[1], split(call[2], ",")
    if name not in _ARGUMENTS:
        raise Malformed(
            f"{what}: there is no function {name!r}; it must be {FORM}{nearest(name, _ARGUMENTS)}"
        )
    names, defaults = _ARGUMENTS[name]
    if not len(names) - len(defaults) <= len(texts) <= len(names):
        raise Malformed(f"{what}: {name} needs ({','.join(names)}), not ({call[2]})")
    values = [Number().read(each, f"{what}: {argument}") for each, argument in zip(texts, names)]
    values += defaults[len(texts) + len(defaults) - len(names) :]
    if name == "sine" and values[1] == 0:
        raise Malformed(f"{what}: PERIOD is 0; it must be a number of lines")
    if name == "random" and values[0] > values[1]:
        raise Malformed(f"{what}: random's LOW is above its HIGH")
    return Term(name, tuple(values))


class LineFunction(Field):
    """A function, or a sum of some: `FORM` with + between them.

    N% is a share of the line's length, phases are in degrees.
    """

    sign = "FUNC"

    def read(self, text, what):
        # A plus that begins a number or is part of its exponent is none between terms.
        joined = re.sub(r"(?<=[\d%.)\s])\+(?![^(]*\))", ";", text)
        return Function(tuple(_term(piece.strip(), what) for piece in split(joined, ";")))

    def write(self, value):
        return str(value)


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
    by : Function
        Pixels to the right or downwards, by number of the line.
    group : int
        Number of neighbouring lines that roll alike.
    from_, to : Function, optional
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
