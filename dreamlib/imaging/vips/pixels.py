"""Pixels for libvips: an array, or a raw file of which little is in memory at a time."""

from __future__ import annotations

import mmap
import os

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import RawFile

#: Bytes of a raw file that are read before they are unloaded from memory.
RESIDENT = 1 << 24


def load(vips, pixels):
    """Give libvips pixels, without copying those that are contiguous.

    Parameters
    ----------
    vips : module
        pyvips.
    pixels : (H, W[, 3]) ndarray of uint8 or uint16, or RawFile

    Returns
    -------
    pyvips.Image
        To be kept until libvips has computed what is made of it: pyvips aborts the process when
        the object that a callback was connected to is gone.

    Raises
    ------
    DreamError
        The raw file is not there, or not of this size.
    """
    dtype = np.dtype(pixels.dtype)
    form = {"uint8": "uchar", "uint16": "ushort"}[dtype.name]
    if not isinstance(pixels, RawFile):
        height, width, *bands = pixels.shape
        data = np.ascontiguousarray(pixels)
        return vips.Image.new_from_memory(data, width, height, *(bands or [1]), form)
    mapped = _map(pixels)
    image = vips.Image.new_from_memory(mapped, pixels.width, pixels.height, 3, form)
    _forget_what_is_read(image, mapped, RESIDENT // (3 * dtype.itemsize))
    return image


def _map(raw):
    """Map a raw file into memory."""
    dtype = np.dtype(raw.dtype)
    expected = raw.height * raw.width * 3 * dtype.itemsize
    try:
        size = os.path.getsize(raw.path)
        if size == expected:
            with open(raw.path, "rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise DreamError(f"{raw.path} cannot be read: {error}") from error
    raise DreamError(
        f"{raw.path} has {size} bytes; {raw.width}x{raw.height} pixels of {dtype} need {expected}"
    )


def _forget_what_is_read(image, mapped, every):
    """Unload a mapped file from time to time while libvips computes from it.

    libvips' own rawload keeps up to 20000 rows resident. What is unloaded too early is read again.
    """
    forgotten = 0

    def progress(image, progress):
        nonlocal forgotten
        if progress.npels - forgotten >= every:
            forgotten = progress.npels
            mapped.madvise(mmap.MADV_DONTNEED)

    if hasattr(mmap, "MADV_DONTNEED"):
        image.set_progress(True)
        image.signal_connect("eval", progress)
