"""Texts added to a TIFF that is already written.

libvips writes a TIFF's description but no maker, artist or copyright. So the texts come afterwards:
a new first directory, with the old entries and the texts, is appended and the header pointed to it.
Pixels and the directories that follow stay where they are, however large the file.
"""

from __future__ import annotations

import struct

from dreamlib.imaging.tiff_header import layout

ASCII = 2  # the type of a TIFF's texts


def add_texts(path, texts):
    """Set texts in the first directory of a TIFF, classic or BigTIFF, in place.

    Parameters
    ----------
    path : str
    texts : dict of int to str
        Tag -> what it says; ASCII. Replaces what the tag held before.

    Raises
    ------
    OSError
        The file cannot be read or written.
    ValueError
        It is no TIFF, or a classic one that would grow beyond 4 GB.
    """
    with open(path, "r+b") as file:
        form, first = layout(file)
        file.seek(first)
        (count,) = struct.unpack(form["count"], file.read(struct.calcsize(form["count"])))
        size = struct.calcsize(form["entry"])
        entries = {}
        for _ in range(count):
            raw = file.read(size)
            (tag,) = struct.unpack(form["order"] + "H", raw[:2])
            entries[tag] = raw
        following = file.read(struct.calcsize(form["offset"]))
        for tag, text in texts.items():
            entries[tag] = _text_entry(file, form, tag, text.encode("ascii") + b"\0")
        start = _aligned_end(file)
        file.write(struct.pack(form["count"], len(entries)))
        for tag in sorted(entries):  # readers may rely on the order
            file.write(entries[tag])
        file.write(following)
        # The header comes last: up to here the file is the TIFF that it was.
        file.seek(form["header"])
        file.write(_pack_offset(form, start))


def _text_entry(file, form, tag, value):
    """Pack a text's entry; what does not fit into it goes to the end of the file."""
    room = struct.calcsize(form["offset"])
    if len(value) > room:
        start = _aligned_end(file)
        file.write(value)
        packed = _pack_offset(form, start)
    else:
        packed = value.ljust(room, b"\0")
    return struct.pack(form["entry"], tag, ASCII, len(value), packed)


def _aligned_end(file):
    """Go to the end, at a multiple of eight as BigTIFF asks for; return where that is."""
    end = file.seek(0, 2)
    file.write(bytes(-end % 8))
    return file.tell()


def _pack_offset(form, offset):
    try:
        return struct.pack(form["offset"], offset)
    except struct.error as error:
        raise ValueError("there is no room for texts in a classic TIFF of 4 GB") from error
