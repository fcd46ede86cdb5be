"""The mean |gradient| of a picture that is too large to have its whole gradient at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

#: How far the mean is trusted to change from one pass to the next, as a factor.
LARGEST_TREND = 2.0


class Scale(NamedTuple):
    """What the steps on tiles are measured against."""

    mean: float | None  #: mean |gradient|; None is the tile's own
    deviations: list | None  #: of the gradient's bands, where it is split; None is the tile's own


OWN_SCALE = Scale(None, None)


@dataclass
class RunningMean:
    """An estimate of the picture's mean |gradient|, which a step is measured against.

    Where the current pass has been, the gradient is known; the rest of the picture is taken to have
    the predicted mean. The prediction is the mean of the pass before, times the factor by which it
    had grown from the one before that; for the first pass of an octave it is measured on a sample.

    Attributes
    ----------
    predicted : float or None
        None before there is a sample.
    last : float or None
        Mean of the pass before.
    known, pixels : float
        Sum of |gradient| over the pixels where the current pass has been, and their number.
    """

    predicted: float | None = None
    last: float | None = None
    known: float = 0.0
    pixels: int = 0

    def add(self, sum_abs, pixels):
        """Take in a tile of the current pass: the sum over its three channels, and its pixels.

        Parameters
        ----------
        sum_abs : float
        pixels : int
        """
        self.known += sum_abs / 3
        self.pixels += pixels

    def value(self, total):
        """Estimate the mean over a picture of `total` pixels.

        Parameters
        ----------
        total : int

        Returns
        -------
        float
        """
        if self.pixels >= total:
            return self.known / self.pixels
        unknown = total - self.pixels
        return (self.known + unknown * self.predicted) / total

    def end_pass(self):
        """Predict the next pass's mean from this one's."""
        mean = self.known / self.pixels
        trend = mean / self.last if self.last else 1.0
        self.predicted = mean * min(max(trend, 1 / LARGEST_TREND), LARGEST_TREND)
        self.last, self.known, self.pixels = mean, 0.0, 0

    def end_sample(self):
        """Predict the first pass's mean from the tiles taken in so far."""
        self.predicted = self.known / self.pixels
        self.known, self.pixels = 0.0, 0


@dataclass
class RunningDeviations:
    """An estimate of the deviation of each band of a gradient, over a picture dreamt by tiles.

    What `RunningMean` is for the mean |gradient|, for the squares of the bands that
    `dreamlib.ascent.gradient_filters.normalise_laplacian` splits it into; but no trend is trusted.
    Its methods are `GradientScale`'s, given the squares alone.

    Attributes
    ----------
    bands : list of RunningMean
        Of the squares of each band, the finest first; empty before there is a tile.
    """

    bands: list = field(default_factory=list)

    @classmethod
    def from_dict(cls, values):
        return cls([RunningMean(**band) for band in values["bands"]])

    def add(self, squares, pixels):
        if not self.bands:
            self.bands = [RunningMean() for _ in squares]
        for band, square in zip(self.bands, squares):
            band.add(float(square), pixels)

    def value(self, total):
        """Estimate the deviations over a picture of `total` pixels.

        Parameters
        ----------
        total : int

        Returns
        -------
        list of float
        """
        return [math.sqrt(band.value(total)) for band in self.bands]

    def growth(self, squares, pixels):
        """Estimate how much stronger a tile is by the picture's deviations than by its own.

        A sample is measured before there are deviations, each tile divided by its own. Its sum of
        |gradient|, times this, is what it will be when the picture's deviations are used.

        Parameters
        ----------
        squares, pixels
            As for `add`; to be asked after `end_sample` or `end_pass`.

        Returns
        -------
        float
        """
        shares = [
            float(square) / (3 * pixels) / band.predicted
            for square, band in zip(squares, self.bands)
            if band.predicted
        ]
        return math.sqrt(sum(shares) / len(shares)) if shares else 1.0

    def end_pass(self):
        """Predict that the next pass's deviations are this one's."""
        for band in self.bands:
            band.end_pass()
            # Squares jump about more than the mean does: a trend in them is noise, and what they
            # have really grown by shows in the mean of the gradient that is divided by them.
            band.predicted = band.last

    def end_sample(self):
        for band in self.bands:
            band.end_sample()


@dataclass
class GradientScale:
    """What tiles are measured against: the picture's mean |gradient|, and its bands' deviations.

    Each tile reports its sums, a tuple of float over its interior and the three channels: first
    that of |gradient|; then, where the gradient is split, the squares of each band. They are to be
    taken in the order of the tiles, on which the last bits depend.

    Attributes
    ----------
    mean : RunningMean
    deviations : RunningDeviations
    """

    mean: RunningMean = field(default_factory=RunningMean)
    deviations: RunningDeviations = field(default_factory=RunningDeviations)

    @classmethod
    def from_dict(cls, values):
        """Return what `dataclasses.asdict` made.

        Parameters
        ----------
        values : dict

        Returns
        -------
        GradientScale
        """
        return cls(RunningMean(**values["mean"]), RunningDeviations.from_dict(values["deviations"]))

    @property
    def unknown(self):
        """Whether there has been neither a pass nor a sample."""
        return self.mean.predicted is None

    def add(self, sums, pixels):
        """Take in a tile of the current pass: its sums, and the pixels of its interior.

        Parameters
        ----------
        sums : tuple of float
        pixels : int
        """
        self.mean.add(sums[0], pixels)
        self.deviations.add(sums[1:], pixels)

    def take_sample(self, sample):
        """Predict the first pass from some of its tiles, each measured by its own deviations.

        Parameters
        ----------
        sample : list of (sums, pixels)
        """
        for sums, pixels in sample:
            self.deviations.add(sums[1:], pixels)
        self.deviations.end_sample()
        for sums, pixels in sample:
            self.mean.add(sums[0] * self.deviations.growth(sums[1:], pixels), pixels)
        self.mean.end_sample()

    def end_pass(self):
        """Predict the next pass from this one."""
        self.mean.end_pass()
        self.deviations.end_pass()

    def value(self, total):
        """Estimate mean and deviations over a picture of `total` pixels.

        Parameters
        ----------
        total : int

        Returns
        -------
        Scale
        """
        return Scale(self.mean.value(total), self.deviations.value(total) or None)
