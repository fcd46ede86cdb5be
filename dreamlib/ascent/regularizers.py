"""Looks: what makes a dream smoother, calmer or more sparing than the notebook's, all off at first.

A step of the ascent with looks is

1. the network's gradient,
2. `Looks.shape`: smoothed, or its bands made equally loud,
3. the mean of its absolute values: a tile's sum of them is taken here,
4. `Looks.steer`: with the pulls added and the mask's strength on it,
5. the step, measured against the mean of 3.

When all octaves are dreamt, `Looks.on_result` brings colours or a share of the undreamt picture
back. Where everything is off no number is touched: the notebook's bits stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dreamlib.ascent.gradient_filters import normalise_laplacian, smooth_gaussian
from dreamlib.ascent.mask import Mask
from dreamlib.ascent.pulls import pull_to_base, pull_to_mean, pull_to_smooth
from dreamlib.errors import DreamError
from dreamlib.imaging import inplace
from dreamlib.imaging.color import blend_undreamt, keep_colour
from dreamlib.imaging.resample import strips
from dreamlib.imaging.window import Window

#: A pixel so many grey levels from where it is pulled is pulled by `weight` times the mean step.
PULL_LEVELS = 64

#: Differences of neighbouring pixels, in grey levels, that `pull_to_smooth` takes for noise. With
#: less, steps of the usual size would overshoot and make noise of their own.
SOFT_LEVELS = 8

#: Where a mask acts.
MASK_ON = ("result", "steps", "both")

#: Of a list of sigmas, in the settings: a regular expression for all of it, and the same in words.
SIGMAS_FORM = (r"\d+(\.\d+)?(,\d+(\.\d+)?)*", "sigmas in pixels, as 1 or 0.5,1,2")
MOST_SIGMA = 100


@dataclass(frozen=True)
class Looks:
    """Which looks are on.

    Attributes
    ----------
    smooth : tuple of float
        Sigmas of `smooth_gaussian`, in pixels.
    laplacian : int
        Levels of `normalise_laplacian`.
    calm, pull_mean, pull_base : float
        Weights of `pull_to_smooth`, `pull_to_mean` and `pull_to_base`: 1 is about as strong as the
        ascent. See `PULL_LEVELS`.
    keep_colour : bool
    strength : float
        Share of the dream in the result.
    mask : Mask, optional
    mask_on : {'result', 'steps', 'both'}
        Whether the mask is the share of the dream in the result, or scales every step.
    """

    smooth: tuple = ()
    laplacian: int = 0
    calm: float = 0.0
    pull_mean: float = 0.0
    pull_base: float = 0.0
    keep_colour: bool = False
    strength: float = 1.0
    mask: Mask | None = None
    mask_on: str = "result"

    @classmethod
    def of(cls, settings):
        """Make them of a dream's settings.

        Parameters
        ----------
        settings : object
            With attributes named as here; `smooth` is a text as ``"0.5,1,2"``, `mask` the path of a
            picture. What is not there, or None, is off.

        Raises
        ------
        DreamError
            The mask cannot be read, or a sigma is out of range.
        """
        values = {
            name: value
            for name in cls.__dataclass_fields__
            for value in [getattr(settings, name, None)]
            if value is not None
        }
        if "smooth" in values:
            values["smooth"] = parse_sigmas(values["smooth"])
        if "mask" in values:
            values["mask"] = Mask.read(values["mask"])
        return cls(**values)

    # -- steps ------------------------------------------------------------------------------------

    @property
    def on_steps(self):
        """Whether there is anything to do in the steps."""
        steering = self.calm or self.pull_mean or self.pull_base or self.masks_steps
        return bool(self.smooth or self.laplacian or steering)

    @property
    def bands(self):
        """How many sums of squares `shape` returns."""
        return self.laplacian + 1 if self.laplacian else 0

    @property
    def masks_steps(self):
        """Whether `steer` needs a strength."""
        return self.mask is not None and self.mask_on in ("steps", "both")

    @property
    def reach(self):
        """Pixels beyond which nothing changes what `shape` makes of a place.

        With an overlap as large tiles come together without any difference; half of it will do.
        """
        blurs = max([0] + [int(4 * sigma + 0.5) for sigma in self.smooth])
        return blurs + 4 * (2**self.laplacian - 1)

    def shape(self, gradient, deviations=None, core=None):
        """Smooth a gradient, in place: what comes before its mean is taken.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            Changed in place; scratch of at most twice its size and a plane.
        deviations, core
            As for `normalise_laplacian`; for tiles.

        Returns
        -------
        list of scalars
            What `normalise_laplacian` returns; empty where it is off.
        """
        squares = normalise_laplacian(gradient, self.laplacian, deviations, core)
        smooth_gaussian(gradient, self.smooth)
        return squares

    def steer(self, gradient, image, mean, rule, base=None, strength=None):
        """Add the pulls to a gradient and put the mask on it, in place: after its mean is taken.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            Changed in place; scratch of a plane.
        image : (3, h, w) ndarray or tensor of float32
            The picture, in the network's values. Not changed.
        mean : float or scalar tensor
            Mean |gradient| that the step will be measured against.
        rule : dreamlib.models.preprocessing.Preprocessing
        base : (3, h, w) ndarray or tensor of float32, optional
            The undreamt picture of the octave; needed where `pull_base` is on.
        strength : (h, w) ndarray or tensor of float32, optional
            The mask's part; needed where `masks_steps`.
        """
        if self.calm:
            pull_to_smooth(gradient, image, self.calm * mean, rule.difference(SOFT_LEVELS))
        far = rule.difference(PULL_LEVELS)
        if self.pull_mean:
            pull_to_mean(gradient, image, self.pull_mean * mean / far)
        if self.pull_base:
            pull_to_base(gradient, image, base, self.pull_base * mean / far)
        if self.masks_steps:
            gradient *= strength

    def on_gradient(self, gradient, image, rule, mean=None, base=None, strength=None):
        """Shape and steer the gradient of a whole picture, in place.

        Parameters
        ----------
        mean : float, optional
            By default it is taken of the gradient, once that is smooth.
        gradient, image, rule, base, strength
            As for `steer`.

        Returns
        -------
        float
            The mean |gradient| that the step is to be measured against.
        """
        self.shape(gradient)
        mean = inplace.mean_abs(gradient) if mean is None else mean
        self.steer(gradient, image, mean, rule, base, strength)
        return mean

    # -- result -----------------------------------------------------------------------------------

    @property
    def on_results(self):
        """Whether there is anything to do when all octaves are dreamt."""
        return self.keep_colour or self.strength != 1 or self._masks_result

    @property
    def _masks_result(self):
        return self.mask is not None and self.mask_on in ("result", "both")

    def on_result(self, dreamt, undreamt, top=0, left=0, size=None):
        """Bring back what is wanted of the undreamt picture, in place.

        Parameters
        ----------
        dreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
            Rows of the dreamt picture, levels as in `dreamlib.imaging.color`; changed in place.
        undreamt : (h, w, 3) ndarray of uint8, uint16 or floating point
            The same rows of the undreamt one.
        top, left : int
            Where they lie in the picture.
        size : (height, width), optional
            Of the picture; by default the rows are all of it.
        """
        if self.keep_colour:
            keep_colour(dreamt, undreamt)
        if self._masks_result:
            window = Window(top, left, *dreamt.shape[:2])
            share = self.mask.part(window, size or dreamt.shape[:2])
            share *= np.float32(self.strength)
            blend_undreamt(dreamt, undreamt, share)
        elif self.strength != 1:
            blend_undreamt(dreamt, undreamt, self.strength)

    def finish(self, canvas, target, encoding, source, frame, size):
        """Do `on_result` to a dreamt canvas, strip by strip.

        Parameters
        ----------
        canvas, target : dreamlib.tiling.canvas.Canvas
            Read, and written to. They may be one, but not where a kill is to be survived: a blend
            that is done twice is another one.
        encoding : dreamlib.tiling.quantize.Encoding
            Of both.
        source : dreamlib.tiling.canvas.Canvas
            The undreamt picture, whose whole numbers or floats are levels.
        frame : dreamlib.imaging.window.Window
            The part of the picture that the canvas holds.
        size : (height, width)
            Of the picture.
        """
        for top, bottom in strips(frame.height, frame.width, least=1):
            window = Window(top, 0, bottom - top, frame.width)
            here = Window(frame.top + top, frame.left, bottom - top, frame.width)
            rows = canvas.read(window)
            if encoding.levels is None:
                rows = encoding.as_levels(rows)
            self.on_result(rows, source.read(here), here.top, here.left, size)
            if encoding.levels is None:  # back to the network's own values
                for channel, mean in zip(encoding.rule.order, encoding.rule.mean):
                    rows[..., channel] -= mean
                    rows[..., channel] *= encoding.rule.scale
            target.write(window, rows)


def parse_sigmas(text):
    """Turn ``"0.5,1,2"`` into a tuple of float.

    Raises
    ------
    DreamError
        It is no such list, or a sigma is above `MOST_SIGMA`.
    """
    if not re.fullmatch(SIGMAS_FORM[0], text):
        raise DreamError(f"smooth is {text!r}; expected {SIGMAS_FORM[1]}")
    sigmas = tuple(float(part) for part in text.split(","))
    if max(sigmas) > MOST_SIGMA:
        raise DreamError(f"smooth is {text!r}; expected sigmas of at most {MOST_SIGMA} pixels")
    return sigmas
