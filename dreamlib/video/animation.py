"""Animated GIF, WebP and PNG as clips: their frames by Pillow, the time each stays, the loop."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import lay
from dreamlib.imaging.formats import check_claim
from dreamlib.imaging.pillow_io import BROKEN
from dreamlib.util.image_open import open_image

#: Milliseconds up to which browsers show a frame for a tenth of a second instead.
TOO_SHORT, INSTEAD = 10, 100

#: Milliseconds to which times are rounded that have no coarser measure: a GIF has no finer ones.
FINEST = 10

#: Bytes for each pixel that Pillow takes: canvases, and copies of a frame.
DECODING = 40


class Animation:
    """An animation; its attributes are those of `dreamlib.video.clip.Clip`.

    Parameters
    ----------
    path : str or Path
    fps : float, optional
        Show all frames equally long; else as the file says.

    Attributes
    ----------
    stays : list of int or None
        Times that each frame stays, as multiples of ``1 / fps``; None where all are 1.
    loop : int
        Times that it plays, 0 is for ever.

    Raises
    ------
    DreamError
        It is damaged.
    """

    aspect, sounds, notes, own_time = Fraction(1), (), (), True

    def __init__(self, path, fps=None):
        self.path = Path(path)
        durations = []
        for image in self._images():
            if not durations:
                self.size, self.loop = (image.height, image.width), _plays(image)
            stay = image.info.get("duration", 0)
            durations.append(stay if stay > TOO_SHORT else INSTEAD)
        self.frames = len(durations)
        self.fps, self.stays = timing(durations)
        if fps:
            self.fps, self.stays = Fraction(fps).limit_denominator(1000), None

    @property
    def decoding_memory(self):
        """Bytes that are taken while frames are read."""
        return DECODING * self.size[0] * self.size[1]

    def frames_from(self, start=0):
        """Read the frames one by one: see `dreamlib.video.clip.Clip.frames_from`.

        Parameters
        ----------
        start : int
            Number of the first one, from 0.

        Yields
        ------
        (H, W, 3) ndarray of uint8
            RGB, laid on white where it is transparent; a new one each time.
        """
        for number, image in enumerate(self._images()):
            if number >= start:
                pixels = np.array(image.convert("RGBA"))
                colours = np.ascontiguousarray(pixels[..., :3])
                lay(colours, pixels[..., 3])
                yield colours

    def _images(self):
        """Yield Pillow's image, at each of its frames."""
        from PIL import Image

        try:
            with open_image(self.path) as image:
                check_claim(self.path, image.width, image.height)
                # A PNG may begin with a picture for programs that know no animation.
                for frame in range(bool(image.info.get("default_image")), image.n_frames):
                    image.seek(frame)
                    image.load()
                    yield image
        except (*BROKEN, Image.DecompressionBombError) as error:
            raise DreamError(f"{self.path} cannot be read, it may be truncated: {error}") from error


def _plays(image):
    """Return how many times an animation plays; a GIF counts repetitions instead."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop and loop + 1
    return loop or 0


def timing(durations):
    """Find a rate of which the times that frames stay are multiples.

    Parameters
    ----------
    durations : list of float
        Milliseconds.

    Returns
    -------
    fps : Fraction
    stays : list of int or None
        In units of ``1 / fps``; None where all are 1.
    """
    durations = [max(1, round(stay)) for stay in durations]
    if max(durations) - min(durations) <= 1:  # one time, rounded up and down
        return Fraction(1000 * len(durations), sum(durations)), None
    unit = math.gcd(*durations) if len(durations) > 1 else durations[0]
    if unit < FINEST:
        ends = [round(end / FINEST) for end in np.cumsum(durations)]
        unit, stays = FINEST, [max(1, int(stay)) for stay in np.diff(ends, prepend=0)]
    else:
        stays = [stay // unit for stay in durations]
    return Fraction(1000, unit), stays
