"""Devices as they are written: one for each worker."""

import pytest

from dreamlib.errors import DreamError
from dreamlib.util.devices import gpu_of, parse_devices


@pytest.mark.parametrize(
    ("text", "devices", "gpus"),
    [
        ("cpu", ["cpu"], [None]),
        ("cpu, cpu", ["cpu", "cpu"], [None, None]),
        ("cuda", ["cuda:0"], [0]),
        ("cuda:1,cuda:0", ["cuda:1", "cuda:0"], [1, 0]),
    ],
)
def test_devices(text, devices, gpus):
    assert parse_devices(text) == devices
    assert [gpu_of(device) for device in devices] == gpus


@pytest.mark.parametrize("text", ["", "cpu,", "gpu", "cuda:x", "cuda:-1", "cpu:0"])
def test_an_unknown_device_is_refused(text):
    with pytest.raises(DreamError, match="expected one for each worker, such as cpu,cpu"):
        parse_devices(text)


def test_cpu_and_gpu_together_are_refused():
    with pytest.raises(DreamError, match="devices of one kind"):
        parse_devices("cpu,cuda:0")
