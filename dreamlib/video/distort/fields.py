"""What stands behind a distortion's name: fields between colons, read one after the other."""

from __future__ import annotations

import math
import re

from dreamlib.errors import nearest

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Malformed(Exception):
    """What is wrong with a part, to be completed with the part and its form."""


def split(text, separator):
    """Cut a text at a separator that is not within parentheses: a list of stripped str.

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

    Raises
    ------
    Malformed
    """
    value = number(text, what, low, high)
    if value != int(value):
        raise Malformed(f"{what} is {text}; it must be a whole number")
    return int(value)


def written(value):
    """Write a number so that reading it gives the same one, as shortly as that goes."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


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

    def more(self):
        """Tell whether there is a next field."""
        return bool(self._given)

    def next(self, what):
        """Take the next field (str).

        Raises
        ------
        Malformed
            There is none.
        """
        if not self._given:
            raise Malformed(f"{what} is missing")
        return self._given.pop(0)

    def number(self, what, low=-math.inf, high=math.inf, default=None):
        """Take a number; where there is none more, the default if there is one."""
        if default is not None and not self._given:
            return default
        return number(self.next(what), what, low, high)

    def whole(self, what, low, high):
        """Take a whole number."""
        return whole(self.next(what), what, low, high)

    def numbers(self, *names):
        """Take numbers with commas between: a tuple of float, one for each name."""
        texts = split(self.next(",".join(names)), ",")
        if len(texts) != len(names):
            raise Malformed(f"{len(texts)} numbers are given, {len(names)} are needed")
        return tuple(number(text, name) for text, name in zip(texts, names))

    def word(self, what, words):
        """Take one of some words."""
        given = self.next(what)
        if given not in words:
            close = nearest(given, words)
            raise Malformed(f"{what} is {given!r}; it must be {' or '.join(words)}{close}")
        return given

    def flag(self, word):
        """Take a word where it is next; tells whether it was (bool)."""
        if self._given[:1] != [word]:
            return False
        self._given.pop(0)
        return True

    def named(self, name):
        """Take a field with a name: its text, or None."""
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
