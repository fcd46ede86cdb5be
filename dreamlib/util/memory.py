"""Memory in bytes: written sizes, the machine's free memory, this process's now and at its peak."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_bytes(text):
    """Read a size; a ValueError where it is none.

    Parameters
    ----------
    text : str or int
        Such as ``2G`` or ``512M``; without a unit bytes.

    Returns
    -------
    int
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is no size")
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def available_memory():
    """Return the bytes that this process may still take without the machine swapping."""
    limits = []
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":") for line in file)
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError):  # another system than Linux
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:  # of a container
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            current = int(file.read())
        if limit.isdigit():
            limits.append(max(0, int(limit) - current))
    except OSError:
        pass  # there is none
    return min(limits)


def give_back_freed():
    """Give what is free in the heap back to the system, where malloc is glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def give_back_code(library):
    """Let the system take back the pages of a library's code; what is called again is read again.

    Parameters
    ----------
    library : str
        A part of its file's path.
    """
    try:
        with open("/proc/self/maps") as file:
            lines = [line.split() for line in file if library in line]
    except OSError:  # another system
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for span, rights, *_ in lines:
        if rights == "r-xp":  # code alone: what is relocated would be lost
            start, end = (int(address, 16) for address in span.split("-"))
            madvise(start, end - start, mmap.MADV_DONTNEED)


def own_memory():
    """Return the bytes of RAM that this process holds and shares with no other; see above."""
    try:
        return _status("RssAnon")
    except AttributeError:  # a kernel before 4.5
        return resident_memory()


def resident_memory():
    """Return the bytes of RAM that this process holds now; outside Linux the most it ever held."""
    return _status("VmRSS")


def peak_memory():
    """Return the most bytes of RAM that this process held, since `forget_peak` if that worked."""
    return _status("VmHWM")


def forget_peak():
    """Start the count of this process's peak memory anew; return whether that was possible."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _status(field):
    """Read a size from what Linux says of this process."""
    try:
        with open("/proc/self/status") as file:
            return int(re.search(rf"{field}:\s*(\d+) kB", file.read()).group(1)) * 1024
    except OSError:  # another system
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
