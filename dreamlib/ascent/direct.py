"""Direct ascent: steps on the values behind the pixels, by a gradient with a natural spectrum.

Values z of a picture ``(tanh z + 1) / 2`` climb the gradient that several views of it have, once
that is multiplied by 1/k, as natural pictures fall off, and its colours by how much natural
pictures' differ. So broad shapes come before grain, values near black and white move ever less, and
what is drawn is recognised by networks that had no part in it. After Fort and Whitaker, "Direct
Ascent Synthesis" (arXiv 2502.07753, 2025). All is written with operators that NumPy's arrays and
PyTorch's tensors share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamlib.ascent.views import Viewing
from dreamlib.imaging.filters import emphasise

#: Deviation of natural pictures along brightness, red against blue, and green against both:
#: directions of (red, green, blue), and how strong a gradient is let be along them.
OPPONENTS = (((1, 1, 1), 1.0), ((1, 0, -1), 0.28), ((1, -2, 1), 0.13))

#: Share of a gradient's mean that is left in each channel: all of it would tint the picture.
MEAN_LEFT = 0.5

#: Values end where a pixel is this near to black or white, as a share of half the range: at the
#: very ends no gradient would reach them.
NEAREST_END = 0.01


@dataclass(frozen=True)
class Direct:
    """How an octave is drawn by direct ascent.

    Attributes
    ----------
    views : int
        Of a step, for a picture as large as the largest of them; the more the larger it is.
    viewing : Viewing
    spectrum : float
        Exponent of 1/k.
    """

    views: int
    viewing: Viewing
    spectrum: float

    @classmethod
    def from_json(cls, values):
        """Make it of what `dataclasses.asdict` and JSON made of it; None stays None.

        Parameters
        ----------
        values : dict or None

        Returns
        -------
        Direct or None
        """
        return values and cls(**{**values, "viewing": Viewing(*values["viewing"])})

    def count(self, shape, side):
        """Return the number of views of a step.

        Parameters
        ----------
        shape : (height, width)
            Of the picture.
        side : int
            Of the main network's input.

        Returns
        -------
        int
        """
        largest = (self.viewing.farthest * side) ** 2
        return max(self.views, round(self.views * shape[0] * shape[1] / largest))


def to_values(gradient, image, rule):
    """Make a gradient with respect to the pixels one with respect to the values, in place.

    Parameters
    ----------
    gradient : (3, h, w) ndarray or tensor of float32
        Changed: times ``1 - tanh(z)**2``; scratch of two planes.
    image : (3, h, w) ndarray or tensor of float32
        The picture, in the network's values. Not changed.
    rule : dreamlib.models.preprocessing.Preprocessing
    """
    for plane, target, mean in zip(image, gradient, rule.mean):
        slope = _signed(plane, mean, rule.scale)
        slope *= slope
        slope -= 1
        target *= slope
        target *= -1


def naturalise(gradient, spectrum, order):
    """Give a gradient the spectrum and the colours of natural pictures, in place.

    Parameters
    ----------
    gradient : (3, h, w) ndarray or tensor of float32
        Changed; scratch of six planes.
    spectrum : float
        Exponent of 1/k.
    order : tuple of int
        Of the channels: see `Preprocessing`.
    """
    emphasise(gradient, spectrum)
    mixed = [gradient[0] * 0 for _ in range(3)]
    for direction, strength in OPPONENTS:
        norm = sum(part**2 for part in direction)
        along = sum(plane * direction[channel] for plane, channel in zip(gradient, order))
        along *= strength / norm
        for plane, channel in zip(mixed, order):
            if direction[channel]:
                plane += along * direction[channel]
    for plane, result in zip(gradient, mixed):
        plane[:] = result
        plane -= (1 - MEAN_LEFT) * plane.mean()


def step_values(image, step, rule):
    """Add a step to the values of a picture, in place.

    Parameters
    ----------
    image : (3, h, w) ndarray or tensor of float32
        The picture, in the network's values. Changed; scratch of three
        planes. What is led beyond black or white is left to be clipped: at most a level and a half.
    step : (3, h, w) ndarray or tensor of float32
        In the network's values where the picture is grey, and the less the nearer it is to black or
        white. Changed.
    rule : dreamlib.models.preprocessing.Preprocessing
    """
    for plane, change, mean in zip(image, step, rule.mean):
        change *= 1 / rule.difference(127.5)
        if isinstance(change, np.ndarray):
            np.tanh(change, out=change)
        else:
            change.tanh_()
        # tanh(a + b) - tanh a, from tanh a and tanh b: there is no need for a.
        before = _signed(plane, mean, rule.scale)
        grown = before * change
        grown += 1
        before *= before
        before -= 1
        change *= before
        change /= grown
        plane -= change * rule.difference(127.5)


def _signed(plane, mean, scale):
    """Return a plane of the network's values from -1, black, to 1, white; a new one."""
    signed = plane * (1 / (127.5 * float(scale)))
    signed += float(mean) / 127.5 - 1
    limit = 1 - NEAREST_END
    return signed.clip(-limit, limit)
