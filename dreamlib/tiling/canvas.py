"""The picture being dreamt: rows of RGB pixels, in RAM or in a file, read and written by windows.

Files are read and written, never mapped: mapped pages count as the process's resident memory, the
kernel's page cache does not.
"""

from __future__ import annotations

import mmap
import os
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError, disk_trouble
from dreamlib.imaging.picture import WRAPS, Window

#: Name of the canvas that takes the tiles of a phase.
BACK_BUFFER = "back-buffer"

#: Names of the canvases that the host works on, and no step is taken on: the undreamt picture, and
#: the dreamt one mixed with it.
SOURCE, FINISHED = "source", "finished"

#: How the file of a canvas is opened, to be made where it is not there.
MAKE = os.O_RDWR | os.O_CREAT


class Canvas:
    """A picture of pixels ``(height, width, 3)``, RGB.

    Parameters
    ----------
    height, width : int
    dtype : {uint8, uint16, float32}
    wrap : {'none', 'horizontal', 'both'}
        What a window finds beyond the borders: see `WRAPS`.
    path : str or Path, optional
        Where the pixels lie, row by row, without a header; made if it is not there. In RAM by
        default.
    flags : int
        How a file is opened: see `os.open`; without ``O_CREAT`` it must be there.

    Attributes
    ----------
    device : torch.device or None
        In whose memory the pixels lie; None is RAM, or a file.

    Raises
    ------
    DreamError
        The file cannot be made, or is not of the canvas's size.
    """

    device = None

    def __init__(self, height, width, dtype, wrap="none", path=None, flags=MAKE):
        self.shape = (int(height), int(width), 3)
        self.dtype = np.dtype(dtype)
        self._row_bytes = int(width) * 3 * self.dtype.itemsize
        self.wrap = wrap
        self.path = None if path is None else os.fspath(path)
        self._file, self._pixels = None, None
        if path is None:
            # Mapped, so that all of it goes back to the system when it is given up: malloc would
            # keep it, and the next, larger canvas would not fit into the hole.
            memory = mmap.mmap(-1, max(1, self.nbytes))
            self._pixels = np.frombuffer(memory, self.dtype, self.nbytes // self.dtype.itemsize)
            self._pixels = self._pixels.reshape(self.shape)
            return
        try:
            self._file = os.open(self.path, flags | os.O_CLOEXEC, 0o666)
            if os.fstat(self._file).st_size == 0 and flags & os.O_CREAT:
                os.ftruncate(self._file, self.nbytes)
            size = os.fstat(self._file).st_size
        except OSError as error:
            self.close()
            raise DreamError(f"{path} cannot be opened: {error.strerror}") from error
        if size != self.nbytes:
            self.close()
            raise DreamError(f"{path} has {size} bytes, a canvas of {self} needs {self.nbytes}")

    @classmethod
    def of(cls, pixels, wrap="none"):
        """Make a canvas of an array, which is not copied.

        Parameters
        ----------
        pixels : (H, W, 3) ndarray
        wrap : str

        Returns
        -------
        Canvas
        """
        canvas = cls(0, 0, pixels.dtype, wrap)
        canvas.shape, canvas._pixels = pixels.shape, pixels
        return canvas

    def __str__(self):
        return f"{self.shape[1]} x {self.shape[0]} pixels of {self.dtype}"

    @staticmethod
    def bytes_of(height, width, dtype):
        """Return the bytes of such a canvas: int.

        Parameters
        ----------
        height, width, dtype
            As for `Canvas`.

        Returns
        -------
        int
        """
        return height * width * 3 * np.dtype(dtype).itemsize

    @property
    def nbytes(self):
        """Bytes of all pixels."""
        return self.bytes_of(*self.shape[:2], self.dtype)

    def read(self, window, out=None):
        """Copy a window, mirrored or closed beyond the borders.

        Parameters
        ----------
        window : Window
        out : (window.height, window.width, 3) ndarray, optional
            Written to and returned.

        Returns
        -------
        ndarray of the canvas's dtype
        """
        if out is None:
            out = np.empty((window.height, window.width, 3), self.dtype)
        for rows, columns in self._parts(window):
            self._get(rows, columns, out[rows.there, columns.there])
        return out

    def write(self, window, pixels):
        """Put pixels into a window, which may pass a border only where the canvas is closed.

        Parameters
        ----------
        window : Window
        pixels : (window.height, window.width, 3) ndarray of the canvas's dtype
        """
        for start, length, side, closed in zip(
            window[:2], window[2:], self.shape, WRAPS[self.wrap]
        ):
            if not closed and (start < 0 or start + length > side):
                raise ValueError(f"{window} lies beyond a border of {self}")
        for rows, columns in self._parts(window):
            self._put(rows, columns, pixels[rows.there, columns.there])

    def copy(self, window, source):
        """Put a window of another canvas, of the same kind and size, into the same window.

        Parameters
        ----------
        window : Window
            As for `write`.
        source : Canvas
        """
        self.write(window, source.read(window))

    def rows(self, top, bottom):
        """Copy whole rows.

        Parameters
        ----------
        top, bottom : int

        Returns
        -------
        (bottom - top, width, 3) ndarray of the canvas's dtype
        """
        return self.read(Window(top, 0, bottom - top, self.shape[1]))

    def array(self):
        """The pixels themselves if they are in RAM, else a read-only map of the file."""
        if self._pixels is not None:
            return self._pixels
        return np.memmap(self.path, self.dtype, "r", shape=self.shape)

    def flush(self):
        """Return when the pixels are safe from a power cut, as far as the file system tells."""
        if self._file is not None:
            try:
                os.fsync(self._file)
            except OSError as error:
                raise disk_trouble(self.path, error) from error

    def close(self):
        """Give up the pixels, or the file, which stays."""
        self._pixels = None
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _parts(self, window):
        closed = WRAPS[self.wrap]
        rows = list(_runs(window.top, window.height, self.shape[0], closed[0]))
        columns = list(_runs(window.left, window.width, self.shape[1], closed[1]))
        return ((row_run, column_run) for row_run in rows for column_run in columns)

    def _get(self, rows, columns, out):
        if self._pixels is not None:
            out[:: rows.step, :: columns.step] = self._pixels[rows.here, columns.here]
            return
        offset, line = self._place(rows, columns)
        for target in out[:: rows.step, :: columns.step]:
            # Straight into its place where that is one piece of memory.
            pixels = target if target.flags.c_contiguous else np.empty_like(target)
            if os.preadv(self._file, [pixels], offset) != line:
                raise DreamError(f"{self.path} has been cut short; the work folder is unusable")
            if pixels is not target:
                target[:] = pixels
            offset += self._row_bytes

    def _put(self, rows, columns, pixels):
        if self._pixels is not None:
            self._pixels[rows.here, columns.here] = pixels
            return
        offset, line = self._place(rows, columns)
        data = memoryview(np.ascontiguousarray(pixels)).cast("B")
        for start in range(0, len(data), line):
            done = 0
            while done < line:  # a write may be partial just before a disk is full
                try:
                    done += os.pwrite(self._file, data[start + done : start + line], offset + done)
                except OSError as error:
                    raise disk_trouble(self.path, error) from error
            offset += self._row_bytes

    def _place(self, rows, columns):
        """Return where a rectangle begins in the file, and how many bytes each row of it has."""
        pixel = 3 * self.dtype.itemsize
        start = rows.here.start * self._row_bytes + columns.here.start * pixel
        return start, (columns.here.stop - columns.here.start) * pixel


class InMemory:
    """Canvases in memory, by their names. Nothing outlives the process.

    Parameters
    ----------
    dtype : numpy dtype
        Of the canvases, where nothing else is said.
    wrap : {'none', 'horizontal', 'both'}
    make : callable
        Makes those that steps are taken on, of height, width, dtype and wrap: `Canvas`, in RAM, or
        `dreamlib.tiling.tensor_canvas.TensorCanvas` of a device. `SOURCE` and `FINISHED` lie in
        RAM.
    """

    def __init__(self, dtype, wrap, make=Canvas):
        self._dtype, self._wrap, self._make = dtype, wrap, make
        self._canvases = {}

    def load_state(self):
        """Return None: there is nothing to resume."""

    def save(self, state, canvas=None, changed=None):
        """Do nothing.

        Parameters
        ----------
        state, canvas, changed
            Not looked at.
        """

    def has(self, name):
        """Tell whether a canvas is there.

        Parameters
        ----------
        name : str

        Returns
        -------
        bool
        """
        return name in self._canvases

    def new_canvas(self, name, size, dtype=None):
        """Make a canvas, which counts once it is `complete`.

        Parameters
        ----------
        name : str
        size : (height, width)
        dtype : numpy dtype, optional
            By default the store's.

        Returns
        -------
        Canvas
        """
        make = Canvas if name in (SOURCE, FINISHED) else self._make
        self._canvases[name] = make(*size, dtype or self._dtype, self._wrap)
        return self._canvases[name]

    def complete(self, name):
        """Let a canvas made by `new_canvas` count from now on.

        Parameters
        ----------
        name : str
        """

    def canvas(self, name, size, dtype=None):
        """Return a canvas that is there; the parameters are those of `new_canvas`."""
        return self._canvases[name]

    def drop(self, name):
        """Give up a canvas, if it is there.

        Parameters
        ----------
        name : str
        """
        self._canvases.pop(name, None)

    def close(self):
        """Give up all canvases."""
        self._canvases = {}

    def back_buffer(self, place, size, tiles):
        """Return the canvas that takes a phase's tiles until all of them are there.

        A single tile needs none: it has seen all before it changes anything.

        Parameters
        ----------
        place : dreamlib.tiling.octaves.Place
        size : (height, width)
        tiles : int
            Their number.

        Returns
        -------
        Canvas or None
        """
        if tiles == 1:
            return None
        if not self.has(BACK_BUFFER) or self._canvases[BACK_BUFFER].shape[:2] != tuple(size):
            self.drop(BACK_BUFFER)  # a smaller octave's: a GPU may have no room for both
            self.new_canvas(BACK_BUFFER, size)
        return self._canvases[BACK_BUFFER]


class _Run(NamedTuple):
    """A stretch of a window's axis that follows the picture's pixels, or runs against them."""

    there: slice  #: in the window
    here: slice  #: in the picture
    step: int  #: 1, or -1 where mirrored


def _runs(start, length, size, closed):
    """Cut a window's axis into stretches within the picture, of `size` pixels: yields `_Run`."""
    position = start
    while position < start + length:
        lap, place = divmod(position, size)
        count = min(size - place, start + length - position)
        there = slice(position - start, position - start + count)
        if closed or lap % 2 == 0:
            yield _Run(there, slice(place, place + count), 1)
        else:
            yield _Run(there, slice(size - place - count, size - place), -1)
        position += count
