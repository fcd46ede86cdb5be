"""The devices of worker processes, from a text."""

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
    list of int or None
        CUDA devices; None is the CPU.
    """
    devices = []
    for name in text.split(","):
        match = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", name.strip())
        if not match:
            raise DreamError(
                f"device {name.strip()!r} is unknown; expected one for each worker, such as "
                "cpu,cpu or cuda:0,cuda:1"
            )
        devices.append(None if name.strip() == "cpu" else int(match.group(1) or 0))
    if None in devices and any(gpu is not None for gpu in devices):
        raise DreamError(
            f"devices {text} mix CPU and GPU, which round differently: the picture would depend on "
            "which worker happens to take which tile; name devices of one kind"
        )
    return devices
