"""A picture: pixels from top to bottom, alpha and metadata.

That is anything with ``height``, ``width``, ``dtype``, ``has_alpha``, ``metadata``,
``strips(rows)`` and ``cropped(window)``, and where it has alpha ``layers(rows)``: `Picture` in
memory, `Noise` made as it is read, or `dreamlib.imaging.vips.reading.LargePicture` in a file. Whole
numbers are 8 or 16 bits of grey, floating point is 0 to 255.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.inplace import BLOCK

NOISE = re.compile(r"noise:([0-9]{1,9})x([0-9]{1,9})")
NOISE_MEAN, NOISE_DEVIATION = 128, 32

#: Axes (rows, columns) along which a picture closes in itself. The others are mirrored beyond its
#: borders, so that a window sees neither the opposite border nor an edge.
WRAPS = {"none": (False, False), "horizontal": (False, True), "both": (True, True)}


class Window(NamedTuple):
    """A rectangle of pixels; parts of it may lie beyond the picture."""

    top: int
    left: int
    height: int
    width: int


class Metadata(NamedTuple):
    """Metadata of a picture."""

    icc_profile: bytes | None = None  #: of its colours; None is sRGB
    exif: bytes | None = None  #: without an orientation, since that has been applied
    dpi: tuple | None = None  #: (horizontal, vertical)
    notes: tuple = ()  #: what its reader has to say, in words


NO_METADATA = Metadata()


@dataclass
class Picture:
    """A picture in memory.

    Attributes
    ----------
    pixels : (H, W, 3) ndarray of uint8, uint16 or float32, or None
        RGB, with hidden colours filled in. None where only alpha and metadata are meant.
    alpha : (H, W) ndarray of uint8, or None
    metadata : Metadata
    """

    pixels: np.ndarray | None
    alpha: np.ndarray | None = None
    metadata: Metadata = NO_METADATA

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
        """Of the pixels."""
        return self.pixels.dtype

    @property
    def has_alpha(self):
        """Whether it is transparent in places."""
        return self.alpha is not None

    def strips(self, rows):
        """Give the pixels from top to bottom.

        Parameters
        ----------
        rows : int
            Height of a strip; the last may be lower.

        Yields
        ------
        top : int
        pixels : (h, W, 3) ndarray
            A view.
        """
        for top in range(0, self.height, rows):
            yield top, self.pixels[top : top + rows]

    def layers(self, rows):
        """Give pixels and alpha from top to bottom.

        Parameters
        ----------
        rows : int
            Height of a strip; the last may be lower.

        Yields
        ------
        top : int
        pixels : (h, W, 3) ndarray
            A view.
        alpha : (h, W) ndarray
            A view.
        """
        for top, pixels in self.strips(rows):
            yield top, pixels, self.alpha[top : top + rows]

    def cropped(self, window):
        """Return alpha and metadata of a part.

        Parameters
        ----------
        window : dreamlib.imaging.picture.Window

        Returns
        -------
        Picture
            Without pixels.
        """
        alpha = self.alpha
        if alpha is not None:
            alpha = alpha[
                window.top : window.top + window.height, window.left : window.left + window.width
            ]
        return Picture(None, alpha, self.metadata)


class Noise:
    """A picture of normally distributed noise, made as it is read.

    Parameters
    ----------
    height, width : int
    seed : int or None
    mean, deviation : float or (3,) array_like
        In grey levels.
    """

    dtype, alpha, has_alpha, metadata = np.dtype(np.uint8), None, False, NO_METADATA

    def __init__(self, height, width, seed, mean=NOISE_MEAN, deviation=NOISE_DEVIATION):
        self.height, self.width = height, width
        self._seed, self._mean, self._deviation = seed, mean, deviation

    @classmethod
    def of(cls, source, seed):
        """Read the size of a noise.

        Parameters
        ----------
        source : str
            ``noise:WIDTHxHEIGHT``.
        seed : int or None

        Returns
        -------
        Noise

        Raises
        ------
        DreamError
            It is something else.
        """
        match = NOISE.fullmatch(source)
        width, height = (int(side) for side in match.groups()) if match else (0, 0)
        if not width or not height:
            raise DreamError(
                f"{source!r} is not noise:WIDTHxHEIGHT with whole numbers, as noise:512x384"
            )
        return cls(height, width, seed)

    def strips(self, rows):
        """Make the pixels from top to bottom: the same for every height of strips.

        Parameters
        ----------
        rows : int
            Height of a strip; the last may be lower.

        Yields
        ------
        top : int
        pixels : (h, W, 3) ndarray of uint8
        """
        random = np.random.RandomState(self._seed)
        for top in range(0, self.height, rows):
            pixels = np.empty((min(rows, self.height - top), self.width, 3), np.uint8)
            for row in pixels:  # a row at a time, for the numbers are drawn as float64
                values = random.normal(self._mean, self._deviation, row.shape)
                row[:] = np.clip(values, 0, 255)
            yield top, pixels

    def cropped(self, window):
        """Return alpha and metadata of a part: see `Picture.cropped`.

        Parameters
        ----------
        window : dreamlib.imaging.picture.Window

        Returns
        -------
        Noise
            This one, since it has neither.
        """
        return self


class RawFile(NamedTuple):
    """Pixels in a file: rows of interleaved RGB in the machine's byte order, and nothing else."""

    path: str
    height: int
    width: int
    dtype: Any


def white_of(dtype):
    """Return the value of white.

    Parameters
    ----------
    dtype : numpy dtype
        Of pixels.

    Returns
    -------
    int
        65535 for uint16, else 255.
    """
    return 65535 if np.dtype(dtype) == np.uint16 else 255


def to_levels(values, dtype=np.uint8, scale=1, out=None):
    """Round values to whole levels, limited to what their dtype holds.

    Parameters
    ----------
    values : (N, ...) ndarray
        Not changed. Scratch is a few blocks of rows.
    dtype : {uint8, uint16}
    scale : float
        Values are multiplied by it first: 257 from grey levels to 16 bits.
    out : (N, ...) ndarray of uint8, uint16 or floating point, optional
        Overwritten, in its own dtype; floating point is neither rounded nor limited.

    Returns
    -------
    (N, ...) ndarray
        `out`, or a new one; `values` themselves where nothing has to be done.
    """
    if out is None:
        if values.dtype == dtype and scale == 1:
            return values
        out = np.empty(values.shape, dtype)
    rows = max(1, BLOCK // max(1, values[:1].size))
    for top in range(0, len(values), rows):
        block = values[top : top + rows]
        if scale != 1:
            block = block * scale
        if out.dtype.kind == "u":
            block = np.rint(block)
            np.clip(block, 0, np.iinfo(out.dtype).max, out=block)
        out[top : top + rows] = block
    return out


def shrunken(picture, side):
    """Reduce a picture until its longest side is no more than `side` pixels.

    Parameters
    ----------
    picture : Picture, Noise or LargePicture
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
    image = Image.fromarray(to_levels(small))
    size = shrunken_size(picture, side)[::-1]
    return np.asarray(image if image.size == size else image.resize(size, Image.LANCZOS))


def shrunken_size(picture, side):
    """Return the (height, width) to which `shrunken` reduces a picture.

    Parameters
    ----------
    picture : Picture, Noise or LargePicture
    side : int
        In pixels.

    Returns
    -------
    (int, int)
    """
    scale = min(1, side / max(picture.height, picture.width))
    return tuple(max(1, round(length * scale)) for length in (picture.height, picture.width))
