"""The numbers of a TIFF's first directory: of colours that Pillow has no mode for, too."""

from __future__ import annotations

import struct

BITS, COMPRESSION, PHOTOMETRIC, EXTRA, SAMPLES, FORMAT = 258, 259, 262, 338, 277, 339

#: Values of these tags.
WHITE_IS_ZERO, SEPARATED, YCBCR, CIELAB, JPEG = 0, 5, 6, 8, 7
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
ALPHAS = (1, 2)  # extra samples that are alpha

BIG_TIFF = 43  # the version in the header; of others 42

#: Types of whole numbers by their codes; tags that are read, and values of one, at most.
WHOLE, MOST_TAGS, MOST_VALUES = {1: "B", 3: "H", 4: "I", 16: "Q"}, 1000, 64


def layout(file):
    """Read a TIFF's header.

    Parameters
    ----------
    file : binary file

    Returns
    -------
    form : dict
        How directories are packed: ``order``, ``count``, ``offset``, ``entry`` for `struct`, and
        where in the file the ``header`` says where the first one is.
    first : int
        Where that is.

    Raises
    ------
    ValueError
        It is no TIFF.
    """
    mark = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(mark[:2])
    if order is None or len(mark) < 4:
        raise ValueError(f"this is no TIFF, it begins with {mark!r}")
    if struct.unpack(order + "H", mark[2:])[0] == BIG_TIFF:
        form = {"header": 8, "count": order + "Q", "offset": order + "Q", "entry": order + "HHQ8s"}
    else:
        form = {"header": 4, "count": order + "H", "offset": order + "I", "entry": order + "HHI4s"}
    form["order"] = order
    file.seek(form["header"])
    size = struct.calcsize(form["offset"])
    return form, struct.unpack(form["offset"], file.read(size))[0]


def tiff_tags(path):
    """Read the whole numbers of a TIFF's first directory.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of int to tuple of int
        Tag -> values; empty where the file is no TIFF, or a damaged one.
    """
    tags = {}
    with open(path, "rb") as file:
        try:
            form, first = layout(file)
            file.seek(first)
            (count,) = struct.unpack(form["count"], file.read(struct.calcsize(form["count"])))
            directory = file.read(min(count, MOST_TAGS) * struct.calcsize(form["entry"]))
            for tag, kind, count, value in struct.iter_unpack(form["entry"], directory):
                if kind in WHOLE and count <= MOST_VALUES:
                    tags[tag] = _values(file, form, f"{form['order']}{count}{WHOLE[kind]}", value)
        except (ValueError, struct.error, OverflowError):
            return {}
    return tags


def _values(file, form, kind, value):
    size = struct.calcsize(kind)
    if size > len(value):
        file.seek(struct.unpack(form["offset"], value)[0])
        value = file.read(size)
    return struct.unpack(kind, value[:size])


def bits_of(tags):
    """Return the bits of a sample, the most of all: an int.

    Parameters
    ----------
    tags : dict
        Of `tiff_tags`.
    """
    return max(tags.get(BITS, (1,)))


def extra_is_alpha(tags):
    """Tell whether what a TIFF has beside its colours is alpha: it says so, or says nothing.

    Parameters
    ----------
    tags : dict
        Of `tiff_tags`.

    Returns
    -------
    bool
    """
    return tags.get(EXTRA, ALPHAS)[0] in ALPHAS
