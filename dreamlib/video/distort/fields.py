"""The fields behind a distortion's name, ``zoom:0.05:0.5:0.5:every=2``, and the kinds of them."""

import math
import re

from dreamlib.errors import nearest

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Malformed(Exception):
    """A fault of a part, to be completed with the part and its form."""


def split(text, separator):
    """Cut a text at each separator that is not within parentheses.

    Parameters
    ----------
    text : str
    separator : str
        One character.

    Returns
    -------
    list of str
        Without spaces around them.

    Raises
    ------
    Malformed
        Parentheses do not match.
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


def number(text, what, low=-math.inf, high=math.inf):
    """Read a finite number from `low` to `high`.

    Parameters
    ----------
    text : str
    what : str
        Its name, for errors.
    low, high : float

    Returns
    -------
    float

    Raises
    ------
    Malformed
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Malformed(f"{what} is {text!r}, which is no number")
    if not low <= value <= high:
        raise Malformed(f"{what} is {text}; it must be {_range(low, high)}")
    return value


def _range(low, high):
    if high == math.inf:
        return f"at least {low:g}"
    return f"from {low:g} to {high:g}"


def whole(text, what, low, high):
    """Read a whole number from `low` to `high`.

    Parameters
    ----------
    text : str
    what : str
        Its name, for errors.
    low, high : float

    Returns
    -------
    int

    Raises
    ------
    Malformed
    """
    value = number(text, what, low, high)
    if value != int(value):
        raise Malformed(f"{what} is {text}; it must be a whole number")
    return int(value)


def written(value):
    """Write a number, as shortly as reading it gives the same one.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


class Field:
    """A kind of field: the annotation of a parameter of a distortion.

    Attributes
    ----------
    sign : str or None
        Stands for the field in the form; None for the parameter's name.
    """

    sign = None

    def read(self, text, what):
        """Read a value.

        Parameters
        ----------
        text : str
        what : str
            The field's name, for errors.

        Returns
        -------
        object

        Raises
        ------
        Malformed
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
    """A number from `low` to `high`."""

    def __init__(self, low=-math.inf, high=math.inf, sign=None):
        self.low, self.high, self.sign = low, high, sign

    def read(self, text, what):
        return number(text, what, self.low, self.high)

    def write(self, value):
        return written(value)


class Whole(Number):
    """A whole number from `low` to `high`."""

    def read(self, text, what):
        return whole(text, what, self.low, self.high)


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
        return tuple(number(one, name) for one, name in zip(texts, self.names))

    def write(self, value):
        return ",".join(map(written, value))


class Size(Field):
    """Rows and columns, ``3x4``: a tuple of int."""

    sign = "ROWSxCOLUMNS"

    def read(self, text, what):
        rows, cross, columns = text.partition("x")
        if not cross:
            raise Malformed(f"{rows!r} is no size like 3x4")
        return whole(rows, "ROWS", 1, 1000), whole(columns, "COLUMNS", 1, 1000)

    def write(self, value):
        return f"{value[0]}x{value[1]}"


class Range(Field):
    """Two numbers, ``60..200``: a tuple of float."""

    sign = "LOW..HIGH"

    def __init__(self, low, high):
        self.low, self.high = low, high

    def read(self, text, what):
        first, dots, last = text.partition("..")
        if not dots:
            raise Malformed(f"{first!r} is no range like 60..200")
        ends = number(first, "LOW", self.low, self.high), number(last, "HIGH", self.low, self.high)
        if ends[0] > ends[1]:
            raise Malformed("LOW is above HIGH")
        return ends

    def write(self, value):
        return "..".join(map(written, value))


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
            if "=" in text:
                name, _, value = text.partition("=")
                if name.strip() in self._named:
                    raise Malformed(f"{name.strip()}= is there twice")
                self._named[name.strip()] = value.strip()

    def next(self):
        """Take the next field without a name: its text, or None."""
        return self._given.pop(0) if self._given else None

    def take(self, word):
        """Take a word if it is next.

        Parameters
        ----------
        word : str

        Returns
        -------
        bool
            Whether it was.
        """
        found = self._given[:1] == [word]
        if found:
            self._given.pop(0)
        return found

    def named(self, name):
        """Take a field with a name.

        Parameters
        ----------
        name : str

        Returns
        -------
        str or None
            Its text.
        """
        return self._named.pop(name, None)

    def end(self):
        """Make sure that nothing is left.

        Raises
        ------
        Malformed
        """
        left = self._given + [f"{name}={value}" for name, value in self._named.items()]
        if left:
            raise Malformed(f"{left[0]!r} has no meaning there")
