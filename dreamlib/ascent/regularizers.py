"""What shapes a step beside the objective: filters, regularizers, a mask; all off at first.

A step of the ascent under `GradientRules` is

1. the network's gradient,
2. `GradientRules.shape`: smoothed, or its bands made equally strong,
3. the mean of its absolute values: a tile's sum of them is taken here,
4. `GradientRules.steer`: the regularizers added, the mask's strength put on it,
5. the step, measured against the mean of 3, or Adam's,
6. `GradientRules.hold`: the undreamt picture's broad forms are put back.

Where everything is off no number is touched: the notebook's bits stay. A regularizer is the descent
of what it keeps small, added to the ascent. All is written with operators and slices that NumPy's
arrays and PyTorch's tensors share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.filters import low_pass
from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips

#: With weight 1, a pixel this many grey levels from where a regularizer leads it is moved by the
#: mean step.
FAR_LEVELS = 64

#: Differences of neighbouring pixels, in grey levels, that total variation takes for noise. With
#: less, steps of the usual size would overshoot and make noise of their own.
SOFT_LEVELS = 8

#: Largest sigma of a blur, in pixels.
MOST_SIGMA = 100


@dataclass(frozen=True)
class GradientRules:
    """How a gradient is shaped before a step.

    Attributes
    ----------
    smooth : tuple of float
        Sigmas of `smooth_gaussian`, in pixels.
    laplacian : int
        Levels of `normalise_laplacian`.
    tv, decay, anchor : float
        Weights of `add_tv`, `add_decay` and `add_anchor`: 1 is about as strong as the ascent. See
        `FAR_LEVELS`.
    mask : str
        Path of the picture that scales every step: see `dreamlib.ascent.mask`; "" is none.
    keep_forms : float
        Sigma of the Gaussian below which the undreamt picture stays, in pixels of the last octave.
    normalise : bool
        Whether a step is measured against the mean |gradient|, as the notebook's; else it is so
        many grey levels for each unit of the gradient.
    adam : bool
        Whether the step is Adam's: see `dreamlib.tiling.moments`.
    """

    smooth: tuple = ()
    laplacian: int = 0
    tv: float = 0.0
    decay: float = 0.0
    anchor: float = 0.0
    mask: str = ""
    keep_forms: float = 0.0
    normalise: bool = True
    adam: bool = False

    @property
    def bands(self):
        """Number of sums of squares that `shape` returns."""
        return self.laplacian + 1 if self.laplacian else 0

    def shape(self, gradient, deviations=None, interior=None):
        """Filter a gradient, in place: before its mean is taken.

        Parameters
        ----------
        gradient : (3, h, w) ndarray or tensor of float32
            Changed in place; scratch of at most twice its size and a plane.
        deviations, interior
            As for `normalise_laplacian`; for tiles.

        Returns
        -------
        list of scalars
            What `normalise_laplacian` returns; empty where it is off.
        """
        if not (self.laplacian or self.smooth):
            return []
        from dreamlib.ascent.gradient_filters import normalise_laplacian, smooth_gaussian

        squares = normalise_laplacian(gradient, self.laplacian, deviations, interior)
        smooth_gaussian(gradient, self.smooth)
        return squares

    def steer(self, gradient, image, mean, rule, base=None, strength=None):
        """Regularize a gradient and put a mask on it, in place: after its mean is taken.

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
            The undreamt picture; needed where `anchor` is on.
        strength : (h, w) ndarray or tensor of float32, optional
            The mask's part.
        """
        if self.tv:
            add_tv(gradient, image, self.tv * mean, rule.difference(SOFT_LEVELS))
        far = rule.difference(FAR_LEVELS)
        if self.decay:
            add_decay(gradient, image, self.decay * mean / far)
        if self.anchor:
            add_anchor(gradient, image, base, self.anchor * mean / far)
        if strength is not None:
            gradient *= strength

    def hold(self, image, base, scale):
        """Put back what the undreamt picture has of low frequencies, in place.

        From afar, where `keep_forms` is all that is seen, the dream is the picture.

        Parameters
        ----------
        image : (3, h, w) ndarray or tensor of float32
            Changed; scratch of three planes.
        base : (3, h, w) ndarray or tensor of float32
            The undreamt picture; needed where `keep_forms` is on.
        scale : float
            Size of the octave, relative to the last.
        """
        if not self.keep_forms:
            return
        for plane, undreamt in zip(image, base):
            change = (plane - undreamt)[None]
            low_pass(change, self.keep_forms * scale)
            plane -= change[0]


def parse_sigmas(text):
    """Turn ``"0.5,1,2"`` into a tuple of float.

    Parameters
    ----------
    text : str

    Returns
    -------
    tuple of float

    Raises
    ------
    DreamError
        It is no such list, or a sigma is above `MOST_SIGMA`.
    """
    try:
        sigmas = tuple(float(part) for part in text.split(","))
    except ValueError:
        sigmas = ()
    if not sigmas or not 0 <= min(sigmas) <= max(sigmas) <= MOST_SIGMA:
        raise DreamError(
            f"smooth is {text!r}; expected sigmas of at most {MOST_SIGMA} pixels, as 1 or 0.5,1,2"
        )
    return sigmas


def add_tv(gradient, image, weight, softness):
    """Add the descent of total variation, which evens out noise and leaves edges, in place.

    Total variation is the sum over pixels and channels of ``sqrt(dx**2 + dy**2 + softness**2)``,
    dx and dy being the differences to the next pixel and the next row (Rudin, Osher and Fatemi
    1992).

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a few blocks.
    image : (C, h, w) ndarray or tensor of float32
        Not changed; must not overlap `gradient`.
    weight : float
        What is added is at most four times as large; where pixels of noise differ by much more
        than `softness`, about once.
    softness : float
        Differences below this, in the units of `image`, are evened out in proportion.
    """
    height, width = image.shape[1:]
    pixels = BLOCK if isinstance(image, np.ndarray) else height * width
    for plane, target in zip(image, gradient):
        for top, bottom in strips(height, width, pixels, 1):
            first = max(top - 1, 0)  # what enters the strip's first row comes from the one above
            down, right = _flow(plane[first : bottom + 1], softness)
            down *= weight
            right *= weight
            # The divergence: what leaves a pixel for the next one, less what enters it.
            part, above = target[top:bottom], top - first
            leaving = down[above:]  # nothing leaves the picture's last row
            part[: len(leaving)] += leaving
            part[1 - above :] -= down[: bottom - top - (1 - above)]
            part[:, :-1] += right[above : above + bottom - top]
            part[:, 1:] -= right[above : above + bottom - top]


def add_decay(gradient, image, weight):
    """Add L2 decay towards the mean colour, which keeps a dream from glaring, in place.

    The descent of half the square of `image`, as the network's values are 0 at its mean colour
    (Yosinski et al. 2015).

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a plane.
    image : (C, h, w) ndarray or tensor of float32
        Not changed.
    weight : float
    """
    for plane, target in zip(image, gradient):
        target -= plane * weight


def add_anchor(gradient, image, base, weight):
    """Add the descent towards the undreamt picture, in place: of half ``(image - base)**2``.

    Parameters
    ----------
    gradient : (C, h, w) ndarray or tensor of float32
        Changed in place; scratch of a plane.
    image, base : (C, h, w) ndarray or tensor of float32
        Not changed.
    weight : float
    """
    for plane, undreamt, target in zip(image, base, gradient):
        away = plane - undreamt
        away *= weight
        target -= away
        del away  # before there is the next one


def _flow(rows, softness):
    """Return the normalised differences downwards (n - 1, w) and to the right (n, w - 1)."""
    down, right = rows[1:] - rows[:-1], rows[:, 1:] - rows[:, :-1]
    length = rows * 0
    length += softness**2
    length[:-1] += down * down
    length[:, :-1] += right * right
    length **= 0.5
    down /= length[:-1]
    right /= length[:, :-1]
    return down, right
