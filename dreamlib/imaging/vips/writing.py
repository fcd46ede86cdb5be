"""Large pictures out: from an array or a raw file, in PNG, JPEG, WebP, TIFF and Deep Zoom."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.images import _KEPT_TAGS, IMAGE_DESCRIPTION, SETTINGS_KEY, _ascii
from dreamlib.imaging.vips.library import interrupts_later, libvips, reason, to_depth
from dreamlib.imaging.vips.pixels import load
from dreamlib.imaging.vips.reading import MM_PER_INCH, split
from dreamlib.imaging.vips.tifftags import add_texts
from dreamlib.util.atomic_write import replacing

#: Suffix -> format.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".dzi": "Deep Zoom",
}
DEEP = ("PNG", "TIFF")  # keep 16 bits
WITH_ALPHA = ("PNG", "WebP", "TIFF")

#: Pixels to a side. libjpeg stops a little before the format's own 65535.
LIMITS = {"JPEG": 65500, "WebP": 16383}

#: How a TIFF is laid out -> keywords of libvips.
TIFF_LAYOUTS = {
    "strip": {},
    "tile": {"tile": True, "tile_width": 256, "tile_height": 256},
    "pyramid": {"tile": True, "tile_width": 256, "tile_height": 256, "pyramid": True},
}

#: Bytes of pixels from which on a TIFF is a BigTIFF: below 4 GB there has to be room for what
#: compression may add to noise, and for texts.
BIG_TIFF = 4_000_000_000

#: JPEG has one segment of 64 KB for EXIF.
JPEG_EXIF_LIMIT = 65_000

DEFAULT_DPI = 72  # libvips always writes one, and would else write 25.4


def check_size(path, width, height):
    """Refuse an output that its format cannot hold, before hours are spent on it.

    Parameters
    ----------
    path : str
    width, height : int
        Pixels.

    Raises
    ------
    DreamError
        The suffix is of no format, the picture too large for it, or a folder that is no
        Deep Zoom's is in its place.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise DreamError(
            f"{path}: large pictures are written as {', '.join(FORMATS)}; name one of these"
        )
    limit = LIMITS.get(kind)
    if limit and max(width, height) > limit:
        raise DreamError(
            f"{path}: {kind} holds at most {limit} pixels to a side, the picture has "
            f"{width}x{height}; write .tif, .png or .dzi"
        )
    if kind == "Deep Zoom" and _tiles(path).exists() and not path.exists():
        raise DreamError(
            f"{path}: its tiles would go to {_tiles(path)}, which is there without {path.name}; "
            "move it away or name another output"
        )


def save_picture(path, pixels, settings_text, like=None, quality=95, tiff="strip"):
    """Write a picture, whole or not at all.

    Parameters
    ----------
    path : str
        Its suffix chooses the format. A Deep Zoom is ``NAME.dzi`` with tiles in ``NAME_files/``;
        both replace what was there.
    pixels : (H, W, 3) ndarray of uint8 or uint16, or RawFile
        RGB, C-contiguous. 16 bits become 8 (``v / 257``, rounded) where the format has no more.
    settings_text : str
        Goes into the file where `dreamlib.imaging.images.read_settings_text` finds it.
    like : LargePicture, optional
        Whose alpha (decoded once more), profile, EXIF and resolution to take, where the format can
        hold them.
    quality : int
        Of JPEG, WebP, and Deep Zoom's tiles, which are JPEG.
    tiff : {'strip', 'tile', 'pyramid'}
        Layout of a TIFF; it becomes a BigTIFF where it could pass 4 GB.

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
    path = Path(os.path.realpath(path))  # a link stays, and what it points to is written
    loaded = image = load(vips, pixels)
    check_size(path, image.width, image.height)
    if tiff not in TIFF_LAYOUTS:
        raise DreamError(f"tiff={tiff!r}: expected one of {', '.join(TIFF_LAYOUTS)}")
    kind = FORMATS[path.suffix.lower()]
    try:
        if kind not in DEEP:
            image = to_depth(image, "uchar")
        image = image.copy(interpretation="srgb" if image.format == "uchar" else "rgb16")
        if like and like.has_alpha and kind in WITH_ALPHA:
            image = image.bandjoin(_alpha(like, image))
        image, embedded = _describe(vips, image, kind, settings_text, like)
        if kind == "Deep Zoom":
            _save_tiles(image, path, quality)
        else:
            with replacing(path, path.suffix) as temporary:
                _save(image, kind, temporary, quality, tiff)
                if kind == "TIFF":
                    add_texts(temporary, _tiff_texts(settings_text, like))
    except (vips.Error, OSError, ValueError) as error:
        said = reason(error) if isinstance(error, vips.Error) else error
        raise DreamError(f"{path} cannot be written: {said}") from error
    finally:
        del loaded  # is to live until here, for its callback
    return embedded


def _alpha(like, image):
    """Return the alpha of a picture, at the depth of the image it goes to."""
    if (like.width, like.height) != (image.width, image.height):
        raise DreamError(
            f"{like.path} has an alpha of {like.width}x{like.height} pixels, the output is "
            f"{image.width}x{image.height}"
        )
    return to_depth(split(like)[1], image.format)


def _describe(vips, image, kind, settings_text, like):
    """Hang on an image what goes into the file beside the pixels; tell whether settings do.

    Returns
    -------
    image : pyvips.Image
    embedded : bool
    """
    x, y = like.dpi if like and like.dpi else (DEFAULT_DPI, DEFAULT_DPI)
    image = image.copy(xres=float(x) / MM_PER_INCH, yres=float(y) / MM_PER_INCH)
    for field in image.get_fields():  # what came along with the alpha is taken from `like` below
        if field != "vips-sequential":
            image.remove(field)
    if like and like.icc_profile:
        image.set_type(vips.GValue.blob_type, "icc-profile-data", like.icc_profile)
    if kind == "PNG":
        text = _ascii(settings_text)  # libvips writes UTF-8 where PNG's readers expect Latin-1
        image.set_type(vips.GValue.gstr_type, f"png-comment-0-{SETTINGS_KEY}", text)
        exif = like.exif if like else None
    else:
        exif = _exif_with(settings_text, like)
        if kind == "JPEG" and len(exif) > JPEG_EXIF_LIMIT:
            exif = _exif_with(settings_text, None)  # settings go before a camera's private notes
    if kind == "Deep Zoom" or (kind == "JPEG" and len(exif) > JPEG_EXIF_LIMIT):
        return image, False
    if exif and kind != "TIFF":  # whose texts are added to the file
        image.set_type(vips.GValue.blob_type, "exif-data", exif)
    return image, True


def _exif(like):
    from PIL import Image

    exif = Image.Exif()
    if like and like.exif:
        exif.load(like.exif)
    return exif


def _description(settings_text):
    return _ascii(f"{SETTINGS_KEY}\n{settings_text}")


def _exif_with(settings_text, like):
    exif = _exif(like)
    exif[IMAGE_DESCRIPTION] = _description(settings_text)
    return exif.tobytes()


def _tiff_texts(settings_text, like):
    """Collect the texts among EXIF's first tags, which are TIFF's own."""
    exif = _exif(like)
    texts = {tag: exif[tag] for tag in exif if tag in _KEPT_TAGS and isinstance(exif[tag], str)}
    texts[IMAGE_DESCRIPTION] = _description(settings_text)
    return {tag: _ascii(text) for tag, text in texts.items()}


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


def _tiles(path):
    """Return where a Deep Zoom's tiles are."""
    return path.with_name(path.stem + "_files")


def _save_tiles(image, path, quality):
    """Write a Deep Zoom into a folder beside its place, and move it there when it is complete."""
    tiles = _tiles(path)
    with tempfile.TemporaryDirectory(dir=path.absolute().parent) as folder:
        new, old = Path(folder, "new_files"), Path(folder, "old_files")
        with interrupts_later():
            image.dzsave(os.path.join(folder, "new"), suffix=f".jpg[Q={quality}]", keep="icc")
        if tiles.exists():
            tiles.rename(old)
        try:
            new.rename(tiles)
            os.replace(os.path.join(folder, "new.dzi"), path)
        except BaseException:
            if not new.exists():
                tiles.rename(new)
            if old.exists():
                old.rename(tiles)
            raise
