"""What files take in memory: to be read, where that is not done by strips, and to be written.

Bytes over what the process holds before, by factors that `benchmarks/memory_promise.py` bears out.
A file is known by its header; no pixels are decoded.
"""

from __future__ import annotations

from typing import NamedTuple

from dreamlib.imaging.formats import format_of
from dreamlib.imaging.pillow_io import BROKEN, open_header
from dreamlib.imaging.radiance import is_radiance, radiance_size

#: What libvips' decoders hold for a pixel where they give no picture before its end; `OTHER` are
#: formats of which nothing else is known.
WHOLE, OTHER = {"WEBP": 8.5, "GIF": 6, "AVIF": 16}, 16

#: Formats that libvips reads by strips, but for the kinds of them that `_at_once` knows.
BY_STRIPS = ("JPEG", "MPO", "PNG", "TIFF")

#: The same of Pillow, with its own copies of the picture and ours; `DEEP` is grey of 16 bits.
PILLOW, PILLOW_OTHER, PILLOW_DEEP = {"WEBP": 28, "AVIF": 24}, 21, 32

#: What our own reader of Radiance pictures holds for a pixel.
RADIANCE = 20

#: What encoders hold for a pixel: by libvips none but WebP's anything to speak of.
LIBVIPS_WRITES, PILLOW_WRITES = {"WebP": 14}, {"WebP": 21}
PILLOW_WRITES_OTHER = 8

ORIENTATION, TURNED = 0x0112, range(2, 9)


class Reading(NamedTuple):
    """What it takes to read a file."""

    size: int = 0  #: bytes
    what: str = ""  #: the file and its kind
    pixels: int = 0
    at_opening: bool = False  #: whether it is decoded as soon as it is opened


NOTHING = Reading()


def reading(path, by_libvips):
    """Reckon what reading a file takes.

    Parameters
    ----------
    path : str
    by_libvips : bool
        Or by Pillow.

    Returns
    -------
    Reading
        `NOTHING` where Pillow does not know the file: whoever reads it will say more.
    """
    if is_radiance(path):
        height, width = radiance_size(path)
        size, what = RADIANCE * height * width, f"{path} (HDR of {width} x {height} pixels)"
        return Reading(size, what, height * width, at_opening=True)
    try:
        with open_header(path) as header:
            pixels = header.width * header.height
            kind, per_pixel = _at_once(header) if by_libvips else _by_pillow(header)
            what = f"{path} ({kind} of {header.width} x {header.height} pixels)"
    except BROKEN:
        return NOTHING
    return Reading(int(pixels * per_pixel), what, pixels, at_opening=not by_libvips)


def _at_once(header):
    """Return in words what a file is, and the bytes for a pixel that libvips decodes at once."""
    from PIL import Image

    name, deep = header.format, any(";16" in str(tile[3]) for tile in getattr(header, "tile", ()))
    levels = len(header.getbands()) * (2 if deep or header.mode.startswith("I") else 1)
    kind, size = name, 0
    if name not in BY_STRIPS:
        size = WHOLE.get(name, OTHER)
    elif header.info.get("progressive"):
        most = max(h * v for _, h, v, _ in header.layer)
        kind, size = "progressive JPEG", sum(2 * h * v for _, h, v, _ in header.layer) / most
    elif name == "PNG" and header.info.get("interlace"):
        kind, size = "interlaced PNG", levels
    turned = name != "PNG" and Image.Image.getexif(header).get(ORIENTATION) in TURNED
    return kind, size + (levels if turned else 0)


def _by_pillow(header):
    deep, name = header.mode[0] in "IF", header.format
    return name, PILLOW_DEEP if deep else PILLOW.get(name, PILLOW_OTHER)


def writing(path, pixels, by_libvips):
    """Reckon what writing a file takes.

    Parameters
    ----------
    path : str
        Its suffix is the format.
    pixels : int
    by_libvips : bool
        Or by Pillow.

    Returns
    -------
    int
        Bytes.
    """
    name = format_of(path).name
    if name == "BMP":  # by strips: see `dreamlib.imaging.bmp`
        return 0
    if by_libvips:
        return int(pixels * LIBVIPS_WRITES.get(name, 0))
    return int(pixels * PILLOW_WRITES.get(name, PILLOW_WRITES_OTHER))
