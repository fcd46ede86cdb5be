"""How tiles travel between the canvases and the device that the network computes on.

A transfer makes the staging buffers, in which tiles travel as the canvas holds them, and sends them
to the device and back while it computes. On the CPU there is nowhere to go; of canvases on the
device only the sums of a tile travel, and the weights of its feathered edges.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

#: What pixels travel as. PyTorch converts no uint16; int16 carries the same bits.
CARRIERS = {"uint8": "uint8", "uint16": "int16", "float32": "float32", "float64": "float64"}


class Staging(NamedTuple):
    """A flat buffer on both sides; both are one memory where there is nowhere to go."""

    host: Any  #: where the canvases are: ndarray of their dtype; or the device's side itself
    device: Any  #: ndarray or tensor of as many elements, of the carrier's dtype
    pinned: Any = None  #: the host's memory as a tensor, where it travels


class HostTransfer:
    """The CPU's: the network computes where the canvases are.

    Parameters
    ----------
    tensors : bool
        Whether the network computes on tensors, or on arrays.

    Attributes
    ----------
    ahead : int
        Tiles to have on the way, on either side of the one that is computed.
    """

    ahead = 0

    def __init__(self, tensors):
        self._tensors = tensors

    def staging(self, count, dtype):
        """Make a `Staging` of `count` elements, not initialised.

        Parameters
        ----------
        count : int
        dtype : str
            One of `CARRIERS`.

        Returns
        -------
        Staging
        """
        host = np.empty(count, dtype)
        if not self._tensors:
            return Staging(host, host)
        import torch

        return Staging(host, torch.from_numpy(host.view(CARRIERS[dtype])))

    def upload(self, parts):
        """Send the beginnings of buffers to the device.

        Parameters
        ----------
        parts : list of (Staging, int)
            With the number of elements to send.

        Returns
        -------
        object
            For `wait`.
        """

    def wait(self, arrival):
        """Let what is computed from now on wait for an upload; returns at once.

        Parameters
        ----------
        arrival : object
        """

    def download(self, parts):
        """Send beginnings of buffers to the host, once all begun so far is computed.

        Parameters are `upload`'s; the result is for `finish`.
        """

    def finish(self, arrival):
        """Return when a download has arrived.

        Parameters
        ----------
        arrival : object
        """

    def synchronize(self):
        """Return when nothing is under way."""


class CudaTransfer:
    """A GPU's: pinned buffers, and a stream for each direction beside the one that computes.

    Its methods are `HostTransfer`'s. Buffers are written on other streams than they are made on, so
    `synchronize` is called after `staging`, and before they are given up.

    Parameters
    ----------
    device : torch.device
    """

    ahead = 1

    def __init__(self, device):
        import torch

        self._torch, self._device = torch, device
        self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)

    @property
    def _computing(self):
        return self._torch.cuda.current_stream(self._device)

    def staging(self, count, dtype):
        carrier = getattr(self._torch, CARRIERS[dtype])
        pinned = self._torch.empty(count, dtype=carrier, pin_memory=True)
        device = self._torch.empty(count, dtype=carrier, device=self._device)
        return Staging(pinned.numpy().view(dtype), device, pinned)

    def upload(self, parts):
        with self._torch.cuda.stream(self._up):
            for staging, count in parts:
                staging.device[:count].copy_(staging.pinned[:count], non_blocking=True)
        return self._up.record_event()

    def wait(self, arrival):
        self._computing.wait_event(arrival)

    def download(self, parts):
        self._down.wait_stream(self._computing)
        with self._torch.cuda.stream(self._down):
            for staging, count in parts:
                staging.pinned[:count].copy_(staging.device[:count], non_blocking=True)
        return self._down.record_event()

    def finish(self, arrival):
        arrival.synchronize()

    def synchronize(self):
        for stream in (self._up, self._computing, self._down):
            stream.synchronize()


def staying(count, dtype, device):
    """Make a `Staging` for canvases that lie on the device: both sides are one tensor there.

    Parameters
    ----------
    count : int
    dtype : str
        One of `CARRIERS`.
    device : torch.device

    Returns
    -------
    Staging
    """
    import torch

    buffer = torch.empty(count, dtype=getattr(torch, CARRIERS[dtype]), device=device)
    return Staging(buffer, buffer)


def travelling(parts):
    """Return those parts of a transfer that have somewhere to go.

    Parameters
    ----------
    parts : list of (Staging, int)

    Returns
    -------
    list of (Staging, int)
    """
    return [(staging, count) for staging, count in parts if staging.host is not staging.device]


def drawn_ahead(items, count):
    """Yield the items of an iterable, each after `count` more have been drawn.

    Parameters
    ----------
    items : iterable
    count : int

    Yields
    ------
    item
    """
    items = iter(items)
    drawn = deque(islice(items, count))
    for item in items:
        drawn.append(item)
        yield drawn.popleft()
    yield from drawn
