"""Distortions of colours: `hue` and `palette`."""

import math

import numpy as np

from dreamlib.imaging.color import keep_colour
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.resample import strips
from dreamlib.video.distort.fields import Number, Whole
from dreamlib.video.distort.registry import distortion

#: Pixels that a palette is chosen by: k-means on all of them takes seconds.
SAMPLE = 1 << 14

#: Pillow's number for it; its names have changed.
MEDIAN_CUT = 0


@distortion("turn all hues by DEGREES of the colour circle; brightness stays")
def hue(picture, moment, degrees: Number()):
    """Turn hues in the plane of equal luminance; colours without a place there get paler.

    So a film that runs through all hues neither brightens nor darkens.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of a few blocks.
    moment : dreamlib.video.distort.chain.Moment
    degrees : float
        Of the colour circle, red towards green.
    """
    if degrees % 360 == 0:
        return
    turned = _turn(math.radians(degrees % 360)).astype(np.float32)
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


@distortion("the N colours, 2 to 256, that suit the picture best, and no others")
def palette(picture, moment, count: Whole(2, 256, sign="N")):
    """Keep few colours, chosen by median cut and k-means.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of 9 bytes a pixel.
    moment : dreamlib.video.distort.chain.Moment
    count : int
        Number of colours.
    """
    levels = to_levels(picture)
    colours = _padded(_chosen(levels, count))
    indices = _nearest(levels, colours)
    for top, bottom in strips(*picture.shape[:2], BLOCK // 3, 1):
        picture[top:bottom] = colours[indices[top:bottom]]


def _chosen(levels, count):
    """Choose colours by a sample of the pixels: (n, 3) ndarray of uint8, n <= count."""
    from PIL import Image

    height, width = levels.shape[:2]
    spacing = math.ceil(math.sqrt(height * width / SAMPLE))
    sample = np.ascontiguousarray(levels[spacing // 2 :: spacing, spacing // 2 :: spacing])
    found = Image.fromarray(sample).quantize(count, MEDIAN_CUT, kmeans=1, dither=0)
    colours = np.uint8(found.getpalette()).reshape(-1, 3)
    return colours[np.unique(np.asarray(found))]


def _padded(palette):
    """Repeat a palette's first colour up to the 256 that Pillow's palettes have."""
    return np.concatenate([palette, np.repeat(palette[:1], 256 - len(palette), axis=0)])


def _nearest(levels, palette):
    """Find the colour of 256 for each pixel: (H, W) ndarray of uint8, indices."""
    from PIL import Image

    colours = Image.new("P", (1, 1))
    colours.putpalette(palette.tobytes())
    return np.asarray(Image.fromarray(levels).quantize(palette=colours, dither=0))
