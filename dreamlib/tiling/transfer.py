"""How a tile travels between the canvases and the device that the network computes on.

A lane makes the buffers, in which tiles travel as the canvas holds them, and sends them up and down
while the device computes; `HostLane` is the CPU's, where there is nowhere to go. Sums that depend
on the device are here too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from dreamlib.imaging import inplace
from dreamlib.tiling.stepper import sum_abs


class Parcel(NamedTuple):
    """A buffer on both sides of a lane; both are one memory where there is nowhere to go."""

    host: torch.Tensor  #: flat; pinned if it travels
    device: torch.Tensor  #: of the same length and dtype


class HostLane:
    """The CPU's: the network computes where the canvases are.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    ahead : int
        Tiles to have on the way on either side of the one that is computed.
    """

    ahead = 0

    def __init__(self, device):
        self.device = device

    def parcel(self, count, dtype):
        """Make a `Parcel` of so many elements, not initialised."""
        buffer = torch.empty(count, dtype=dtype)
        return Parcel(buffer, buffer)

    def upload(self, parts):
        """Send the beginnings of parcels to the device.

        Parameters
        ----------
        parts : list of (Parcel, int)
            With the number of elements that are wanted.

        Returns
        -------
        object
            What `wait` takes.
        """

    def wait(self, arrival):
        """Let what is computed from now on wait for an upload; returns at once."""

    def download(self, parts):
        """Send beginnings of parcels to the host, once all that was begun so far is computed.

        Parameters and result are `upload`'s; the result is what `finish` takes.
        """

    def finish(self, arrival):
        """Return when a download has arrived."""

    def settle(self):
        """Return when nothing is under way."""

    def sum_abs(self, gradient):
        """Sum the absolute values of (3, h, w) float32: a scalar tensor of float64."""
        return torch.tensor(sum_abs(gradient.numpy()), dtype=torch.float64)

    def mean_abs(self, gradient):
        """Mean of the absolute values of a contiguous (3, h, w) float32: a scalar tensor.

        In numpy's order of addition, so that `make_step` gives the same bits.
        """
        return torch.as_tensor(inplace.mean_abs(gradient.numpy()))


class CudaLane:
    """A GPU's: pinned buffers, a stream for each direction beside the one that computes.

    The interface is `HostLane`'s. The buffers are written on other streams than they are made on,
    so `settle` must be called after `parcel` and before they are given up.
    """

    ahead = 1

    def __init__(self, device):
        self.device = device
        self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)

    @property
    def _computing(self):
        return torch.cuda.current_stream(self.device)

    def parcel(self, count, dtype):
        return Parcel(
            torch.empty(count, dtype=dtype, pin_memory=True),
            torch.empty(count, dtype=dtype, device=self.device),
        )

    def upload(self, parts):
        with torch.cuda.stream(self._up):
            for parcel, count in parts:
                parcel.device[:count].copy_(parcel.host[:count], non_blocking=True)
        return self._up.record_event()

    def wait(self, arrival):
        self._computing.wait_event(arrival)

    def download(self, parts):
        self._down.wait_stream(self._computing)
        with torch.cuda.stream(self._down):
            for parcel, count in parts:
                parcel.host[:count].copy_(parcel.device[:count], non_blocking=True)
        return self._down.record_event()

    def finish(self, arrival):
        arrival.synchronize()

    def settle(self):
        for stream in (self._up, self._computing, self._down):
            stream.synchronize()

    def sum_abs(self, gradient):
        return torch.linalg.vector_norm(gradient, 1, dtype=torch.float64)

    def mean_abs(self, gradient):
        return self.sum_abs(gradient) / gradient.numel()


def lane_of(device):
    """Make the lane of a torch.device."""
    return (HostLane if device.type == "cpu" else CudaLane)(device)
