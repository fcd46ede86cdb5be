"""The devices of workers: ``cpu``, ``cuda:0`` ..."""

from __future__ import annotations

import re

from dreamlib.errors import DreamError


def parse_devices(text):
    """Read a list of devices; refuse unknown ones, and CPU and GPU in one list.

    Parameters
    ----------
    text : str
        One device for each worker, such as ``cpu,cpu`` or ``cuda:0,cuda:1``.

    Returns
    -------
    list of str
        ``cpu`` or ``cuda:N``.
    """
    devices = []
    for name in text.split(","):
        match = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", name.strip())
        if not match:
            raise DreamError(
                f"device {name.strip()!r} is unknown; expected one for each worker, such as "
                "cpu,cpu or cuda:0,cuda:1"
            )
        devices.append("cpu" if name.strip() == "cpu" else f"cuda:{int(match.group(1) or 0)}")
    if len({kind_of(device) for device in devices}) > 1:
        raise DreamError(
            f"devices {text} mix CPU and GPU, which round differently: the picture would depend on "
            "which worker happens to take which tile; name devices of one kind"
        )
    return devices


def kind_of(device):
    """Return the kind of a device: ``cpu`` or ``cuda``."""
    return device.partition(":")[0]


def gpu_of(device):
    """Return the number of a CUDA device, None of the CPU."""
    return int(device.partition(":")[2]) if kind_of(device) == "cuda" else None
