"""How a network's picture lies on a canvas: decoded when it is read, rounded when it is written.

Arrays and PyTorch's tensors take the same way and become the same bits.
"""

from __future__ import annotations

import numpy as np

#: Fractions of a turn, in units of 2**-32, by which the threshold moves from row to row, column to
#: column (Roberts' R2 sequence), channel to channel, and rounding to rounding (the golden ratio).
ROW_STEP, COLUMN_STEP, CHANNEL_STEP, ROUNDING_STEP = 3242174889, 2447445414, 1431655765, 2654435769


class Quantizer:
    """Turns pixels of a canvas into a network's values and back.

    Integers are grey levels (uint16: 257 to a level); float32 holds the network's own values, so
    that nothing is rounded. Channels are RGB on the canvas, in the network's order outside it.

    Parameters
    ----------
    rule : dreamlib.models.preprocessing.Preprocessing
    dtype : {uint8, uint16, float32}

    Attributes
    ----------
    levels : int or None
        Of the dtype in a grey level; None where the network's own values are stored.
    """

    def __init__(self, rule, dtype):
        self.rule = rule
        self.dtype = np.dtype(dtype)
        self.levels = {"uint8": 1, "uint16": 257, "float32": None}[self.dtype.name]
        self.threshold_bits = 12 if self.levels == 1 else 5

    def decode(self, pixels, out):
        """Turn pixels into the network's values.

        Parameters
        ----------
        pixels : (h, w, 3) ndarray or tensor
            Of the canvas's dtype; tensors carry uint16 in int16, bit for bit.
        out : (3, h, w) ndarray or tensor of float32
            Written to and returned.

        Returns
        -------
        ndarray or tensor: `out`
        """
        for plane, channel, mean in zip(out, self.rule.order, self.rule.mean):
            plane[:] = _widened(pixels[..., channel])
            if self.levels:
                if self.levels > 1:
                    plane /= _number(self.levels, plane)
                plane -= float(mean)
                plane *= float(self.rule.scale)
        return out

    def as_levels(self, pixels):
        """Turn an array of pixels into grey levels, 0..255.

        Parameters
        ----------
        pixels : (h, w, 3) ndarray of the canvas's dtype

        Returns
        -------
        (h, w, 3) ndarray of float32
            A new one.
        """
        levels = pixels.astype(np.float32)
        if self.levels is None:
            for channel, mean in zip(self.rule.order, self.rule.mean):
                levels[..., channel] /= self.rule.scale
                levels[..., channel] += mean
        elif self.levels > 1:
            levels /= self.levels
        return levels

    def encode(self, image, window, rounding, out=None):
        """Turn the network's values into pixels, rounded without bias.

        A value between two levels becomes the upper one as often as it is near to it: see
        `thresholds`. So steps below half a level are not lost.

        Parameters
        ----------
        image : (3, h, w) ndarray or tensor of float32
            Not changed; scratch of two planes.
        window : Window
            Where it will lie.
        rounding : int
            Counts the times that this place is rounded.
        out : (h, w, 3) ndarray or tensor, optional
            As `decode`'s `pixels`; written to and returned.

        Returns
        -------
        ndarray or tensor: `out`
        """
        if out is None:
            out = np.empty(image.shape[1:] + (3,), self.dtype)
        is_array = isinstance(image, np.ndarray)
        for plane, channel, mean in zip(image, self.rule.order, self.rule.mean):
            if not self.levels:
                out[..., channel] = plane
                continue
            scratch = plane / _number(self.rule.scale, plane)
            scratch += float(mean)
            if self.levels > 1:
                scratch *= self.levels
            scratch += thresholds(
                window, channel, rounding, self.threshold_bits, None if is_array else plane
            )
            most = np.iinfo(self.dtype).max
            if is_array:
                np.floor(scratch, out=scratch)
                out[..., channel] = np.clip(scratch, 0, most, out=scratch)
            else:  # an int16 is cut from an int32: out of range it keeps the bits
                scratch.floor_().clamp_(0, most)
                out[..., channel] = scratch.int() if self.levels > 1 else scratch
        return out


def _widened(pixels):
    """Return pixels whose values are those of the canvas: int16 has carried uint16."""
    if isinstance(pixels, np.ndarray) or pixels.dtype.itemsize != 2:
        return pixels
    return pixels.int() & 0xFFFF


def _number(value, like):
    """Return a divisor: CUDA multiplies by a number's reciprocal, which rounds otherwise."""
    if isinstance(like, np.ndarray):
        return np.float32(value)
    return like.new_full((), float(value))


def thresholds(window, channel, rounding, bits, like=None):
    """Thresholds strictly between 0 and 1, evenly spread over space and over roundings.

    A value plus its threshold, rounded down, becomes the upper of its two neighbours as often as it
    is near to it. What one rounding adds at a place, the next ones take back.

    Parameters
    ----------
    window : dreamlib.imaging.picture.Window
    channel : int
    rounding : int
        Counts the times that a place is rounded.
    bits : int
        Their resolution, at most 24: so coarse that a whole number plus a threshold never rounds
        to the next.
    like : tensor, optional
        Return a tensor on the device of this one; by default an array.

    Returns
    -------
    (window.height, window.width) ndarray or tensor of float32
    """
    start = window.top * ROW_STEP + channel * CHANNEL_STEP + rounding * ROUNDING_STEP
    rows = _turned(start, ROW_STEP, window.height, like)
    columns = _turned(window.left * COLUMN_STEP, COLUMN_STEP, window.width, like)
    fraction = rows[:, None] + columns
    fraction >>= 32 - bits
    fraction &= (1 << bits) - 1
    values = fraction.astype(np.float32) if like is None else fraction.float()
    values += 0.5
    values *= 2.0**-bits
    return values


def _turned(start, step, count, like):
    """Return int32 from `start` on by `step`: whole turns fall away at 32 bits, as in their sum.

    A tensor is made on its device: numbers from here would first wait for all that it has to do.
    """
    start %= 1 << 32
    if like is None:
        return np.arange(start, start + count * step, step, dtype=np.int64).astype(np.int32)
    import torch

    return torch.arange(start, start + count * step, step, device=like.device).int()
