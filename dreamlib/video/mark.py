"""A mark at the end of a film, by which this program knows it for its own.

Each container has room for what no player looks at; nothing that is shown changes.
"""

from __future__ import annotations

import os
from pathlib import Path

MARK = b"dreamlib film"

#: Bytes at the end of a film in which the mark is looked for.
TAIL = 64


def mark(path, suffix):
    """Mark a film that was just written.

    Parameters
    ----------
    path : str or Path
    suffix : {'.gif', '.webp', '.mp4', '.webm'}
        Of its format.
    """
    with open(path, "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        if suffix == ".gif":  # a comment, before the trailer
            file.seek(end - 1)
            if file.read(1) != b";":
                return
            file.seek(end - 1)
            file.write(b"\x21\xfe" + bytes([len(MARK)]) + MARK + b"\0;")
        elif suffix == ".webp":  # a chunk of an unknown kind, which RIFF counts
            payload = MARK + b"\0" * (len(MARK) % 2)
            file.write(b"drml" + len(MARK).to_bytes(4, "little") + payload)
            file.seek(4)
            file.write((end + 8 + len(payload) - 8).to_bytes(4, "little"))
        elif suffix == ".mp4":  # a box that is free
            file.write((8 + len(MARK)).to_bytes(4, "big") + b"free" + MARK)
        else:  # a void element
            file.write(b"\xec" + bytes([0x80 | len(MARK)]) + MARK)


def is_marked(path):
    """Tell whether a film was written by this program.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bool
    """
    with open(path, "rb") as file:
        file.seek(-min(TAIL, Path(path).stat().st_size), os.SEEK_END)
        return MARK in file.read()
