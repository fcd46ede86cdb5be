"""Pictures from files and into files: by Pillow, or by libvips where Pillow does not do."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging import costs, pillow_io
from dreamlib.imaging.alpha import lay
from dreamlib.imaging.animated import first_alone
from dreamlib.imaging.bmp import write_bmp
from dreamlib.imaging.formats import DEEP_ZOOM, TIFF, check_source, format_of
from dreamlib.imaging.picture import Noise, Picture, RawFile, to_levels
from dreamlib.imaging.pillow_io import BROKEN, open_header
from dreamlib.imaging.radiance import is_radiance, load_radiance
from dreamlib.imaging.tiff_header import FORMAT, UNSIGNED, bits_of, tiff_tags
from dreamlib.util.atomic_write import written_whole
from dreamlib.util.memory import give_back_freed

#: Pixels from which on a picture is read by strips, and written by libvips.
LARGE = 1 << 24


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
    Picture, Noise or dreamlib.imaging.vips.reading.LargePicture

    Raises
    ------
    DreamError
        There is no picture there, or the output needs libvips, which is not installed.
    """
    if _needs_libvips(output, tiff) and not has_libvips():
        raise DreamError(
            f"{output} is written by libvips, which is not installed; pip install "
            "'dreamlib[vips]', or name another output"
        )
    if source.startswith("noise:"):
        return Noise.of(source, seed)
    check_source(source)
    if is_radiance(source):
        return load_radiance(source)
    if _by_libvips(source, output, tiff):
        from dreamlib.imaging.vips import reading

        picture = reading.open_picture(source)
    else:
        picture = pillow_io.load_picture(source)
        give_back_freed()  # decoding takes several times as much
    notes = picture.metadata.notes + first_alone(source)
    return dataclasses.replace(picture, metadata=picture.metadata._replace(notes=notes))


def reading_cost(source, output="", tiff="strip"):
    """Reckon what it takes to read a picture that `open_picture` opens; nothing is decoded.

    Parameters
    ----------
    source, output, tiff
        As for `open_picture`.

    Returns
    -------
    dreamlib.imaging.costs.Reading
    """
    if source.startswith("noise:"):
        return costs.NOTHING
    check_source(source)
    return costs.reading(source, _by_libvips(source, output, tiff))


def _by_libvips(source, output, tiff):
    """Tell whether a file is read by libvips: what Pillow reads worse, and libvips can."""
    tags = tiff_tags(source)
    deep, pixels = _header(source, tags)
    if not (_needs_libvips(output, tiff) or deep or pixels > LARGE) or not has_libvips():
        return False
    from dreamlib.imaging.vips.library import reads
    from dreamlib.imaging.vips.reading import reads_colours

    # What neither knows libvips will say.
    return reads_colours(tags) and (reads(source) or not pixels)


def has_libvips():
    """Tell whether pyvips is installed."""
    return importlib.util.find_spec("pyvips") is not None


def _needs_libvips(output, tiff):
    kind = format_of(output)
    return kind is DEEP_ZOOM or (kind is TIFF and tiff != "strip")


def _header(source, tags):
    """Return whether a file has more than 8 bits a channel, and its pixels; (False, 0) if unknown.

    Faults are reported by the library that reads the picture.
    """
    # Of signed numbers Pillow takes the bits for unsigned ones.
    deep = bits_of(tags) > 8 or tags.get(FORMAT, (UNSIGNED,))[0] != UNSIGNED
    try:
        with open_header(source) as header:
            # Pillow turns 16-bit RGB into 8 bits as it decodes: the mode does not show it.
            raw_modes = [str(tile[3]) for tile in getattr(header, "tile", ())]
            deep = deep or header.mode[0] in "IF" or any(";16" in mode for mode in raw_modes)
            return deep, header.width * header.height
    except BROKEN:
        # Pillow has no mode for floating point of three channels, as a TIFF may have.
        return bool(tags), 0


def save_picture(path, pixels, settings_text="", like=None, quality=95, tiff="strip", deep=False):
    """Write a picture, whole or not at all.

    Parameters
    ----------
    path : str
        Its suffix chooses the format. A Deep Zoom is ``NAME.dzi`` with tiles in ``NAME_files/``;
        both replace what was there. A link stays, and what it points to is written.
    pixels : (H, W, 3) ndarray of uint8, uint16 or floating point, or RawFile
        RGB; rounded and limited to what the format holds. Not changed.
    settings_text : str
        Goes into the file, for `dreamlib.imaging.pillow_io.read_settings_text`.
    like : Picture, Noise or dreamlib.imaging.vips.reading.LargePicture, optional
        Whose alpha and metadata to take, where the format can hold them; where it cannot hold
        alpha, the picture is laid on white.
    quality : int
        Of JPEG, WebP, and Deep Zoom's tiles, which are JPEG.
    tiff : {'strip', 'tile', 'pyramid'}
        Layout of a TIFF.
    deep : bool
        Round floating point to 16 bits where libvips writes and the format has them, else to 8.

    Returns
    -------
    bool
        Whether the format could take the settings.

    Raises
    ------
    DreamError
        Disk full, picture too large for the format...
    """
    path = Path(os.path.realpath(path))
    like = like or Picture(None)
    raw = isinstance(pixels, RawFile)
    height, width = (pixels.height, pixels.width) if raw else pixels.shape[:2]
    if _writes_libvips(path, height * width, like, tiff, deep):
        from dreamlib.imaging.vips import writing

        if not raw and pixels.dtype.kind == "f":
            pixels = to_levels(pixels, *((np.uint16, 257) if deep else (np.uint8,)))
        return writing.save_picture(path, pixels, settings_text, like, quality, tiff)
    if raw:
        pixels = np.memmap(pixels.path, pixels.dtype, "r", shape=(height, width, 3))
    if format_of(path).name == "BMP":
        return _save_bmp(path, pixels, like)
    return pillow_io.save_picture(path, pixels, settings_text, like, quality)


def writing_cost(path, height, width, like, tiff="strip"):
    """Reckon what it takes to write a picture by `save_picture`.

    Parameters
    ----------
    path, like, tiff
        As for `save_picture`.
    height, width : int

    Returns
    -------
    int
        Bytes.
    """
    pixels = height * width
    size = costs.writing(path, pixels, _writes_libvips(Path(path), pixels, like, tiff))
    whole_alpha = format_of(path).name == "BMP" and like is not None and like.has_alpha
    return size + (pixels * np.dtype(like.dtype).itemsize if whole_alpha else 0)


def _writes_libvips(path, pixels, like, tiff, deep=False):
    large = pixels > LARGE or not isinstance(like, (Picture, Noise)) or deep
    wanted = format_of(path).libvips and (large or _needs_libvips(path, tiff))
    return wanted and has_libvips()


def _save_bmp(path, pixels, like):
    """Write a bitmap, which takes no settings and no alpha."""
    height, width = pixels.shape[:2]
    alpha = None
    if like.has_alpha:  # as a whole: a bitmap begins with its last row
        alpha = like.alpha if isinstance(like, Picture) else like.whole_alpha()

    def strips(top, bottom):
        rows = pixels[top:bottom]
        if isinstance(pixels, np.memmap):  # mapped anew: what was read is not to stay in memory
            rows = np.memmap(pixels.filename, pixels.dtype, "r", shape=pixels.shape)[top:bottom]
        if alpha is not None or isinstance(pixels, np.memmap):
            rows = np.array(rows)
        if alpha is not None:
            lay(rows, alpha[top:bottom])
        return rows

    with written_whole(path) as temporary, open(temporary, "wb") as file:
        write_bmp(file, strips, height, width)
    return False
