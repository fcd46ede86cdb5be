"""Pictures in and out of files: every mode, what belongs to the picture, and the dream's settings.

A dream is made of three channels of colour. What else a file holds (transparency, colour profile,
EXIF, resolution) goes around the dream and into the output.
"""

from __future__ import annotations

import os
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.inplace import BLOCK
from dreamlib.util.atomic_write import written_whole

#: Suffix -> Pillow's format.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
WITH_ALPHA = ("PNG", "WEBP", "TIFF")
SETTINGS_KEY = "dreamlib"  # of the PNG text, and what the EXIF description begins with
IMAGE_DESCRIPTION = 0x010E  # EXIF

NOISE = re.compile(r"noise:(\d+)x(\d+)")
NOISE_MEAN, NOISE_DEVIATION = 128, 32


@dataclass
class Picture:
    """A picture to dream, and what goes around the dream.

    Attributes
    ----------
    pixels : (H, W, 3) ndarray
        RGB; uint8, or float32 from 0 to 255 where the source has more than 8 bits.
    alpha : (H, W) ndarray of uint8, or None
    icc_profile, exif : bytes or None
        The EXIF's orientation is reset, since it has been applied.
    dpi : tuple or None
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple | None = None

    @property
    def height(self):
        """In pixels."""
        return self.pixels.shape[0]

    @property
    def width(self):
        """In pixels."""
        return self.pixels.shape[1]

    @property
    def dtype(self):
        """The pixels' own."""
        return self.pixels.dtype

    def strips(self, rows):
        """Give the pixels from top to bottom: yields (top, (h, W, 3) ndarray)."""
        for top in range(0, self.height, rows):
            yield top, self.pixels[top : top + rows]

    def cropped(self, window):
        """Return what goes around the dream of a part, without its pixels."""
        alpha = self.alpha
        if alpha is not None:
            alpha = alpha[
                window.top : window.top + window.height, window.left : window.left + window.width
            ]
        return Picture(None, alpha, self.icc_profile, self.exif, self.dpi)


class Noise:
    """A picture of normally distributed noise, made as it is read.

    Parameters
    ----------
    height, width : int
    seed : int or None
    mean, deviation : float or (3,) array_like
        In grey levels.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, height, width, seed, mean=NOISE_MEAN, deviation=NOISE_DEVIATION):
        self.height, self.width = height, width
        self._seed, self._mean, self._deviation = seed, mean, deviation

    @classmethod
    def of(cls, source, seed):
        """Read ``noise:WIDTHxHEIGHT``, or raise the `DreamError` that says what was expected."""
        match = NOISE.fullmatch(source)
        width, height = (int(side) for side in match.groups()) if match else (0, 0)
        if not width or not height:
            raise DreamError(
                f"{source!r} is not noise:WIDTHxHEIGHT with whole numbers, as noise:512x384"
            )
        return cls(height, width, seed)

    def strips(self, rows):
        """Make the pixels from top to bottom: yields (top, (h, W, 3) ndarray of uint8)."""
        random = np.random.RandomState(self._seed)
        for top in range(0, self.height, rows):
            pixels = np.empty((min(rows, self.height - top), self.width, 3), np.uint8)
            for row in pixels:  # a row at a time, for the numbers are drawn as float64
                values = random.normal(self._mean, self._deviation, row.shape)
                row[:] = np.clip(values, 0, 255)
            yield top, pixels

    def cropped(self, window):
        """Return this: nothing goes around noise."""
        return self


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

    path = Path(source)
    if path.is_dir():
        raise DreamError(f"{source} is a folder; name a picture in it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                file.load()
                return _as_picture(ImageOps.exif_transpose(file), _descriptive(file))
    except FileNotFoundError as error:
        raise DreamError(f"{source}: there is no such file") from error
    except Image.DecompressionBombError as error:
        raise DreamError(
            f"{source} is too large for Pillow: {error}; pip install 'dreamlib[vips]'"
        ) from error
    except UnidentifiedImageError as error:
        size = path.stat().st_size
        what = "is empty" if size == 0 else "is no picture, or of a format that Pillow cannot read"
        raise DreamError(f"{source} {what} ({size} bytes)") from error
    except PermissionError as error:
        raise DreamError(f"{source} cannot be read: {error.strerror}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DreamError(f"{source} cannot be read, it may be truncated: {error}") from error


def _as_picture(image, exif):
    """Turn Pillow's image, already upright, into ours."""
    picture = Picture(
        pixels=None,
        icc_profile=image.info.get("icc_profile"),
        exif=exif.tobytes() if len(exif) else None,
        dpi=_resolution(image),
    )
    if image.mode.startswith("I") or image.mode == "F":
        picture.pixels = _deep(image)
        return picture
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        picture.alpha = np.array(image.getchannel("A"))
    elif image.mode not in ("RGB", "P"):
        # The profile speaks of channels that the output does not have: it is used up here.
        image, picture.icc_profile = _to_srgb(image, picture.icc_profile), None
    picture.pixels = np.array(image.convert("RGB"))
    return picture


def _resolution(image):
    """Return dots per inch, None if the file does not say: Pillow gives 1 for a TIFF's silence."""
    dpi = image.info.get("dpi")
    return dpi if dpi and min(dpi) > 1 else None


def _deep(image):
    """Grey of more than 8 bits as float32 RGB, 0 to 255.

    Whole numbers are 16 bit, as a PNG's are; floats are 0..1 where none is above 1, else 0..255.
    """
    grey = np.array(image).astype(np.float32)
    if image.mode != "F":
        grey /= 257
    elif grey.max() <= 1:
        grey *= 255
    np.clip(grey, 0, 255, out=grey)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _to_srgb(image, profile):
    """Convert a picture of other colours by its profile, or by Pillow's rule if it has none."""
    from PIL import ImageCms

    if image.mode == "LAB":
        source = ImageCms.createProfile("LAB")
    elif profile:
        source = BytesIO(profile)
    else:
        return image.convert("RGB")
    try:
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except ImageCms.PyCMSError:
        return image.convert("RGB")  # a profile that is not for this mode, or is broken


#: The tags of EXIF's first directory that describe the picture and not the file: description, make,
#: model, software, date, artist, copyright, and the directories of camera and place.
_KEPT_TAGS = (IMAGE_DESCRIPTION, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825)


def _descriptive(image):
    """Collect the tags of EXIF that describe the picture; a TIFF has them among its own."""
    from PIL import Image

    exif = Image.Image.getexif(image)  # a PNG's own method would decode the pixels first
    for tag, value in dict(getattr(image, "tag_v2", {})).items():
        exif[tag] = value
    for tag in list(exif):
        if tag not in _KEPT_TAGS:
            del exif[tag]
    return exif


def check_output(path, source=None):
    """Refuse an output that could not be written, before hours are spent on it.

    Parameters
    ----------
    path : str
    source : str, optional
        The input, which is not to be overwritten.

    Raises
    ------
    DreamError
    """
    path = Path(path)
    known = (*FORMATS, ".dzi")
    if path.suffix.lower() not in known:
        raise DreamError(f"{path}: pictures are written as {', '.join(known)}; name one of these")
    if path.is_dir():
        raise DreamError(f"{path} is a folder; name a file in it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise DreamError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise DreamError(f"{path}: the folder {folder} is not writable")
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise DreamError(f"{path} is the input; name another output")


def save_picture(path, pixels, settings_text, like=None, quality=95):
    """Write a picture, whole or not at all.

    Parameters
    ----------
    path : str
        Its suffix chooses the format.
    pixels : (H, W, 3) ndarray of uint8 or floating point
        RGB; rounded and clipped to 0..255. Not changed.
    settings_text : str
        Goes into the file: PNG text, or EXIF's ImageDescription.
    like : Picture, optional
        Whose alpha, profile, EXIF and resolution to take, where the format can hold them.
    quality : int
        Of JPEG and WebP.

    Returns
    -------
    bool
        Whether the format could take the settings.

    Raises
    ------
    DreamError
        Disk full, picture too large for the format...
    """
    path = Path(os.path.realpath(path))  # a link stays, and what it points to is written
    kind = FORMATS[path.suffix.lower()]
    like = like or Picture(pixels)
    image = _to_image(pixels, like.alpha if kind in WITH_ALPHA else None)
    options = _options(kind, settings_text, like, quality)
    if "icc_profile" in options:
        image.info["icc_profile"] = options["icc_profile"]  # where Pillow 8's TIFF looks for it
    try:
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            image.save(file, kind, **options)
    except ValueError as error:
        raise DreamError(f"{path} cannot be written: {error}") from error
    return kind != "BMP"


def _to_image(pixels, alpha):
    """Round a picture to 8 bits, a block of rows at a time."""
    from PIL import Image

    height, width = pixels.shape[:2]
    if pixels.dtype == np.uint8 and alpha is None:
        return Image.fromarray(pixels)
    out = np.empty((height, width, 3 if alpha is None else 4), np.uint8)
    rows = max(1, BLOCK // max(1, 3 * width))
    for top in range(0, height, rows):
        block = pixels[top : top + rows]
        block = np.rint(block / 257 if pixels.dtype == np.uint16 else block)
        out[top : top + rows, :, :3] = np.clip(block, 0, 255, out=block)
    if alpha is not None:
        out[:, :, 3] = alpha
    return Image.fromarray(out)


def _options(kind, settings_text, like, quality):
    """Collect Pillow's keywords for a format."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if kind == "BMP":
        return {}
    options = {}
    if like.icc_profile:
        options["icc_profile"] = like.icc_profile
    if like.dpi and kind != "WEBP":
        options["dpi"] = tuple(float(value) for value in like.dpi)
    if kind in ("JPEG", "WEBP"):
        options["quality"] = quality
    if kind == "JPEG":
        options["subsampling"] = 0
    exif = Image.Exif()
    if like.exif:
        exif.load(like.exif)
    if kind == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt(SETTINGS_KEY, settings_text)
        if like.exif:
            options["exif"] = like.exif
        return options
    exif[IMAGE_DESCRIPTION] = _ascii(f"{SETTINGS_KEY}\n{settings_text}")
    if kind == "TIFF":
        options["tiffinfo"] = {tag: exif[tag] for tag in exif if tag in _KEPT_TAGS[:7]}
    else:
        options["exif"] = exif.tobytes()
    return options


def _ascii(text):
    """Spell what EXIF's texts cannot hold as TOML's escapes."""
    return "".join(letter if letter.isascii() else f"\\U{ord(letter):08X}" for letter in text)


@contextmanager
def open_header(path):
    """Open a picture of any size with Pillow, for what its header tells; not to be decoded.

    Pillow refuses what could be a decompression bomb even when only its header is wanted.
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
    """Read the settings that `save_picture` put into a picture.

    Raises
    ------
    DreamError
        There is no such picture, or it carries none.
    """
    try:
        with open_header(path) as image:
            text = image.info.get(SETTINGS_KEY)
            described = str(_descriptive(image).get(IMAGE_DESCRIPTION, ""))
    except (OSError, SyntaxError, ValueError) as error:
        raise DreamError(f"{path}: no settings can be read from it: {error}") from error
    if text is None and described.startswith(SETTINGS_KEY + "\n"):
        text = described[len(SETTINGS_KEY) + 1 :]
    if text is None:
        raise DreamError(
            f"{path} carries no settings of a dream; name a .toml, a .json or a dreamt picture"
        )
    return str(text)
