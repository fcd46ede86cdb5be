"""From a picture that is a file already: the tiles of a Deep Zoom, or a part of it."""

from __future__ import annotations

import os
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.vips.library import libvips, reason, to_depth
from dreamlib.imaging.vips.reading import open_picture, split
from dreamlib.imaging.vips.writing import _save_tiles


def deep_zoom(path, output, region=None, quality=85):
    """Cut a picture, or a part of it, into the tiles of a Deep Zoom.

    Parameters
    ----------
    path : str
        A file that `open_picture` reads. Memory does not grow with its height.
    output : str
        ``NAME.dzi``; its tiles, JPEGs of 8 bits with the picture's profile and without its alpha,
        go to ``NAME_files/``. Both replace what was there.
    region : dreamlib.imaging.window.Window, optional
        The part.
    quality : int
        Of the tiles.

    Returns
    -------
    (int, int)
        Width and height of what was cut.

    Raises
    ------
    DreamError
        The file is no picture, or broken, or the tiles cannot be written.
    """
    vips = libvips()
    picture = open_picture(path)
    output = Path(os.path.realpath(output))
    try:
        image = split(picture)[0]
        if region:
            image = image.crop(region.left, region.top, region.width, region.height)
        image = to_depth(image, "uchar").copy(interpretation="srgb")
        for field in image.get_fields():
            if field != "vips-sequential":
                image.remove(field)
        if picture.icc_profile:
            image.set_type(vips.GValue.blob_type, "icc-profile-data", picture.icc_profile)
        _save_tiles(image, output, quality)
    except vips.Error as error:
        raise DreamError(f"{path} cannot be cut into {output}: {reason(error)}") from error
    except OSError as error:
        raise DreamError(f"{output} cannot be written: {error}") from error
    return image.width, image.height


def cut_out(path, window, output):
    """Write a part of a picture as a TIFF of the same depth, without its alpha.

    Parameters
    ----------
    path : str
        A file that `open_picture` reads. Memory does not grow with its height.
    window : dreamlib.imaging.window.Window
        The part.
    output : str
        ``NAME.tif``; replaced.

    Raises
    ------
    DreamError
        The file is no picture, or broken, or the part cannot be written.
    """
    vips = libvips()
    image = split(open_picture(path))[0]
    image = image.crop(window.left, window.top, window.width, window.height)
    try:
        image.tiffsave(str(output))
    except vips.Error as error:
        raise DreamError(f"{path} cannot be cut into {output}: {reason(error)}") from error
