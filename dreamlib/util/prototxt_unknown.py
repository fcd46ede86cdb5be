"""What of a prototxt a Caffe does not know: all of it at once, and in words.

Protocol buffers stop at the first field that they do not know. Networks of forks have many, mostly
in layers that nobody asks for; so the text is looked through here, and can be parsed without them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dreamlib.errors import MISSPELT, nearest

#: Types that read files of training data.
DATA_FILES = ("Data", "HDF5Data", "ImageData", "WindowData")

ENUM, MESSAGE = 14, 11  # of field types, in any protocol buffers' descriptors

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<token>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.+\-/]+|[{}<>:;,\[\]])"""
)


class Unknown(NamedTuple):
    """A field, or the value of one, that a message does not have."""

    place: tuple  #: ("layer" or "layers", its number among them); () outside of layers
    path: str  #: the field within the layer: ``pooling_param.ceil_mode``
    value: str  #: of an enum; "" where the field itself is unknown
    line: int  #: from 1
    span: tuple  #: (start, stop) in the text


class _Malformed(Exception):
    """The text is no message, which its parser says better."""


def unknown_fields(text, descriptor):
    """Look a prototxt through for fields, and values of enums, that are not in its messages.

    Parameters
    ----------
    text : str
    descriptor : google.protobuf.descriptor.Descriptor
        Of ``NetParameter``, any engine's.

    Returns
    -------
    list of Unknown
        In the order of the text; none where that is no message at all.
    """
    try:
        return _Scan(text).message(descriptor)
    except _Malformed:
        return []


def without(text, unknown):
    """Blank what is unknown; the lines keep their numbers.

    Parameters
    ----------
    text : str
    unknown : list of Unknown

    Returns
    -------
    str
    """
    for one in unknown:
        start, stop = one.span
        text = text[:start] + re.sub(r"\S", " ", text[start:stop]) + text[stop:]
    return text


class _Scan:
    """One way through a text."""

    def __init__(self, text):
        self._text, self._tokens, self._next = text, [], 0
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise _Malformed
            if match["token"]:
                self._tokens.append((match["token"], match.start(), match.end()))
            position = match.end()

    def _peek(self):
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self):
        if self._next == len(self._tokens):
            raise _Malformed
        self._next += 1
        return self._tokens[self._next - 1]

    def message(self, descriptor, place=(), path="", closing=""):
        """Read the fields of a message up to its bracket, and return what is unknown of them."""
        found, layers = [], {}
        while self._peek() != closing:
            name, start, _ = self._take()
            field = descriptor.fields_by_name.get(name)
            if not re.fullmatch(r"\w+", name):
                raise _Malformed
            line = self._text.count("\n", 0, start) + 1
            within = path + name
            here = place
            if not place and name in ("layer", "layers"):
                here, within = (name, layers.setdefault(name, 0)), ""
                layers[name] += 1
            if field is None:
                self._skip_value()
                found.append(Unknown(here, within, "", line, (start, self._end())))
            elif field.type == MESSAGE:
                found += self._messages(field.message_type, here, within and within + ".")
            elif field.type == ENUM:
                values = self._scalars()
                for value in values:
                    if value not in field.enum_type.values_by_name and not value.isdigit():
                        span = (start, self._end())
                        found.append(Unknown(here, within, value, line, span))
                        break
            else:
                self._scalars()
            while self._peek() in (";", ","):
                self._take()
        if closing:
            self._take()
        return found

    def _end(self):
        return self._tokens[self._next - 1][2]

    def _messages(self, descriptor, place, path):
        if self._peek() == ":":
            self._take()
        if self._peek() != "[":
            return self._one_message(descriptor, place, path)
        found = []
        self._take()
        while self._peek() != "]":
            found += self._one_message(descriptor, place, path)
            if self._peek() == ",":
                self._take()
        self._take()
        return found

    def _one_message(self, descriptor, place, path):
        closing = {"{": "}", "<": ">"}.get(self._take()[0])
        if closing is None:
            raise _Malformed
        return self.message(descriptor, place, path, closing)

    def _scalars(self):
        if self._take()[0] != ":":
            raise _Malformed
        first = self._take()[0]
        if first == "[":
            values = []
            while self._peek() != "]":
                values.append(self._take()[0])
            self._take()
            return [value for value in values if value != ","]
        if first in "{}<>:;,]":
            raise _Malformed
        while first[0] in "\"'" and self._peek()[:1] in ('"', "'"):  # strings in a row are one
            self._take()
        return [first]

    def _skip_value(self):
        if self._peek() not in (":", "{", "<"):
            raise _Malformed
        if self._peek() == ":":
            self._take()
            if self._peek() not in ("{", "<", "["):
                self._next -= 1
                self._scalars()
                return
        depth = 0
        while True:
            depth += {"{": 1, "<": 1, "[": 1, "}": -1, ">": -1, "]": -1}.get(self._take()[0], 0)
            if depth == 0:
                return


def for_training(name, kind):
    """Say that a file is for training.

    Parameters
    ----------
    name, kind : str
        Of the layer that tells: one of `DATA_FILES`.

    Returns
    -------
    str
    """
    return (
        f"layer {name!r} ({kind}) reads files of training data: this is a file for training; use "
        "the deploy file of the network (deploy.prototxt), which begins with an Input"
    )


def not_supported(unknown, types, known):
    """Say in one message all that a Caffe does not know of a network.

    Parameters
    ----------
    unknown : list of (str or None, Unknown)
        Each with the name of its layer; None outside of layers.
    types : list of (str, str)
        Name and type of the layers whose type is unknown.
    known : iterable of str
        Types that there are.

    Returns
    -------
    str
    """
    for name, kind in types:
        if kind in DATA_FILES:
            return for_training(name, kind)
    found = {}  # what is unknown -> (layer, line) that have it
    for name, kind in types:
        alike = [one for one in known if abs(len(one) - len(kind)) <= 2]  # no other layer's name
        what = f"has type {kind!r}", nearest(kind, alike, MISSPELT).rstrip("?")
        found.setdefault(what, []).append((name, None))
    for name, one in unknown:
        what = f"{one.path} is {one.value}" if one.value else f"has a field {one.path}"
        found.setdefault((what, ""), []).append((name, one.line))
    return (
        f"not supported: {'; '.join(_said(*one) for one in found.items())}. docs/extending.md says "
        "how a layer is added"
    )


def _said(what, places):
    (what, near), (name, line) = what, places[0]
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    owner = "the network" if name is None else f"layer {name!r}{more}"
    return f"{owner} {what}{f' (line {line})' if line else ''}{near}"
