"""Functions of a line's number: how far it rolls, and between which places.

They are read, never evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dreamlib.errors import nearest
from dreamlib.video.distort.fields import Field, Malformed, Number, split

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
