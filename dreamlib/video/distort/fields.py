"""The fields behind a distortion's name, ``zoom:0.05:0.5:0.5:every=2``, and the kinds of them."""

import math
import re

from dreamlib.errors import nearest

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


#: Of a number without limits of its own: more would leave every picture, and every integer.
MOST = 1e9


class Malformed(Exception):
    """A fault of a part, to be completed with the part and its form."""


def split(text, separator):
    """Cut a text at each separator that is not within parentheses, which must match.

    Parameters
    ----------
    text, separator : str

    Returns
    -------
    list of str
        Without spaces around them.
    """
    pieces, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == separator and not depth:
            pieces.append(text[start:place].strip())
            start = place + 1
    if depth:
        raise Malformed(f"the parentheses of {text!r} do not match")
    return [*pieces, text[start:].strip()]


class Field:
    """A kind of field: the annotation of a parameter of a distortion.

    Attributes
    ----------
    sign : str or None
        Stands for the field in the form; None for the parameter's name.
    """

    sign = None

    def read(self, text, what):
        """Read a value, or raise `Malformed`.

        Parameters
        ----------
        text : str
        what : str
            The field's name, for errors.

        Returns
        -------
        object
        """
        return text

    def write(self, value):
        """Write a value so that reading it gives the same: see `read`.

        Returns
        -------
        str
        """
        return value


class Number(Field):
    """A finite number from `low` to `high`."""

    def __init__(self, low=-MOST, high=MOST, sign=None):
        self.low, self.high, self.sign = low, high, sign

    def read(self, text, what):
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value):
            raise Malformed(f"{what} is {text!r}, which is no number")
        if not self.low <= value <= self.high:
            raise Malformed(f"{what} is {text}; it must be from {self.low:g} to {self.high:g}")
        return value

    def write(self, value):
        whole = value == int(value) and abs(value) < 1e15
        return str(int(value)) if whole else repr(float(value))


class Whole(Number):
    """A whole number from `low` to `high`."""

    def read(self, text, what):
        value = super().read(text, what)
        if value != int(value):
            raise Malformed(f"{what} is {text}; it must be a whole number")
        return int(value)


class Word(Field):
    """One of some words."""

    def __init__(self, *words):
        self.words, self.sign = words, "|".join(words)

    def read(self, text, what):
        if text not in self.words:
            close = nearest(text, self.words)
            raise Malformed(f"the {what} is {text!r}; it must be {' or '.join(self.words)}{close}")
        return text


class Numbers(Field):
    """Numbers with commas between them: a tuple of float, one for each name."""

    def __init__(self, *names):
        self.names, self.sign = names, ",".join(names)

    def read(self, text, what):
        texts = split(text, ",")
        if len(texts) != len(self.names):
            raise Malformed(f"{len(texts)} numbers are given, {len(self.names)} are needed")
        return tuple(Number().read(one, name) for one, name in zip(texts, self.names))

    def write(self, value):
        return ",".join(map(Number().write, value))


class Size(Field):
    """Rows and columns, ``3x4``: a tuple of int."""

    sign = "ROWSxCOLUMNS"

    def read(self, text, what):
        rows, cross, columns = text.partition("x")
        if not cross:
            raise Malformed(f"{rows!r} is no size like 3x4")
        return Whole(1, 1000).read(rows, "ROWS"), Whole(1, 1000).read(columns, "COLUMNS")

    def write(self, value):
        return f"{value[0]}x{value[1]}"


class Range(Number):
    """Two numbers, ``60..200``: a tuple of float."""

    def __init__(self, low, high):
        super().__init__(low, high, "LOW..HIGH")

    def read(self, text, what):
        first, dots, last = text.partition("..")
        if not dots:
            raise Malformed(f"{first!r} is no range like 60..200")
        ends = super().read(first, "LOW"), super().read(last, "HIGH")
        if ends[0] > ends[1]:
            raise Malformed("LOW is above HIGH")
        return ends

    def write(self, value):
        return "..".join(map(super().write, value))


class Name(Field):
    """A text, taken as it is."""


class Fields:
    """The fields of one part; those with a name, ``every=2``, may come in any order.

    Parameters
    ----------
    texts : list of str
    """

    def __init__(self, texts):
        self._given = [text for text in texts if "=" not in text]
        self._named = {}
        for text in texts:
            name, named, value = text.partition("=")
            if named and name.strip() in self._named:
                raise Malformed(f"{name.strip()}= is there twice")
            if named:
                self._named[name.strip()] = value.strip()

    def next(self):
        """Take the next field without a name: its text, or None."""
        return self._given.pop(0) if self._given else None

    def take(self, word):
        """Take a word if it is next, and tell whether it was.

        Parameters
        ----------
        word : str

        Returns
        -------
        bool
        """
        found = self._given[:1] == [word]
        if found:
            self._given.pop(0)
        return found

    def named(self, name):
        """Take the text of a field with a name.

        Parameters
        ----------
        name : str

        Returns
        -------
        str or None
        """
        return self._named.pop(name, None)

    def end(self):
        """Raise `Malformed` where something is left."""
        left = self._given + [f"{name}={value}" for name, value in self._named.items()]
        if left:
            raise Malformed(f"{left[0]!r} has no meaning there")
