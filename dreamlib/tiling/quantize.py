"""How a network's picture lies on a canvas: decoded when it is read, rounded when it is written."""

from __future__ import annotations

import numpy as np


class Encoding:
    """How a network's picture lies on a canvas.

    Integers are grey levels (uint16: 257 to a level); float32 holds the network's own values, so
    that nothing is rounded. Channels are RGB on the canvas, in the network's order outside it.

    Parameters
    ----------
    rule : dreamlib.models.preprocessing.Preprocessing
    dtype : {uint8, uint16, float32}
    """

    def __init__(self, rule, dtype):
        self.rule = rule
        self.dtype = np.dtype(dtype)
        self.levels = {"uint8": 1, "uint16": 257, "float32": None}[self.dtype.name]
        self.threshold_bits = 12 if self.levels == 1 else 5

    def decode(self, pixels, out):
        """Turn pixels ``(h, w, 3)`` into the network's values, written into `out` ``(3, h, w)``."""
        for plane, channel, mean in zip(out, self.rule.order, self.rule.mean):
            plane[:] = pixels[..., channel]
            if self.levels:
                if self.levels > 1:
                    plane /= self.levels
                plane -= mean
                plane *= self.rule.scale
        return out

    def as_levels(self, pixels):
        """Turn pixels into grey levels from 0 to 255: an ndarray of float32 of the same shape."""
        levels = pixels.astype(np.float32)
        if self.levels is None:
            for channel, mean in zip(self.rule.order, self.rule.mean):
                levels[..., channel] /= self.rule.scale
                levels[..., channel] += mean
        elif self.levels > 1:
            levels /= self.levels
        return levels

    def encode(self, image, window, turn):
        """Turn the network's values into pixels, rounded without bias.

        A value between two levels becomes the upper one as often as it is near to it, judged by a
        threshold that depends on place and `turn`: the same whoever computes it and in whatever
        order. Thresholds at one place run through a golden-ratio sequence, so what rounding adds
        in one turn it takes back in the next ones, and steps below half a level are not lost.

        Parameters
        ----------
        image : (3, h, w) ndarray of float32
            Not changed.
        window : Window
            Where it will lie.
        turn : int
            Counts the times that this place is rounded.

        Returns
        -------
        (h, w, 3) ndarray of the canvas's dtype
        """
        pixels = np.empty(image.shape[1:] + (3,), self.dtype)
        if not self.levels:
            for plane, channel in zip(image, self.rule.order):
                pixels[..., channel] = plane
            return pixels
        scratch = np.empty(image.shape[1:], np.float32)
        for plane, channel, mean in zip(image, self.rule.order, self.rule.mean):
            np.divide(plane, self.rule.scale, out=scratch)
            scratch += mean
            if self.levels > 1:
                scratch *= self.levels
            scratch += thresholds(window, channel, turn, self.threshold_bits)
            np.floor(scratch, out=scratch)
            np.clip(scratch, 0, np.iinfo(self.dtype).max, out=scratch)
            pixels[..., channel] = scratch
        return pixels


#: Fractions of a turn, in units of 2**-32, by which the threshold moves from row to row, column to
#: column (Roberts' R2 sequence), channel to channel, and turn to turn (the golden ratio).
ROW_STEP, COLUMN_STEP, CHANNEL_STEP, TURN_STEP = 3242174889, 2447445414, 1431655765, 2654435769


def thresholds(window, channel, turn, bits):
    """Thresholds for rounding, strictly between 0 and 1, evenly spread over space and time.

    Parameters
    ----------
    window : Window
    channel, turn : int
    bits : int
        Their resolution: so coarse that a whole number plus a threshold never rounds to the next.

    Returns
    -------
    (window.height, window.width) ndarray of float32
    """
    rows = np.arange(window.top, window.top + window.height, dtype=np.int64) * ROW_STEP
    columns = np.arange(window.left, window.left + window.width, dtype=np.int64) * COLUMN_STEP
    rows += channel * CHANNEL_STEP + turn * TURN_STEP
    phase = rows.astype(np.uint32)[:, None] + columns.astype(np.uint32)
    phase >>= np.uint32(32 - bits)
    values = phase.astype(np.float32)
    values += np.float32(0.5)
    values *= np.float32(2.0**-bits)
    return values
