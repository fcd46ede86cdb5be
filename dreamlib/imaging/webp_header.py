"""The header of a WebP, read without a decoder: Pillow's takes memory for the picture at once."""

from __future__ import annotations

import struct

ALPHA = 0x10  # among the flags of an extended header

#: What is kept of it, by Pillow's names, and the bytes of each that are read at most.
KEPT, MOST_BYTES = {b"EXIF": "exif", b"ICCP": "icc_profile"}, 1 << 22


def webp_header(path):
    """Read size, mode, profile and EXIF of a WebP.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    PIL.Image.Image or None
        Not to be decoded; None where the file is no WebP that is whole so far.
    """
    with open(path, "rb") as file:
        riff, _, webp = struct.unpack("<4sI4s", file.read(12).ljust(12))
        if (riff, webp) != (b"RIFF", b"WEBP"):
            return None
        size, mode, info = None, "RGB", {}
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            begin = file.tell()
            if size is None:
                size, mode = _picture(name, file.read(10))
            elif name in KEPT:
                info[KEPT[name]] = file.read(min(length, MOST_BYTES))
            file.seek(begin + length + length % 2)
    return _header(size, mode, info) if size else None


def _picture(name, data):
    """Return size and mode from the beginning of the first chunk's data."""
    if len(data) < 10:
        return None, "RGB"
    if name == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
        return (width, height), "RGBA" if data[0] & ALPHA else "RGB"
    if name == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return size, "RGBA" if bits >> 28 & 1 else "RGB"
    if name == b"VP8 ":
        return tuple(side & 0x3FFF for side in struct.unpack("<HH", data[6:10])), "RGB"
    return None, "RGB"


def _header(size, mode, info):
    from PIL import Image

    image = Image.new(mode, (1, 1))
    image.format, image.info = "WEBP", info
    image._size = size  # all that Pillow's own `size`, `width` and `height` look at
    return image
