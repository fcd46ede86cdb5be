"""This machine's devices and their state. Needs no Django."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

QUERY = "name,memory.total,memory.used,temperature.gpu"
MIB = 1 << 20

#: The device that is all workers of a Dask cluster, $DREAM_CLUSTER.
CLUSTER = "cluster"


def detect():
    """List the devices of this machine: its GPUs, or the CPU where it has none."""
    if not shutil.which("nvidia-smi"):
        return ["cpu"]
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    numbers = [line.strip() for line in listed.stdout.splitlines() if line.strip().isdigit()]
    return [f"cuda:{number}" for number in numbers] or ["cpu"]


def gpu(number):
    """Return the state of a CUDA device, from its driver.

    Parameters
    ----------
    number : str

    Returns
    -------
    dict
        ``model``; ``memory_total`` and ``memory_used`` in bytes, ``temperature`` in degrees
        Celsius, None where the driver does not tell.
    """
    answer = subprocess.run(
        ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits", f"--id={number}"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    words = [word.strip() for word in answer.stdout.split(",")]
    if len(words) != 4:
        return {"model": "no answer from the driver"}
    numbers = [float(word) if word.replace(".", "").isdigit() else None for word in words[1:]]
    total, used = (None if n is None else int(n * MIB) for n in numbers[:2])
    return {
        "model": words[0], "memory_total": total, "memory_used": used, "temperature": numbers[2],
    }  # fmt: skip


def cpu():
    """Return the state of the CPU: a dict as of `gpu`."""
    model = "CPU"
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = {}
    for line in _lines("/proc/meminfo"):
        name, _, rest = line.partition(":")
        memory[name] = int(rest.split()[0]) * 1024
    total, free = memory.get("MemTotal"), memory.get("MemAvailable")
    return {
        "model": f"{model}, {os.cpu_count()} cores",
        "memory_total": total,
        "memory_used": None if total is None or free is None else total - free,
        "temperature": _cpu_temperature(),
    }


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:  # another system than Linux
        return []


def _cpu_temperature():
    degrees = []
    for zone in sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp")):
        try:
            degrees.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):  # a sensor that does not answer
            continue
    return max(degrees, default=None)
