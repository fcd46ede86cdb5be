"""Mixtures from the command line's texts: ``--layers``, ``--guide`` and ``--guide-layer``."""

from __future__ import annotations

import math
import os
import re

from dreamlib.ascent.spec import OF_PICTURES, TermSpec
from dreamlib.errors import DreamError, nearest

FORMS = (
    "LAYER, LAYER:0.5, LAYER[12,47-50]:2, mean(LAYER), LAYER[12]@COLUMNxROW, LAYER@MASK.png, "
    "style(LAYER, PICTURE), with commas between them; a negative weight suppresses"
)

#: Digits of a channel or a place.
DIGITS = 9

WEIGHTS = "a number other than 0 that is finite"

_HEAD = re.compile(
    rf"((?P<kind>mean|{'|'.join(OF_PICTURES)})\(\s*)?(?P<layer>[^\s\[\]@():,]+)"
    r"(\[(?P<channels>[\d,\s-]+)\])?\s*"
)
_PLACE = re.compile(r"@(\d+)x(\d+)\s*(?=:|$)")
_WEIGHT = re.compile(r":\s*([-+]?[\d.]+(e[-+]?\d+)?)")


def parse_layers(text, shapes=None):
    """Read a mixture of layers.

    Parameters
    ----------
    text : str
        See `FORMS`.
    shapes : dict of str -> tuple, optional
        Shapes (1, C, ...) of the layers that can be dreamt; by default any may be.

    Returns
    -------
    list of TermSpec

    Raises
    ------
    DreamError
        Names the part that cannot be read, the layer or the channel that is not there.
    """
    terms = [_term(part, "--layers") for part in _parts(text)]
    if not terms:
        raise DreamError(f"--layers names no layer; expected {FORMS}")
    if shapes is not None:
        _check_terms(terms, shapes, "--layers")
    return terms


def parse_guide_layers(text, shapes=None):
    """Read the layers of guides, as ``LAYER:0.5, LAYER@MASK.png``.

    Parameters
    ----------
    text : str
        A layer's own name is taken as it is.
    shapes
        As for `parse_layers`.

    Returns
    -------
    list of TermSpec

    Raises
    ------
    DreamError
        As by `parse_layers`.
    """
    if text in (shapes or ()):
        return [TermSpec("l2", text)]
    terms = [_term(part, "--guide-layer") for part in _parts(text)]
    if not terms or any(term.kind != "l2" or term.channels for term in terms):
        raise DreamError(
            f"--guide-layer {text!r} cannot be read; expected LAYER, LAYER:0.5 or LAYER@MASK.png, "
            "with commas between them"
        )
    if shapes is not None:
        _check_terms(terms, shapes, "--guide-layer")
    return terms


def absolute_layers(text):
    """Spell a mixture, or the layers of guides, with the pictures in it by their absolute paths.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        The same where it names no picture.
    """
    terms = [_term(part, "--layers") for part in _parts(text)] if _may_name_files(text) else []
    if not any(term.files for term in terms):
        return text
    return ", ".join(str(term.with_files(os.path.abspath)) for term in terms)


def files_of(name, text):
    """List the picture files that a setting names.

    Parameters
    ----------
    name : {'layers', 'guide_layer', 'guide'}
    text : str

    Returns
    -------
    list of (str, str)
        What each is in words, and its path.

    Raises
    ------
    DreamError
        The text cannot be read.
    """
    if name == "guide":
        return [(f"the guide picture {path}", path) for path, _ in parse_weights(text, "--guide")]
    terms = [_term(part, "--layers") for part in _parts(text)] if _may_name_files(text) else []
    return [file for term in terms for file in term.files]


def _may_name_files(text):
    """Tell whether a mixture can name files: a layer's own name need not be readable otherwise."""
    return "@" in text or "(" in text


def parse_weights(text, flag):
    """Read names with weights, as ``NAME:WEIGHT, NAME``; a name may have colons itself.

    Parameters
    ----------
    text : str
    flag : str
        For errors.

    Returns
    -------
    list of (str, float)
        Name and weight, 1 by default.

    Raises
    ------
    DreamError
        An empty text, or a weight of 0 or that is not finite.
    """
    found = []
    for part in _parts(text):
        name, colon, weight = part.rpartition(":")
        number = _number(weight) if colon else None
        if number == 0 or (number and not math.isfinite(number)):
            raise DreamError(f"{flag}: {part!r}: the weight is {weight}; expected {WEIGHTS}")
        found.append((part, 1.0) if number is None else (name.strip(), number))
    if not found:
        raise DreamError(f"{flag} is empty; expected NAME or NAME:WEIGHT, with commas between them")
    return found


def absolute_guides(text):
    """Spell guide pictures, as ``PATH:WEIGHT, PATH``, by their absolute paths.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    guides = parse_weights(text, "--guide")
    return ", ".join(f"{os.path.abspath(path)}:{weight:g}" for path, weight in guides)


def _parts(text):
    """Split at the commas that are not within brackets."""
    parts, start, depth = [], 0, 0
    for place, letter in enumerate(text):
        depth = max(0, depth + (letter in "[(") - (letter in "])"))
        if letter == "," and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    return [part for part in [*parts, text[start:].strip()] if part]


def _whole(digits, flag):
    """Read digits as an int; a DreamError where they are too many for any layer."""
    if len(digits) > DIGITS:
        raise DreamError(f"{flag}: {digits[:20]}... has {len(digits)} digits; expected a number")
    return int(digits)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _term(part, flag):
    unreadable = DreamError(f"{flag}: {part!r} cannot be read; expected {FORMS}")
    head = _HEAD.match(part)
    if not head:
        raise unreadable
    kind, picture, rest = head["kind"], "", part[head.end() :]
    if kind in OF_PICTURES:
        end = _closing(rest)
        picture = rest[1:end].strip()
        if head["channels"] or rest[:1] != "," or not end or not picture:
            raise DreamError(f"{flag}: {part!r}: expected {kind}(LAYER, PICTURE)")
    elif kind:
        end = 0 if rest[:1] == ")" else None
        if end is None:
            raise unreadable
    rest = rest[end + 1 :].strip() if kind else rest
    rest, place = _place(rest, part, head, flag)
    mask = ""
    if rest[:1] == "@":
        mask, colon, weight = rest[1:].rpartition(":")
        if not colon or _number(weight) is None:
            mask, weight = rest[1:], "1"
        mask, rest = mask.strip(), f":{weight.strip()}"
        if not mask:
            raise unreadable
    written = _WEIGHT.fullmatch(rest.strip() or ":1")
    weight = _number(written[1]) if written else None
    if weight is None:
        raise unreadable
    if weight == 0 or not math.isfinite(weight):
        raise DreamError(f"{flag}: {part!r}: the weight is {weight:g}; expected {WEIGHTS}")
    kind = kind or ("neuron" if place else "l2")
    return TermSpec(kind, head["layer"], weight, head["channels"] or "", place, picture, mask)


def _place(rest, part, head, flag):
    """Read a neuron's place, if one is next: what is left, and (column, row) or None."""
    found = _PLACE.match(rest)
    if not found:
        return rest, None
    if head["kind"] or not re.fullmatch(r"\s*\d+\s*", head["channels"] or ""):
        raise DreamError(f"{flag}: {part!r}: a neuron is LAYER[CHANNEL]@COLUMNxROW")
    return rest[found.end() :], (_whole(found[1], flag), _whole(found[2], flag))


def _closing(text):
    """Return the place of the bracket that closes one before the text; None if there is none."""
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place
    return None


def _check_terms(terms, shapes, flag):
    """Refuse layers and channels that are not there, and masks of layers without places."""
    for term in terms:
        if term.layer not in shapes:
            raise DreamError(
                f"{flag}: there is no layer {term.layer!r} to dream (all: --list-layers)"
                f"{nearest(term.layer, shapes)}"
            )
        shape = shapes[term.layer]
        if term.channels:
            parse_channels(term.channels, term.layer, shape[1], flag)
        if term.mask and len(shape) != 4:
            raise DreamError(
                f"{flag}: layer {term.layer!r} has no places that a mask could tell apart; leave "
                f"@{term.mask} out, or take a layer nearer to the input"
            )


def parse_channels(text, layer, count, flag):
    """Read channels, as ``12,47-50``: a list of int, each once.

    Parameters
    ----------
    text : str
    layer : str
        For errors.
    count : int
        Number of the layer's channels.
    flag : str
        For errors.

    Returns
    -------
    list of int

    Raises
    ------
    DreamError
        No such numbers, or a channel that the layer does not have.
    """
    channels = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not ends:
            raise DreamError(
                f"{flag}: channels [{text}] of {layer!r}: expected numbers and ranges, as 12,47-50"
            )
        first, last = _whole(ends[1], flag), _whole(ends[2] or ends[1], flag)
        if first > last or last >= count:
            raise DreamError(
                f"{flag}: layer {layer!r} has channels 0 to {count - 1}; there is no {part.strip()}"
            )
        channels += range(first, last + 1)
    return list(dict.fromkeys(channels))
