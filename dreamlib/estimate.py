"""The mean |gradient| of a picture too large to have its whole gradient at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass

#: How far the mean is trusted to change from one pass to the next, as a factor.
LARGEST_TREND = 2.0


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
        """Take in a tile of the current pass: the sum over its three channels, and its pixels."""
        self.known += sum_abs / 3
        self.pixels += pixels

    def value(self, total):
        """Estimate the mean over a picture of `total` pixels."""
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

    def as_dict(self):
        """Return the state, to be kept in a journal."""
        return asdict(self)
