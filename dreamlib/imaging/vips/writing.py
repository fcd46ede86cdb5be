"""Large pictures out: from an array or a raw file, in PNG, JPEG, WebP, TIFF and Deep Zoom."""

from __future__ import annotations

from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import DEEP_ZOOM, TIFF, check_size, format_of
from dreamlib.imaging.picture import Picture
from dreamlib.imaging.pillow_io import SETTINGS_KEY, exif_with, in_ascii, tiff_texts
from dreamlib.imaging.vips.cutting import laid_on_white, replace_metadata, save_tiles
from dreamlib.imaging.vips.library import interrupts_later, libvips, reason, to_depth
from dreamlib.imaging.vips.pixels import load
from dreamlib.imaging.vips.reading import MM_PER_INCH, LargePicture, split
from dreamlib.imaging.vips.tifftags import add_texts
from dreamlib.util.atomic_write import replacing

#: How a TIFF is laid out -> keywords of libvips.
TIFF_LAYOUTS = {
    "strip": {},
    "tile": {"tile": True, "tile_width": 256, "tile_height": 256},
    "pyramid": {"tile": True, "tile_width": 256, "tile_height": 256, "pyramid": True},
}

#: Bytes of pixels from which on a TIFF is a BigTIFF: below 4 GB there has to be room for what
#: compression may add to noise, and for texts.
BIG_TIFF = 4_000_000_000

DEFAULT_DPI = 72  # libvips always writes one, and would else write 25.4


def save_picture(path, pixels, settings_text="", like=None, quality=95, tiff="strip"):
    """Write a picture by libvips: see `dreamlib.imaging.open_save.save_picture`.

    Parameters
    ----------
    path : str or Path
    pixels : (H, W, 3) ndarray of uint8 or uint16, or RawFile
        16 bits become 8 (``v / 257``, rounded) where the format has no more.
    settings_text : str
    like : Picture, Noise or LargePicture, optional
        The alpha of a `LargePicture` is decoded once more.
    quality : int
    tiff : {'strip', 'tile', 'pyramid'}
        A BigTIFF where the file could pass 4 GB.

    Returns
    -------
    bool
        Whether the format could take the settings.

    Raises
    ------
    DreamError
        Disk full, picture too large for the format...
    """
    vips = libvips()
    path, like = Path(path), like or Picture(None)
    kind = format_of(path)
    loaded = image = load(vips, pixels)
    check_size(path, image.width, image.height)
    try:
        if not kind.deep:
            image = to_depth(image, "uchar")
        image = image.copy(interpretation="srgb" if image.format == "uchar" else "rgb16")
        if like.has_alpha:
            image = image.bandjoin(_alpha(vips, like, image))
            image = image if kind.alpha else laid_on_white(image)
        image, embedded = _describe(vips, image, kind, settings_text, like.metadata)
        if kind is DEEP_ZOOM:
            save_tiles(image, path, quality)
        else:
            with replacing(path, path.suffix) as temporary:
                _save(image, kind.name, temporary, quality, tiff)
                if kind is TIFF:
                    add_texts(temporary, tiff_texts(settings_text, like.metadata.exif))
    except (vips.Error, OSError, ValueError) as error:
        said = reason(error) if isinstance(error, vips.Error) else error
        raise DreamError(f"{path} cannot be written: {said}") from error
    finally:
        del loaded  # is to live until here, for its callback
    return embedded


def _alpha(vips, like, image):
    """Return the alpha of a picture, at the depth of the image it goes to."""
    large = isinstance(like, LargePicture)
    alpha = split(like)[1] if large else load(vips, like.alpha)
    if large and like.window:
        alpha = alpha.crop(like.window.left, like.window.top, *like.window[:1:-1])
    if (alpha.width, alpha.height) != (image.width, image.height):
        raise DreamError(
            f"{like.path if large else 'the picture'} has an alpha of {alpha.width}x{alpha.height} "
            f"pixels, the output is {image.width}x{image.height}"
        )
    return to_depth(alpha, image.format)


def _describe(vips, image, kind, settings_text, metadata):
    """Attach metadata and settings; return the image, and whether the file will hold settings."""
    x, y = metadata.dpi or (DEFAULT_DPI, DEFAULT_DPI)
    image = image.copy(xres=float(x) / MM_PER_INCH, yres=float(y) / MM_PER_INCH)
    replace_metadata(vips, image, metadata.icc_profile)
    if kind is DEEP_ZOOM or kind is TIFF:  # whose texts are added to the file
        return image, kind is TIFF
    exif, embedded = metadata.exif, True
    if kind.name == "PNG":
        text = in_ascii(settings_text)  # libvips writes UTF-8 where PNG's readers expect Latin-1
        image.set_type(vips.GValue.gstr_type, f"png-comment-0-{SETTINGS_KEY}", text)
    else:
        exif = exif_with(settings_text, exif, kind.name)
        embedded = bool(exif)
    if exif:
        image.set_type(vips.GValue.blob_type, "exif-data", exif)
    return image, embedded


@interrupts_later()
def _save(image, kind, path, quality, tiff):
    # The savers by name: write_to_file would take brackets in the path for options.
    if kind == "PNG":
        image.pngsave(path, compression=6, filter="sub")
    elif kind == "JPEG":
        image.jpegsave(path, Q=quality, subsample_mode="off")
    elif kind == "WebP":
        image.webpsave(path, Q=quality)
    else:
        size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
        with_levels = size * 4 // 3 if tiff == "pyramid" else size
        image.tiffsave(
            path,
            compression="deflate",
            predictor="horizontal",
            bigtiff=with_levels > BIG_TIFF,
            **TIFF_LAYOUTS[tiff],
        )
