"""A blurred picture, and a picture of its own edges: `blur`, `sobel` and `prewitt`."""

import numpy as np

from dreamlib.imaging.color import luminance_of
from dreamlib.imaging.filters import gaussian_blur
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips
from dreamlib.video.distort.fields import Number
from dreamlib.video.distort.registry import distortion

#: Levels of an edge for each level by which neighbouring pixels differ: without it the edges of a
#: photograph, a few levels a pixel, would be invisible.
GAIN = 4


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
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of some rows.
    moment : dreamlib.video.distort.chain.Moment
    colour : bool
        Each channel's own edges, not those of the luminance.
    share : float
        Of the edges in the result; the rest is the picture.
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
