"""Pixels sorted by their brightness, in runs along rows or columns."""

import numpy as np

from dreamlib.imaging.color import luminance_of
from dreamlib.video.distort.fields import Range, Word
from dreamlib.video.distort.lines import AXES, lines_of
from dreamlib.video.distort.registry import distortion


@distortion(
    "sort pixels by brightness along rows or columns, in runs of those from LOW to HIGH, 60..200 "
    "if not given; dark to bright unless falling"
)
def pixelsort(
    picture, moment, axis: Word(*AXES), within: Range(0, 255) = (60, 200), falling: bool = False
):
    """Sort each run of pixels within thresholds; the others stay.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of float32
        Changed in place; scratch of some lines.
    moment : dreamlib.video.distort.chain.Moment
    axis : {'rows', 'cols'}
    within : tuple of float
        Lowest and highest luminance of a pixel that is sorted, 0 to 255.
    falling : bool
        Bright to dark.
    """
    low, high = within
    for _, lines in lines_of(picture, axis):
        brightness = luminance_of(lines).astype(np.float64)
        inside = (brightness >= low) & (brightness <= high)
        # A run begins at every pixel, but for those that are inside as the one before is.
        begins = np.ones(inside.shape, bool)
        begins[:, 1:] = ~(inside[:, 1:] & inside[:, :-1])
        # One sort for all runs: a pixel of a later run is larger, whatever its brightness.
        keys = begins.cumsum(axis=1) * 512.0
        keys += np.where(inside, -brightness if falling else brightness, 0)
        order = keys.argsort(axis=1, kind="stable")
        lines[:] = np.take_along_axis(lines, order[..., None], axis=1)
