"""libvips itself: its import, memory, interrupts and errors."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress

from dreamlib.errors import DreamError

#: libvips' readers of the formats that are read: not of those that programs draw, as EPS and PDF.
LOADERS = ("Png", "Jpeg", "Webp", "Tiff", "Nsgif", "Ppm", "Heif", "Jp2k", "Jxl")

#: libvips has buffers of the picture's width for every thread; more threads bring little here.
THREADS = 4


def libvips():
    """Import pyvips, and keep libvips from holding on to results, files and many threads.

    The number of threads can be overruled by VIPS_CONCURRENCY in the environment.

    Returns
    -------
    module

    Raises
    ------
    DreamError
        It is not installed.
    """
    try:
        import pyvips
    except (ImportError, OSError) as error:  # OSError: pyvips is there, the library is not
        raise DreamError(
            f"pictures of this kind need libvips: pip install 'dreamlib[vips]' ({error})"
        ) from error
    _read_these_alone(pyvips)
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    if "VIPS_CONCURRENCY" not in os.environ:
        pyvips.concurrency_set(min(THREADS, os.cpu_count() or 1))
    return pyvips


def reads(path):
    """Tell whether libvips has a loader for a file, by its first bytes.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool
    """
    vips = libvips()
    found = vips.vips_lib.vips_foreign_find_load(os.fsencode(path))
    vips.vips_lib.vips_error_clear()
    return found != vips.ffi.NULL


def _read_these_alone(pyvips):
    """Keep libvips from formats that are not meant to be read, and the programs behind them.

    An older libvips cannot be told so; there it is Pillow that refuses them first.
    """
    with suppress(pyvips.Error, AttributeError):
        pyvips.operation_block_set("VipsForeignLoad", True)
        for name in LOADERS:
            pyvips.operation_block_set(f"VipsForeignLoad{name}", False)


@contextmanager
def interrupts_later():
    """Hold Ctrl-C back until libvips has returned.

    While libvips computes, Python runs only in its callbacks, which read files and report progress.
    An exception that is raised there is lost, and the picture would seem to be truncated.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    held = []
    signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if held:
            previous(*held[0])


def reason(error):
    """Return libvips' words for an error, in one line.

    Parameters
    ----------
    error : pyvips.Error

    Returns
    -------
    str
    """
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(dict.fromkeys(filter(None, lines)))


def to_depth(image, format):
    """Convert between 8 and 16 bits a channel: ``v * 257``, or ``v / 257`` rounded.

    Parameters
    ----------
    image : pyvips.Image
        Of 'uchar' or 'ushort'.
    format : {'uchar', 'ushort'}

    Returns
    -------
    pyvips.Image
    """
    if image.format == format:
        return image
    if format == "ushort":
        return image.linear(257, 0).cast("ushort")
    return image.linear(1 / 257, 0).rint().cast("uchar")
