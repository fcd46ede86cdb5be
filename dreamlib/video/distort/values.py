"""Distortions that change values where they are: blurs, edges and colours."""

import math

import numpy as np

from dreamlib.imaging.color import keep_colour, luminance_of
from dreamlib.imaging.filters import gaussian_blur
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.resample import strips
from dreamlib.video.distort.fields import Number, Whole
from dreamlib.video.distort.registry import distortion

#: Levels of an edge for each level by which neighbouring pixels differ: without it the edges of a
#: photograph, a few levels a pixel, would be invisible.
GAIN = 4

#: Pixels that a palette is chosen by: k-means on all of them takes seconds.
SAMPLE = 1 << 14

#: Pillow's number for it; its names have changed.
MEDIAN_CUT = 0


@distortion("blur by a Gaussian of SIGMA pixels, 0 to 100")
def blur(picture, moment, sigma: Number(0, 100)):
    """Blur, so that small detail fades; the mean stays.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of a plane.
    moment : dreamlib.video.distort.chain.Moment
    sigma : float
        Standard deviation in pixels.
    """
    gaussian_blur(picture.transpose(2, 0, 1), sigma)


@distortion(
    "the picture's edges, grey, or with colour each channel's own; SHARE of them, 0 to 1, and the "
    "rest of the picture"
)
def sobel(picture, moment, colour: bool = False, share: Number(0, 1) = 1.0):
    """Mix in edges by Sobel's kernel.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of some rows.
    moment : dreamlib.video.distort.chain.Moment
    colour : bool
        Each channel's own edges, not those of the luminance.
    share : float
        Of the edges in the result; the rest is the picture.
    """
    _mix_edges(picture, (1, 2, 1), colour, share)


@distortion("as sobel, but by Prewitt's kernel, which is a little softer")
def prewitt(picture, moment, colour: bool = False, share: Number(0, 1) = 1.0):
    """Mix in edges by Prewitt's kernel.

    Parameters
    ----------
    picture, moment, colour, share
        As for `sobel`.
    """
    _mix_edges(picture, (1, 1, 1), colour, share)


def _mix_edges(picture, mean, colour, share):
    """Mix a picture with its steepness, in levels a pixel times `GAIN`; scratch of some rows.

    Across its direction a kernel takes a difference, ``-1 0 1``, along it a mean of weights `mean`.
    Beyond its borders the picture's last pixels are repeated.
    """
    height, width = picture.shape[:2]
    above = picture[:1].copy()  # the row above the strip, as it was
    for top, bottom in strips(height, width, BLOCK // 3, 1):
        rows = picture[top:bottom]
        below = picture[min(bottom, height - 1)][None]
        window = np.concatenate([above, rows, below])
        above = window[-2:-1]
        edges = _steepness(window if colour else luminance_of(window)[..., None], mean)
        np.minimum(edges, 255, out=edges)
        rows *= np.float32(1 - share)
        edges *= np.float32(share)
        rows += edges


def _steepness(window, mean):
    """Return the steepness of (n + 2, W, c) rows, without the first and the last of them."""
    window = np.pad(window, ((0, 0), (1, 1), (0, 0)), mode="edge")
    before, here, after = np.float32(mean) * np.float32(GAIN / (2 * sum(mean)))
    difference = window[2:] - window[:-2]
    down = difference[:, :-2] * before
    down += difference[:, 1:-1] * here
    down += difference[:, 2:] * after
    difference = window[:, 2:] - window[:, :-2]
    across = difference[:-2] * before
    across += difference[1:-1] * here
    across += difference[2:] * after
    return np.hypot(down, across, out=down)


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
    colours = _chosen(levels, count)
    indices = _nearest(levels, colours)
    for top, bottom in strips(*picture.shape[:2], BLOCK // 3, 1):
        picture[top:bottom] = colours[indices[top:bottom]]


def _chosen(levels, count):
    """Choose up to `count` colours by a sample of the pixels: (256, 3) ndarray of uint8.

    The first is repeated up to the 256 that Pillow's palettes have.
    """
    from PIL import Image

    height, width = levels.shape[:2]
    spacing = math.ceil(math.sqrt(height * width / SAMPLE))
    sample = np.ascontiguousarray(levels[spacing // 2 :: spacing, spacing // 2 :: spacing])
    found = Image.fromarray(sample).quantize(count, MEDIAN_CUT, kmeans=1, dither=0)
    colours = np.uint8(found.getpalette()).reshape(-1, 3)
    colours = colours[np.unique(np.asarray(found))]
    return np.concatenate([colours, np.repeat(colours[:1], 256 - len(colours), axis=0)])


def _nearest(levels, palette):
    """Find the colour of 256 for each pixel: (H, W) ndarray of uint8, indices."""
    from PIL import Image

    colours = Image.new("P", (1, 1))
    colours.putpalette(palette.tobytes())
    return np.asarray(Image.fromarray(levels).quantize(palette=colours, dither=0))
