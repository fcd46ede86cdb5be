"""Pictures by Pillow, up to 8 bits in what it writes; and every picture's metadata.

Metadata are profile, EXIF, resolution, and the settings of a dream: a PNG has them as a text of its
own, other formats as EXIF's description.
"""

from __future__ import annotations

import struct
import warnings
from contextlib import contextmanager

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import filled, lay
from dreamlib.imaging.floats import NO_NUMBERS, tone_mapped, white_of_whole
from dreamlib.imaging.formats import check_claim, check_source, format_of
from dreamlib.imaging.picture import Metadata, Picture, to_levels, white_of
from dreamlib.imaging.profiles import CMYK, GREY, LAB, RGB, checked_profile, to_srgb
from dreamlib.imaging.tiff_header import (
    FORMAT,
    PHOTOMETRIC,
    UNSIGNED,
    WHITE_IS_ZERO,
    bits_of,
    tiff_tags,
)
from dreamlib.imaging.webp_header import webp_header
from dreamlib.util.atomic_write import written_whole
from dreamlib.util.image_open import open_image, unread
from dreamlib.util.input_file import check_file

SETTINGS_KEY = "dreamlib"  # of the PNG text, and what EXIF's description begins with

DESCRIPTION = 0x010E
#: EXIF's texts that describe the picture and not the file: description, make, model, software,
#: date, artist, copyright. TIFF has the same tags.
TEXT_TAGS = (DESCRIPTION, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
#: And with the directories of camera and place all that is kept.
KEPT_TAGS = (*TEXT_TAGS, 0x8769, 0x8825)

#: Bytes of EXIF that a JPEG holds: one segment of 64 KB.
JPEG_EXIF_LIMIT = 65_000

#: Pillow's exceptions for files that are broken, or no pictures.
BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, RuntimeError, LookupError, struct.error,
)  # fmt: skip


def load_picture(source):
    """Read a picture.

    Parameters
    ----------
    source : str
        A file in any mode that Pillow opens.

    Returns
    -------
    Picture

    Raises
    ------
    DreamError
        There is no picture there; says why.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    size = check_source(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open_image(source) as file:
                check_claim(source, file.width, file.height)
                file.load()
                upright, tags = ImageOps.exif_transpose(file), tiff_tags(source)
                return _as_picture(source, upright, kept_exif(file), tags)
    except Image.DecompressionBombError as error:
        raise DreamError(
            f"{source} is too large for Pillow: {error}; save it as TIFF, PNG or JPEG, which "
            "libvips reads: pip install 'dreamlib[vips]'"
        ) from error
    except UnidentifiedImageError as error:
        tags = tiff_tags(source)
        if tags:
            raise DreamError(
                f"{source} is a TIFF of {bits_of(tags)} bits a channel, which libvips may read: "
                "pip install 'dreamlib[vips]', or save it with 8 or 16"
            ) from error
        raise DreamError(f"{source} {unread(source, 'Pillow')} ({size} bytes)") from error
    except BROKEN as error:
        raise DreamError(f"{source} cannot be read, it may be truncated: {error}") from error


def picture_of(image):
    """Turn an image of Pillow's, of 8 bits, into a picture, as `load_picture` does its file.

    Parameters
    ----------
    image : PIL.Image.Image
        Not changed.

    Returns
    -------
    Picture
    """
    from PIL import ImageOps

    return _as_picture("the image", ImageOps.exif_transpose(image), kept_exif(image), {})


def _as_picture(source, image, exif, tags):
    """Turn Pillow's image, already upright, into ours."""
    colours = {"CMYK": CMYK, "L": GREY, "1": GREY, "LAB": LAB}.get(image.mode, RGB)
    deep = image.mode.startswith("I") or image.mode == "F"
    if deep or image.mode in ("LA", "La"):
        colours = GREY
    profile, notes = checked_profile(source, image.info.get("icc_profile"), colours)
    exif = exif.tobytes() if len(exif) else None
    metadata = Metadata(profile if colours == RGB else None, exif, _resolution(image), notes)
    if deep:
        return Picture(_deep(source, image, tags), metadata=metadata)
    alpha = None
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        alpha = np.array(image.getchannel("A"))
    elif image.mode not in ("RGB", "P"):
        image = to_srgb(image, profile)
    pixels = np.array(image.convert("RGB"))
    if alpha is not None:
        filled(pixels, alpha)
    return Picture(pixels, alpha, metadata)


def _resolution(image):
    """Return dots per inch, None if the file does not say: Pillow gives 1 for a TIFF's silence."""
    dpi = image.info.get("dpi")
    return dpi if dpi and min(dpi) > 1 else None


def _deep(source, image, tags):
    """Grey of more than 8 bits as float32 RGB, 0 to 255.

    Whole numbers and floats are as `dreamlib.imaging.floats` says.
    """
    values = np.array(image)
    if tags.get(FORMAT, (UNSIGNED,))[0] == UNSIGNED and values.dtype == np.int32:
        values = values.view(np.uint32)
    if values.dtype == np.uint16 and tags.get(PHOTOMETRIC) == (WHITE_IS_ZERO,):
        values = 65535 - values
    grey = values.astype(np.float32)
    if image.mode != "F":
        grey *= np.float32(255 / white_of_whole(values.dtype, values.max()))
    elif not np.isfinite(grey).all():
        raise DreamError(f"{source} {NO_NUMBERS}")
    else:
        grey = tone_mapped(grey, grey.max(), grey.mean(dtype=np.float64))
    np.clip(grey, 0, 255, out=grey)
    return np.repeat(grey[:, :, None], 3, axis=2)


def save_picture(path, pixels, settings_text, like, quality):
    """Write a picture by Pillow: see `dreamlib.imaging.open_save.save_picture`.

    Parameters
    ----------
    path : str or Path
    pixels : (H, W, 3) ndarray of uint8, uint16 or floating point
        Rounded to 8 bits.
    settings_text : str
    like : Picture or Noise
    quality : int

    Returns
    -------
    bool
        Whether the format could take the settings.

    Raises
    ------
    DreamError
        Disk full, picture too large for the format...
    """
    kind = format_of(path)
    image = _to_image(pixels, like.alpha, kind.alpha)
    options = _options(kind.name, settings_text, like.metadata, quality)
    if "icc_profile" in options:
        image.info["icc_profile"] = options["icc_profile"]  # where Pillow 8's TIFF looks for it
    try:
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            image.save(file, kind.name, **options)
    except ValueError as error:
        raise DreamError(f"{path} cannot be written: {error}") from error
    return "pnginfo" in options or "exif" in options or "tiffinfo" in options


def _to_image(pixels, alpha, holds_alpha):
    """Round a picture to 8 bits; lay it on white where the format cannot hold its alpha."""
    from PIL import Image

    scale = 255 / white_of(pixels.dtype)
    if alpha is None:
        return Image.fromarray(to_levels(pixels, np.uint8, scale))
    out = np.empty((*pixels.shape[:2], 3 + holds_alpha), np.uint8)
    to_levels(pixels, scale=scale, out=out[..., :3])
    if holds_alpha:
        out[..., 3] = alpha
    else:
        lay(out, alpha)
    return Image.fromarray(out)


def _options(kind, settings_text, metadata, quality):
    """Collect Pillow's keywords for a format."""
    options = {}
    if kind == "BMP":
        return options
    if metadata.icc_profile:
        options["icc_profile"] = metadata.icc_profile
    if metadata.dpi and kind != "WebP":
        options["dpi"] = tuple(float(value) for value in metadata.dpi)
    if kind in ("JPEG", "WebP"):
        options["quality"] = quality
    if kind == "JPEG":
        options["subsampling"] = 0
    exif = metadata.exif
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt(SETTINGS_KEY, settings_text)
    elif kind == "TIFF":
        options["tiffinfo"] = tiff_texts(settings_text, exif)
        return options
    else:
        exif = exif_with(settings_text, exif, kind)
    if exif:
        options["exif"] = exif
    return options


def kept_exif(image):
    """Collect the EXIF that describes a picture; a TIFF has it among its own tags.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened from a file.

    Returns
    -------
    PIL.Image.Exif
    """
    from PIL import Image

    exif = Image.Image.getexif(image)  # a PNG's own method would decode the pixels first
    for tag, value in dict(getattr(image, "tag_v2", {})).items():
        exif[tag] = value
    for tag in list(exif):
        if tag not in KEPT_TAGS:
            del exif[tag]
    return exif


def exif_with(settings_text, exif, kind):
    """Put settings into EXIF, as its description.

    Parameters
    ----------
    settings_text : str
    exif : bytes or None
        Dropped where both are too long: settings go before a camera's private notes.
    kind : str
        The format that it is for.

    Returns
    -------
    bytes or None
        None where the settings alone are too long.
    """
    for kept in (exif, None):
        merged = _parsed(kept)
        merged[DESCRIPTION] = _described(settings_text)
        data = merged.tobytes()
        if kind != "JPEG" or len(data) <= JPEG_EXIF_LIMIT:
            return data
    return None


def tiff_texts(settings_text, exif):
    """Collect the texts of a TIFF's own tags.

    Parameters
    ----------
    settings_text : str
    exif : bytes or None

    Returns
    -------
    dict of int to str
        Tag -> text, ASCII.
    """
    merged = _parsed(exif)
    texts = {tag: merged[tag] for tag in TEXT_TAGS if isinstance(merged.get(tag), str)}
    texts = {tag: in_ascii(text) for tag, text in texts.items()}
    return {**texts, DESCRIPTION: _described(settings_text)}


def in_ascii(text):
    """Spell what EXIF's texts cannot hold as TOML's escapes.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return "".join(letter if letter.isascii() else f"\\U{ord(letter):08X}" for letter in text)


def _described(settings_text):
    return in_ascii(f"{SETTINGS_KEY}\n{settings_text}")


def _parsed(exif):
    from PIL import Image

    parsed = Image.Exif()
    if exif:
        parsed.load(exif)
    return parsed


@contextmanager
def open_header(path):
    """Open a picture of any size with Pillow, for its header alone; not to be decoded.

    Pillow refuses what could be a decompression bomb even when only its header is wanted, and makes
    room for all of a WebP as it opens it.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    PIL.Image.Image
    """
    from PIL import Image

    check_file(path)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = webp_header(path) or open_image(path)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def read_settings_text(path):
    """Read the settings that `dreamlib.imaging.open_save.save_picture` put into a picture.

    Parameters
    ----------
    path : str

    Returns
    -------
    str

    Raises
    ------
    DreamError
        There is no such picture, or it carries none.
    """
    try:
        with open_header(path) as image:
            text = image.info.get(SETTINGS_KEY)
            described = str(kept_exif(image).get(DESCRIPTION, ""))
    except BROKEN as error:
        raise DreamError(f"{path}: no settings can be read from it: {error}") from error
    if text is None and described.startswith(SETTINGS_KEY + "\n"):
        text = described[len(SETTINGS_KEY) + 1 :]
    if text is None:
        raise DreamError(
            f"{path} carries no settings of a dream; name a .toml, a .json or a dreamt picture"
        )
    return str(text)
