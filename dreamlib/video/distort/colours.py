"""Distortions of colours: `hue` and `palette`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dreamlib.imaging.color import keep_colour
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.resample import strips
from dreamlib.video.distort.fields import written


@dataclass(frozen=True)
class Hue:
    """Turn hues in the plane of equal luminance; what has no place there gets paler.

    So a film that runs through all hues neither brightens nor darkens.
    """

    degrees: float

    NAME = "hue"
    FORM = "hue:DEGREES"
    HELP = "turn all hues by so many degrees of the colour circle; brightness stays"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(fields.number("DEGREES"))

    def __str__(self):
        return f"hue:{written(self.degrees)}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of a few blocks."""
        if self.degrees % 360 == 0:
            return
        turned = _turn(math.radians(self.degrees % 360)).astype(np.float32)
        for top, bottom in strips(*picture.shape[:2], BLOCK // 3, 1):
            rows = picture[top:bottom]
            keep_colour(rows, rows @ turned.T)


def _turn(angle):
    """Return the matrix (3, 3) that turns a colour about grey by an angle in radians."""
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3)
    # About the axis (1, 1, 1): a mean, a rest, and what is at right angles to both.
    mean = np.full((3, 3), 1 / 3)
    cross = np.float64([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return mean + cosine * (np.eye(3) - mean) + sine * cross


@dataclass(frozen=True)
class Palette:
    """Few colours, chosen by median cut, refined by k-means."""

    colours: int

    NAME = "palette"
    FORM = "palette:N"
    HELP = "the N colours, 2 to 256, that suit the picture best, and no others"

    @classmethod
    def read(cls, fields):
        """Make one of its fields."""
        return cls(fields.whole("N", 2, 256))

    def __str__(self):
        return f"palette:{self.colours}"

    def apply(self, picture, moment):
        """Distort a picture, in place; scratch of 9 bytes a pixel: 8-bit copies, Pillow's too."""
        levels = to_levels(picture)
        palette = _padded(self._chosen(levels))
        indices = _nearest(levels, palette)
        for top, bottom in strips(*picture.shape[:2], BLOCK // 3, 1):
            picture[top:bottom] = palette[indices[top:bottom]]

    def _chosen(self, levels):
        """Choose the palette by a sample of the pixels: (n, 3) ndarray of uint8, n <= colours."""
        from PIL import Image

        height, width = levels.shape[:2]
        spacing = math.ceil(math.sqrt(height * width / SAMPLE))
        sample = np.ascontiguousarray(levels[spacing // 2 :: spacing, spacing // 2 :: spacing])
        found = Image.fromarray(sample).quantize(self.colours, MEDIAN_CUT, kmeans=1, dither=0)
        palette = np.uint8(found.getpalette()).reshape(-1, 3)
        return palette[np.unique(np.asarray(found))]


#: Pixels that a palette is chosen by: k-means on all of them takes seconds.
SAMPLE = 1 << 14

#: Pillow's number for it; its names have changed.
MEDIAN_CUT = 0


def _padded(palette):
    """Repeat a palette's first colour up to the 256 that Pillow's palettes have."""
    return np.concatenate([palette, np.repeat(palette[:1], 256 - len(palette), axis=0)])


def _nearest(levels, palette):
    """Find the colour of 256 for each pixel: (H, W) ndarray of uint8, indices."""
    from PIL import Image

    colours = Image.new("P", (1, 1))
    colours.putpalette(palette.tobytes())
    return np.asarray(Image.fromarray(levels).quantize(palette=colours, dither=0))
