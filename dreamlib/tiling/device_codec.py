"""`dreamlib.tiling.quantize.Encoding` on a device: same values, same rounding, bit for bit."""

from __future__ import annotations

import numpy as np
import torch

from dreamlib.tiling.quantize import CHANNEL_STEP, COLUMN_STEP, ROW_STEP, TURN_STEP

#: What pixels of a canvas travel as. PyTorch converts no uint16; int16 carries the same bits.
CARRIERS = {"uint8": torch.uint8, "uint16": torch.int16, "float32": torch.float32}


class DeviceEncoding:
    """Decodes and encodes tensors on one device.

    Parameters
    ----------
    encoding : dreamlib.tiling.quantize.Encoding
        What to be equal to.
    device : torch.device
    pixels : int
        Of the largest window, for which scratch is allocated.
    """

    def __init__(self, encoding, device, pixels):
        self._encoding, self._rule = encoding, encoding.rule
        self.carrier = CARRIERS[encoding.dtype.name]
        # CUDA multiplies by the reciprocal where a tensor is divided by a number, which rounds
        # otherwise; by a tensor it divides.
        self._scale = torch.tensor(float(self._rule.scale), device=device)
        self._levels = torch.tensor(float(encoding.levels or 1), device=device)
        pixels = pixels if encoding.levels else 0  # what is not rounded needs no scratch
        self._scratch = torch.empty(pixels, device=device)
        self._phases = torch.empty(pixels, dtype=torch.int64, device=device)

    def decode(self, pixels, out):
        """Turn pixels into the network's values.

        Parameters
        ----------
        pixels : (3, h, w) Tensor of `carrier`
            Channels RGB; usually a view of what lies as (h, w, 3).
        out : (3, h, w) Tensor of float32
            Written to; channels in the network's order.
        """
        for plane, channel, mean in zip(out, self._rule.order, self._rule.mean):
            if self.carrier is torch.int16:
                plane.copy_(pixels[channel].to(torch.int32) & 0xFFFF)
                plane /= self._levels
            else:
                plane.copy_(pixels[channel])
            if self._encoding.levels:
                plane -= float(mean)
                plane *= float(self._rule.scale)

    def encode(self, image, window, turn, out):
        """Turn the network's values into pixels, rounded as `Encoding.encode` does.

        Parameters
        ----------
        image : (3, h, w) Tensor of float32
            Not changed.
        window : dreamlib.imaging.window.Window
        turn : int
        out : (h, w, 3) Tensor of `carrier`
            Written to.
        """
        levels, dtype = self._encoding.levels, self._encoding.dtype
        if not levels:
            for plane, channel in zip(image, self._rule.order):
                out[..., channel].copy_(plane)
            return
        scratch = self._scratch[: image[0].numel()].view(image.shape[1:])
        for plane, channel, mean in zip(image, self._rule.order, self._rule.mean):
            torch.div(plane, self._scale, out=scratch)
            scratch += float(mean)
            if levels > 1:
                scratch *= levels
            scratch += self.thresholds(window, channel, turn)
            scratch.floor_().clamp_(0, np.iinfo(dtype).max)
            # An int16 is cut from an int32: out of range it keeps the bits, a float would not.
            out[..., channel].copy_(scratch.int() if self.carrier is torch.int16 else scratch)

    def thresholds(self, window, channel, turn):
        """Return `dreamlib.tiling.quantize.thresholds`, a new (h, w) tensor of float32.

        There sums wrap around at 32 bits; here they are exact and the same bits are cut out of 64.
        """
        bits = self._encoding.threshold_bits
        device = self._phases.device
        count = window.height * window.width
        phase = self._phases[:count].view(window.height, window.width)
        rows = torch.arange(window.top, window.top + window.height, device=device) * ROW_STEP
        columns = torch.arange(window.left, window.left + window.width, device=device) * COLUMN_STEP
        rows += channel * CHANNEL_STEP + turn * TURN_STEP
        torch.add(rows[:, None], columns, out=phase)
        phase >>= 32 - bits
        phase &= (1 << bits) - 1
        values = phase.float()
        values += 0.5
        values *= 2.0**-bits
        return values
