"""Large pictures in: opened without decoding, read by strips from top to bottom."""

from __future__ import annotations

import math
import os
import weakref
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import Surroundings
from dreamlib.imaging.floats import NO_NUMBERS, SHOULDER, are_levels, white_of_whole
from dreamlib.imaging.formats import check_claim, check_source
from dreamlib.imaging.picture import Metadata, Window
from dreamlib.imaging.pillow_io import kept_exif, open_header
from dreamlib.imaging.profiles import CMYK, GREY, LAB, RGB, checked_profile
from dreamlib.imaging.tiff_header import (
    CIELAB,
    COMPRESSION,
    JPEG,
    PHOTOMETRIC,
    YCBCR,
    bits_of,
    extra_is_alpha,
    tiff_tags,
)
from dreamlib.imaging.vips.library import interrupts_later, libvips, reason, to_depth
from dreamlib.util.image_open import unread
from dreamlib.util.memory import give_back_freed

#: Rows that libvips computes at a time; strips are made of them, so that its scratch stays small.
FETCH_ROWS = 16

MM_PER_INCH = 25.4

#: Kinds of colours that have profiles; and how libvips is to convert them.
PROFILES = {"grey": GREY, "rgb": RGB, "cmyk": CMYK}
TO_SRGB = {"intent": "relative", "black_point_compensation": True}


@dataclass(frozen=True)
class LargePicture:
    """A picture in a file, not decoded; made by `open_picture`.

    Attributes
    ----------
    path : str
    width, height : int
        Pixels, upright: EXIF's orientation is applied.
    dtype : numpy dtype
        uint8, or uint16 where the source has more than 8 bits.
    has_alpha : bool
    metadata : Metadata
        The profile is None where the colours are converted.
    window : Window or None
        The part whose alpha is meant; None is all.
    """

    path: str
    width: int
    height: int
    dtype: Any
    has_alpha: bool
    metadata: Metadata
    window: Any = None

    def cropped(self, window):
        """Return alpha and metadata of a part: see `dreamlib.imaging.picture.Picture.cropped`.

        Parameters
        ----------
        window : dreamlib.imaging.picture.Window

        Returns
        -------
        LargePicture
        """
        return replace(self, window=window)

    def strips(self, rows):
        """Decode the picture from top to bottom, with hidden colours filled in.

        Parameters
        ----------
        rows : int
            Height of a strip; the last may be lower.

        Yields
        ------
        top : int
        pixels : (h, W, 3) ndarray of `dtype`
            RGB, the caller's own.

        Raises
        ------
        DreamError
            The file is broken, or has changed since it was opened.

        Notes
        -----
        Memory holds some strips of the picture; only what is interlaced or progressive has to be
        decoded as a whole. A picture that EXIF turns is decoded to a temporary file in TMPDIR.
        Where there is alpha the picture is decoded twice.
        """
        around = None
        if self.has_alpha:
            around = Surroundings(self.height, self.width)
            for seen in self.layers(FETCH_ROWS):
                around.see(*seen)
        for top, strip in self._bands(rows):
            pixels = strip[..., :3]
            if around:
                around.fill(top, pixels, strip[..., 3])
                pixels = np.ascontiguousarray(pixels)
            yield top, pixels

    def layers(self, rows):
        """Decode pixels and alpha as they lie: see `dreamlib.imaging.picture.Picture.layers`."""
        for top, strip in self._bands(rows):
            yield top, strip[..., :3], strip[..., 3]

    def whole_alpha(self):
        """Decode the alpha of `window`, or all: an (h, w) ndarray of `dtype`."""
        part = self.window or Window(0, 0, self.height, self.width)
        whole = np.empty((self.height, part.width), self.dtype)
        for top, _, alpha in self.layers(FETCH_ROWS):
            whole[top : top + len(alpha)] = alpha[:, part.left : part.left + part.width]
        return whole[part.top : part.top + part.height]

    def _bands(self, rows):
        """Decode strips of colours, and alpha where there is one: (h, W, 3 or 4)."""
        if rows < 1:
            raise ValueError(f"strips need at least one row, not {rows}")
        vips = libvips()
        try:
            colours, alpha = split(self)
            bands = colours if alpha is None else colours.bandjoin(alpha)
            del colours, alpha
            # A region and not a crop for each strip: at the end of a crop libvips forgets the rows
            # it has decoded ahead, and a file that is read in order cannot give them again.
            region = vips.Region.new(bands)
            for top in range(0, self.height, rows):
                shape = min(rows, self.height - top), self.width, 3 + self.has_alpha
                strip = np.empty(shape, self.dtype)
                for row in range(0, len(strip), FETCH_ROWS):
                    part = strip[row : row + FETCH_ROWS]
                    with interrupts_later():
                        data = region.fetch(0, top + row, self.width, len(part))
                    part[:] = np.frombuffer(data, self.dtype).reshape(part.shape)
                    del data
                if top + len(strip) == self.height:  # gives back what was decoded whole
                    del region, bands
                    give_back_freed()
                yield top, strip
        except vips.Error as error:
            raise DreamError(
                f"{self.path} cannot be read to its end, it may be truncated: {reason(error)}"
            ) from error


def open_picture(path):
    """Open a picture of any size without decoding it.

    Parameters
    ----------
    path : str
        A file of `dreamlib.imaging.vips.library.LOADERS`.

    Returns
    -------
    LargePicture

    Raises
    ------
    DreamError
        There is no picture there, or one of colours that are not known; says why.
    """
    vips = libvips()
    path = os.fspath(path)
    size = check_source(path)
    try:
        image = _open(vips, path)
        check_claim(path, image.width, image.height)
        colours, alpha = _split(vips, path, image)
        turned = image.get("orientation") > 4 if image.get_typeof("orientation") else False
    except vips.Error as error:
        wide = bits_of(tiff_tags(path)) > 32
        said = "numbers of 64 bits; save it with 32" if wide else reason(error)
        raise DreamError(f"{path} {unread(path, 'libvips')} ({size} bytes): {said}") from error
    x, y = (image.yres, image.xres) if turned else (image.xres, image.yres)
    dpi = None if x == y == 1 else (x * MM_PER_INCH, y * MM_PER_INCH)
    kind, (profile, exif) = _kind(path, image), _from_header(path, image)
    profile, notes = checked_profile(path, profile, PROFILES.get(kind, LAB))
    return LargePicture(
        path=path,
        width=colours.width,
        height=colours.height,
        dtype=np.dtype(np.uint8 if colours.format == "uchar" else np.uint16),
        has_alpha=alpha is not None,
        metadata=Metadata(profile if kind == "rgb" else None, exif, dpi, notes),
    )


def _from_header(path, image):
    """Return profile and EXIF that are kept, as Pillow reads them where it knows the format."""
    from PIL import UnidentifiedImageError

    try:
        with open_header(path) as header:
            if not reads_colours(tiff_tags(path)):
                # libvips would give luminance as red.
                raise DreamError(f"{path} is a TIFF of YCbCr without JPEG; save it as RGB")
            exif = kept_exif(header)
            return header.info.get("icc_profile"), exif.tobytes() if len(exif) else None
    except UnidentifiedImageError:  # colours that Pillow has no mode for, as floats of three
        return _profile(image), None


def _profile(image):
    known = image.get_typeof("icc-profile-data")
    return bytes(image.get("icc-profile-data")) if known else None


def reads_colours(tags):
    """Tell whether libvips understands the colours of a TIFF.

    Parameters
    ----------
    tags : dict
        Of `dreamlib.imaging.tiff_header.tiff_tags`.

    Returns
    -------
    bool
        False of Lab with 8 bits, and of YCbCr without JPEG.
    """
    colours = tags.get(PHOTOMETRIC, (0,))[0]
    if colours == YCBCR:
        return tags.get(COMPRESSION) == (JPEG,)
    return colours != CIELAB or bits_of(tags) > 8


def split(picture):
    """Open a picture again, as two images of libvips that can be read once.

    Parameters
    ----------
    picture : LargePicture

    Returns
    -------
    colours : pyvips.Image
        Upright, three bands of the picture's dtype.
    alpha : pyvips.Image or None
        One band of the same.

    Raises
    ------
    DreamError
        The file is gone, or of another size.
    """
    vips = libvips()
    check_source(picture.path)
    colours, alpha = _split(vips, picture.path, _open(vips, picture.path))
    if (colours.width, colours.height) != (picture.width, picture.height):
        raise DreamError(
            f"{picture.path} has changed since it was opened: it was {picture.width}x"
            f"{picture.height} pixels and is {colours.width}x{colours.height}"
        )
    return colours, alpha


@interrupts_later()
def _open(vips, path, access="sequential"):
    # Read by Python: a name's brackets libvips would take for options, and a file that it opens
    # itself it maps into memory as a whole.
    file = os.open(path, os.O_RDONLY)
    source = vips.SourceCustom()
    source.on_read(partial(os.read, file))
    source.on_seek(partial(os.lseek, file))
    weakref.finalize(source, os.close, file)
    return vips.Image.new_from_source(source, "", access=access, fail_on="error")


@interrupts_later()
def _split(vips, path, image):
    """Turn an image upright, and its colours into RGB of 8 or 16 bits, without alpha."""
    kind = _kind(path, image)
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        image = _open(vips, path, "random").autorot()
    count = {"grey": 1, "cmyk": 4}.get(kind, 3)
    alpha = None
    if image.bands > count:
        if extra_is_alpha(tiff_tags(path)):
            alpha = _whole(path, image[count], count)
        image = image.extract_band(0, n=count)
    if kind in ("grey", "rgb"):
        image = _whole(path, image, 0, count)
    depth = "srgb" if image.format == "uchar" else "rgb16"
    if kind == "rgb":
        image = image.copy(interpretation=depth)
    else:
        image = _to_srgb(vips, path, image, kind, depth)
    return image, None if alpha is None else to_depth(alpha, image.format)


def _kind(path, image):
    """Sort what libvips knows of colours into 'grey', 'rgb', 'cmyk' and 'other'."""
    if image.format in ("char", "complex", "dpcomplex"):
        raise DreamError(
            f"{path} has numbers of the type {image.format}; save it with 8 or 16 bits a channel"
        )
    if image.bands == 1 or (image.interpretation in ("b-w", "grey16") and image.bands == 2):
        return "grey"
    if image.interpretation in ("srgb", "rgb", "rgb16", "scrgb"):
        return "rgb"
    if image.interpretation in ("b-w", "grey16", "multiband"):
        raise DreamError(
            f"{path} has {image.bands} channels that are not said to be colours; save it as RGB"
        )
    return "cmyk" if image.interpretation == "cmyk" else "other"


def _whole(path, image, first, count=1):
    """Turn numbers of other types into 16 bits, scaled as by `dreamlib.imaging.pillow_io`."""
    if image.format in ("uchar", "ushort"):
        return image
    if image.format in ("float", "double"):
        image = _tone_mapped(path, image, first, count).rint()
    elif image.format in ("int", "uint"):
        peak = _seen(path, first, count)[1]
        white = white_of_whole({"int": np.int32, "uint": np.uint32}[image.format], peak)
        if white != 65535:
            image = image.cast("double").linear(65535 / white, 0).rint()
    return image.cast("ushort")  # limits, and does not wrap


def _seen(path, first, count):
    """Return the least, largest and mean value of some bands."""
    # Seen in a pass of its own: an image can be read only once.
    seen = _open(libvips(), path).extract_band(first, n=count).stats()
    return seen(0, 0)[0], seen(1, 0)[0], seen(4, 0)[0]


def _tone_mapped(path, image, first, count):
    """Turn floating point into 16 bits: see `dreamlib.imaging.floats`."""
    lowest, peak, mean = _seen(path, first, count)
    if not all(map(math.isfinite, (lowest, peak, mean))):
        raise DreamError(f"{path} {NO_NUMBERS}")
    if are_levels(peak, mean):
        return image.linear(257, 0)
    if peak > 1:
        rest = 1 - SHOULDER
        high = image.linear(-1 / rest, SHOULDER / rest).exp()
        image = (image > SHOULDER).ifthenelse(high.linear(-rest, 1), image)
    return image.linear(65535, 0)


def _to_srgb(vips, path, image, kind, depth):
    """Convert other colours as `dreamlib.imaging.profiles` says."""
    own = PROFILES.get(kind)
    if own and checked_profile(path, _profile(image), own)[0]:
        try:
            return image.icc_transform(
                "srgb", embedded=True, depth=8 if depth == "srgb" else 16, **TO_SRGB
            )
        except vips.Error:
            pass  # it has no table for this way
    if kind == "grey":
        return image.bandjoin([image, image]).copy(interpretation=depth)
    if kind == "cmyk":
        white = 255 if depth == "srgb" else 65535
        black = image[3].linear(-1, white)
        inks = image.extract_band(0, n=3)
        rgb = black - (inks * black).linear(1 / white, 0).rint()
        return rgb.cast(image.format).copy(interpretation=depth)
    return image.icc_export(output_profile="srgb", depth=8 if depth == "srgb" else 16, **TO_SRGB)
