"""Animated GIF, WebP and PNG: how many frames a picture file has."""

from __future__ import annotations

import struct

from dreamlib.imaging.pillow_io import BROKEN, open_header

#: First bytes of the formats that may be animated.
GIF, PNG, WEBP = b"GIF8", b"\x89PNG", b"RIFF"


def frames_of(path):
    """Count the frames of a picture file.

    Parameters
    ----------
    path : str or Path
        A file.

    Returns
    -------
    int
        1 of a still picture, and of what is none: who reads it will say so.
    """
    with open(path, "rb") as file:
        mark = file.read(4)
        if mark == WEBP:
            file.seek(8)
            return max(1, _webp_frames(file)) if file.read(4) == b"WEBP" else 1
    if mark not in (GIF, PNG):
        return 1
    try:
        with open_header(path) as image:
            return getattr(image, "n_frames", 1)
    except BROKEN:
        return 1


def _webp_frames(file):
    """Count the chunks of frames without a decoder, which would take memory for the canvas."""
    count = 0
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        count += name == b"ANMF"
        file.seek(length + length % 2, 1)
    return count


def first_alone(path):
    """Say that an animation's first frame is taken, if a file is one.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tuple of str
        At most one line.
    """
    count = frames_of(path)
    if count == 1:
        return ()
    return (
        f"{path} is animated: the first of its {count} frames is taken; name a .gif, .webp, .mp4 "
        "or .webm as output to dream all of them",
    )
