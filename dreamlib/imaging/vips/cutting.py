"""A picture cut up: into the tiles of a Deep Zoom, for a viewer, or down to a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import tiles_of
from dreamlib.imaging.vips.library import interrupts_later, libvips, reason, to_depth
from dreamlib.imaging.vips.reading import open_picture, split
from dreamlib.util.atomic_write import part_of
from dreamlib.util.own_folder import locked, sync


def deep_zoom(path, output, region=None, quality=85):
    """Cut a picture, or a part of it, into the tiles of a Deep Zoom.

    Parameters
    ----------
    path : str
        A file that `open_picture` reads. Memory does not grow with its height.
    output : str
        ``NAME.dzi``; its tiles, JPEGs of 8 bits with the picture's profile and laid on white,
        go to ``NAME_files/``. Both replace what was there.
    region : dreamlib.imaging.picture.Window, optional
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
        image, alpha = split(picture)
        if alpha is not None:
            image = laid_on_white(image.bandjoin(alpha))
        if region:
            image = image.crop(region.left, region.top, region.width, region.height)
        image = to_depth(image, "uchar").copy(interpretation="srgb")
        replace_metadata(vips, image, picture.metadata.icc_profile)
        save_tiles(image, output, quality)
    except vips.Error as error:
        raise DreamError(f"{path} cannot be cut into {output}: {reason(error)}") from error
    except OSError as error:
        raise DreamError(f"{output} cannot be written: {error}") from error
    return image.width, image.height


def cut_out(path, window, output):
    """Write a part of a picture as a TIFF of the same depth, with its alpha.

    Parameters
    ----------
    path : str
        A file that `open_picture` reads. Memory does not grow with its height.
    window : dreamlib.imaging.picture.Window
        The part.
    output : str
        ``NAME.tif``; replaced.

    Raises
    ------
    DreamError
        The file is no picture, or broken, or the part cannot be written.
    """
    vips = libvips()
    image, alpha = split(open_picture(path))
    image = image if alpha is None else image.bandjoin(alpha)
    image = image.crop(window.left, window.top, window.width, window.height)
    try:
        image.tiffsave(str(output))
    except vips.Error as error:
        raise DreamError(f"{path} cannot be cut into {output}: {reason(error)}") from error


def laid_on_white(image):
    """Lay an image on white where its last band is transparent.

    Parameters
    ----------
    image : pyvips.Image
        Of four bands and 8 or 16 bits.

    Returns
    -------
    pyvips.Image
        Of three.
    """
    white = 255 if image.format == "uchar" else 65535
    return image.flatten(background=[white] * 3, max_alpha=white)


def replace_metadata(vips, image, icc_profile):
    """Leave an image a profile as its only metadata, in place.

    Parameters
    ----------
    vips : module
        pyvips.
    image : pyvips.Image
        A copy of the caller's own.
    icc_profile : bytes or None
    """
    for field in image.get_fields():
        if field != "vips-sequential":
            image.remove(field)
    if icc_profile:
        image.set_type(vips.GValue.blob_type, "icc-profile-data", icc_profile)


def save_tiles(image, path, quality):
    """Write a Deep Zoom into a folder beside its place, and move it there when it is complete.

    Parameters
    ----------
    image : pyvips.Image
        Of 8 bits.
    path : Path
        ``NAME.dzi``; its tiles go to ``NAME_files/``. Both replace what was there.
    quality : int
        Of the tiles, which are JPEG.
    """
    tiles = tiles_of(path)
    where = path.absolute().parent
    with tempfile.TemporaryDirectory(prefix=part_of(path), dir=where) as folder, locked(folder):
        new, old = Path(folder, "new_files"), Path(folder, "old_files")
        with interrupts_later():
            image.dzsave(os.path.join(folder, "new"), suffix=f".jpg[Q={quality}]", keep="icc")
        os.sync()  # of so many files each by itself would take long
        before = path.read_bytes() if path.exists() else None
        if tiles.exists():
            tiles.rename(old)
        try:
            # In this order, so that whoever is killed between leaves no tiles without their .dzi,
            # which would not be taken for a Deep Zoom's.
            os.replace(os.path.join(folder, "new.dzi"), path)
            new.rename(tiles)
        except BaseException:
            if old.exists():
                old.rename(tiles)
            if before is not None:
                path.write_bytes(before)
            raise
        sync(path.parent)
