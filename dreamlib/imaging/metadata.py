"""Metadata of a picture file: profile, EXIF, resolution, and the settings of a dream.

A PNG has the settings as a text of its own, other formats as EXIF's description.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import NamedTuple

from dreamlib.errors import DreamError

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
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, RuntimeError)


class Metadata(NamedTuple):
    """Metadata of a picture."""

    icc_profile: bytes | None = None  #: of its colours; None is sRGB
    exif: bytes | None = None  #: without an orientation, since that has been applied
    dpi: tuple | None = None  #: (horizontal, vertical)


NO_METADATA = Metadata()


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

    Pillow refuses what could be a decompression bomb even when only its header is wanted.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    PIL.Image.Image
    """
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = Image.open(path)
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
