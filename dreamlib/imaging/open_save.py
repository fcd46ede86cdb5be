"""Which library reads a picture and which writes it: Pillow, or libvips where Pillow does not do.

A picture is anything with ``height``, ``width``, ``dtype``, ``strips(rows)`` and
``cropped(window)``: `images.Picture`, `images.Noise` or `vips.LargePicture`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging import images, vips

#: Pixels from which on a picture is read by strips.
LARGE = 1 << 24

#: Names of clips end so.
CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv")

#: Outputs that libvips alone writes.
DEEP_ZOOM = ".dzi"


def open_picture(source, seed, output, tiff="strip"):
    """Open a picture, or make noise.

    Parameters
    ----------
    source : str
        A file, or ``noise:WIDTHxHEIGHT``.
    seed : int
        Of the noise.
    output : str
        What will be written; some formats decide how the input is read.
    tiff : {'strip', 'tile', 'pyramid'}

    Returns
    -------
    images.Picture, images.Noise or vips.LargePicture

    Raises
    ------
    DreamError
        There is no picture there; says why.
    """
    if source.startswith("noise:"):
        return images.Noise.of(source, seed)
    deep, pixels = _header(source)
    if deep or pixels > LARGE or _for_libvips(output, tiff):
        if has_libvips():
            return vips.open_picture(source)
        if _for_libvips(output, tiff):
            raise DreamError(
                f"{output} is written by libvips, which is not installed; pip install "
                "'dreamlib[vips]', or name another output"
            )
    return images.load_picture(source)


def is_clip(source):
    """Tell by its name whether a source is a clip, not a picture."""
    return Path(source).suffix.lower() in CLIPS


def has_libvips():
    """Tell whether pyvips is installed."""
    return importlib.util.find_spec("pyvips") is not None


def _for_libvips(output, tiff):
    suffix = Path(output).suffix.lower()
    return suffix == DEEP_ZOOM or (suffix in (".tif", ".tiff") and tiff != "strip")


def _header(source):
    """Return whether a file has more than 8 bits a channel, and its pixels; (False, 0) if unknown.

    Faults are left for the library that reads the picture to tell.
    """
    try:
        with images.open_header(source) as header:
            # Pillow turns 16-bit RGB into 8 bits as it decodes: the mode does not tell.
            raw_modes = [str(tile[3]) for tile in header.tile]
            deep = header.mode[0] in "IF" or any(";16" in mode for mode in raw_modes)
            bits = getattr(header, "tag_v2", {}).get(258, (8,))
            return deep or max(bits) > 8, header.width * header.height
    except (OSError, SyntaxError, ValueError, TypeError):
        return False, 0


def loses_alpha(picture, output):
    """Tell whether a picture is transparent in places, and the output's format cannot be."""
    transparent = getattr(picture, "alpha", None) is not None
    transparent |= getattr(picture, "has_alpha", False)
    return transparent and images.FORMATS.get(Path(output).suffix.lower()) not in images.WITH_ALPHA


def check_output(path, width, height):
    """Refuse an output that its format cannot hold, in pixels; see `images.check_output` too."""
    if Path(path).suffix.lower() in vips.FORMATS:
        vips.check_size(path, width, height)


def save_picture(path, pixels, settings_text, like, quality=95, tiff="strip", deep=False):
    """Write a picture, whole or not at all.

    Parameters
    ----------
    path : str
    pixels : (H, W, 3) ndarray of uint8, uint16 or float32, or vips.RawFile
        Levels from 0 to 255; to 65535 where uint16.
    settings_text : str
    like : picture
        See `open_picture`; what goes around the dream is taken from it.
    quality : int
    tiff : {'strip', 'tile', 'pyramid'}
    deep : bool
        Round floating point to 16 bits where the format has them, not to 8.

    Returns
    -------
    bool
        Whether the format could take the settings.
    """
    large = isinstance(like, vips.LargePicture)
    size = pixels.height * pixels.width if isinstance(pixels, vips.RawFile) else pixels[..., 0].size
    by_libvips = large or _for_libvips(path, tiff) or size > LARGE
    if by_libvips and has_libvips() and Path(path).suffix.lower() in vips.FORMATS:
        if not isinstance(pixels, vips.RawFile):
            pixels = _whole_levels(pixels, deep)
        around = like if large else None
        return vips.save_picture(path, pixels, settings_text, around, quality, tiff)
    if isinstance(pixels, vips.RawFile):
        shape = (pixels.height, pixels.width, 3)
        pixels = np.memmap(pixels.path, pixels.dtype, "r", shape=shape)
    around = like if isinstance(like, images.Picture) else None
    return images.save_picture(path, pixels, settings_text, around, quality)


def shrunken(picture, side):
    """Reduce a picture until its longest side is no more than `side` pixels.

    Parameters
    ----------
    picture : images.Picture, images.Noise or vips.LargePicture
    side : int
        In pixels.

    Returns
    -------
    (h, w, 3) ndarray of uint8
    """
    from PIL import Image

    height, width = picture.height, picture.width
    factor = max(1, min(max(height, width) // (2 * side), height, width))
    small = np.empty((height // factor, width // factor, 3), np.float32)
    for row, (_, strip) in zip(small, picture.strips(factor)):
        strip = np.float32(strip[:, : len(row) * factor])
        row[:] = strip.reshape(len(strip), len(row), -1, 3).mean(axis=(0, 2))
    if picture.dtype == np.uint16:
        small /= 257
    image = Image.fromarray(np.uint8(np.rint(np.clip(small, 0, 255))))
    size = shrunken_size(picture, side)[::-1]
    return np.asarray(image if image.size == size else image.resize(size, Image.LANCZOS))


def shrunken_size(picture, side):
    """Return the (height, width) that `shrunken` gives a picture."""
    scale = min(1, side / max(picture.height, picture.width))
    return tuple(max(1, round(length * scale)) for length in (picture.height, picture.width))


def _whole_levels(pixels, deep):
    """Round levels that are floating point, to 16 bits where the input had as many."""
    if pixels.dtype.kind == "u":
        return np.ascontiguousarray(pixels)
    dtype, factor = (np.uint16, 257) if deep else (np.uint8, 1)
    out = np.empty(pixels.shape, dtype)
    for row, target in zip(pixels, out):
        target[:] = np.clip(np.rint(row * factor), 0, np.iinfo(dtype).max)
    return out
