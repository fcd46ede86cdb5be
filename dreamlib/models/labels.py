"""Classes by name: searches in a model's labels, and the targets of a class dream.

A label may hold several names of its class, separated by commas: "tench, Tinca tinca".
"""

from __future__ import annotations

import difflib
import math
import re

from dreamlib.errors import LONGEST_NAME, DreamError

LISTED = 8  #: classes in an error
ALIKE = 0.6  #: least similarity (0 to 1, difflib's ratio) of a name that was probably meant


class Label(str):
    """The names of a class, and its WordNet number: "" where the file has none."""

    synset = ""

    @classmethod
    def of(cls, line):
        """Read a line of a file of labels: ``n01443537 goldfish, Carassius auratus``, or names."""
        synset = re.match(r"(n\d{8})\s+", line)
        label = cls(line[synset.end() :].strip() if synset else line.strip())
        label.synset = synset[1] if synset else ""
        return label


def find_class(labels, text):
    """List the classes that a text may mean.

    Parameters
    ----------
    labels : list of str
        In the order of the network's outputs.
    text : str
        Case, and underscores or hyphens for spaces, do not matter. Or a WordNet number.

    Returns
    -------
    list of (int, str)
        Number and label: classes of this name, then those whose names contain it as words, then as
        letters. If there are none, those of similar names, the most similar first.
    """
    _check_name(text)
    exact, words, letters = _matches(labels, text)
    found = exact + words + letters or _alike(labels, text)
    return [(index, labels[index]) for index in found]


def parse_targets(text, labels, random_state):
    """Read the targets of a class dream.

    Parameters
    ----------
    text : str
        Classes, perhaps with weights: ``goldfish, ostrich:0.5, 963``. A class is a number,
        ``random``, a WordNet number (``n01443537``), a whole name, or words that only one class's
        label has. Weights are 1 by
        default; with one below 0 the class is avoided.
    labels : list of str
        The model's; empty where it has none: then only numbers can be read.
    random_state : numpy.random.RandomState or module
        Draws ``random``, each time another class.

    Returns
    -------
    list of (int, float)
        Class and weight, in the order of the text, each class once.

    Raises
    ------
    DreamError
        An empty text; an unknown or ambiguous name, with the nearest classes; a number beyond the
        classes; a weight of 0 or that is no number; a class with two weights.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise DreamError(
            f"targets {text!r} name no class; expected names or numbers, such as goldfish, 963:0.5"
        )
    targets = {}
    for item in items:
        name, weight = _split_weight(item)
        index = _index(name, labels, random_state, targets)
        if targets.setdefault(index, weight) != weight:
            raise DreamError(
                f"targets {text!r}: class {_listed(labels, [index])} is there twice, with weights "
                f"{targets[index]:g} and {weight:g}; keep one"
            )
    return list(targets.items())


def _split_weight(item):
    name, colon, weight = item.rpartition(":")
    if not colon:
        return item, 1.0
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value == 0 or not name.strip():
        raise DreamError(
            f"target {item!r}: expected CLASS or CLASS:WEIGHT, the weight a number other than 0"
        )
    return name.strip(), value


def _check_name(name):
    """Refuse a name that no class has, before it is compared: that takes the square of its time."""
    if len(name) > LONGEST_NAME:
        raise DreamError(
            f"a class of {len(name)} letters, {name[:40]!r}..., is asked for; expected "
            f"{LONGEST_NAME} at most"
        )


def _index(name, labels, random_state, taken):
    _check_name(name)
    if re.fullmatch(r"[+-]?\d+", name):
        index = int(name)
        if index < 0 or (labels and index >= len(labels)):
            last = f" to {len(labels) - 1}" if labels else " on"
            raise DreamError(f"there is no class {name}; expected a number from 0{last}")
        return index
    if not labels:
        raise DreamError(
            f"class {name!r} was asked for by name, and the model has no class names; give numbers"
        )
    if name.lower() == "random":
        free = [index for index in range(len(labels)) if index not in taken]
        if not free:
            raise DreamError(f"all {len(labels)} classes are targets; leave out a random one")
        return free[int(random_state.randint(len(free)))]
    exact, words, letters = _matches(labels, name)
    found = exact or words or letters
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise DreamError(
            f"class {name!r} may mean {_listed(labels, found[:LISTED])}{more}; write one's number "
            "or whole name"
        )
    near = _alike(labels, name)
    hint = f"nearest: {_listed(labels, near)}" if near else "nothing is near it"
    raise DreamError(
        f"there is no class {name!r} among the model's {len(labels)}; {hint}; write a name, "
        "a number or random"
    )


def _listed(labels, indices):
    names = (f" ({labels[index]})" if index < len(labels) else "" for index in indices)
    return "; ".join(f"{index}{name}" for index, name in zip(indices, names))


def _matches(labels, text):
    """Return the classes named so, those with the text as words, and as letters: lists of int."""
    wanted = _plain(text)
    exact, words, letters = [], [], []
    if not wanted:
        return exact, words, letters
    for index, label in enumerate(labels):
        whole = _plain(label)
        if wanted in (whole, getattr(label, "synset", None)) or wanted in _names(label):
            exact.append(index)
        elif f" {wanted} " in f" {whole} ":
            words.append(index)
        elif wanted in whole:
            letters.append(index)
    return exact, words, letters


def _alike(labels, text):
    """Return the classes of similar names, the most similar first."""
    wanted = _plain(text)
    scored = []
    for index, label in enumerate(labels):
        matchers = (difflib.SequenceMatcher(None, name, wanted) for name in _names(label))
        score = max((one.ratio() for one in matchers if one.quick_ratio() >= ALIKE), default=0)
        if score >= ALIKE:
            scored.append((-score, index))
    return [index for _, index in sorted(scored)[:LISTED]]


def _names(label):
    return [_plain(name) for name in label.split(",")]


def _plain(text):
    return " ".join(re.sub(r"[\s_,-]+", " ", text.lower()).split())
