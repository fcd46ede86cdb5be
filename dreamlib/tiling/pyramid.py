"""The octaves' pictures: made by strips when they are needed, from the source and one another.

A picture here is an object with a `size` (height, width) and a method ``rows(top, bottom, left=0,
right=None)``, which gives a (3, bottom - top, right - left) ndarray of float32, the network's
values. Chained, they hold a strip each, never a picture.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.picture import Window
from dreamlib.imaging.resample import RingTaps, Taps, resample_window, strips


class Pyramid:
    """The canvases of a dream in its store: made, found again by a resumed dream, and dropped.

    Parameters
    ----------
    source : Stored
        The undreamt picture, of the size of some octave.
    dream : dreamlib.tiling.octaves.Dream
    quantizer : dreamlib.tiling.quantize.Quantizer
        Of the canvases.
    store : dreamlib.tiling.canvas.InMemory or dreamlib.tiling.work_folder.WorkFolder
    """

    def __init__(self, source, dream, quantizer, store):
        self._source, self._dream = source, dream
        self._quantizer, self._store = quantizer, store
        self._sizes = [octave.size for octave in dream.octaves]

    def canvas(self, octave, changed=False):
        """Open an octave's canvas, or make it of what is carried from the octave before.

        Parameters
        ----------
        octave : int
        changed : bool
            Whether steps were taken on it already, so that it cannot be made anew.

        Returns
        -------
        dreamlib.tiling.canvas.Canvas
        """
        can_be_made = octave == 0 or self._store.has(dreamt(octave - 1))
        if can_be_made and not changed and not self._store.has(dreamt(octave)):
            if octave == 0:
                picture = self.undreamt(0)
            else:
                before = self._store.canvas(dreamt(octave - 1), self._window(octave - 1)[2:])
                picture = self._carried(before, octave)
            self._fill(dreamt(octave), picture, octave)
        return self._store.canvas(dreamt(octave), self._window(octave)[2:])

    def base(self, octave):
        """Open a canvas of an octave's undreamt picture, or make it.

        Parameters
        ----------
        octave : int

        Returns
        -------
        dreamlib.tiling.canvas.Canvas
        """
        if not self._store.has(_base(octave)):
            self._fill(_base(octave), self.undreamt(octave), octave)
        return self._store.canvas(_base(octave), self._window(octave)[2:])

    def drop(self, octave):
        """Give up the canvas of an octave, if there is one.

        Parameters
        ----------
        octave : int
        """
        self._store.drop(dreamt(octave))

    def drop_base(self, octave):
        """Give up the canvas of an octave's undreamt picture, if there is one.

        Parameters
        ----------
        octave : int
        """
        self._store.drop(_base(octave))

    def drop_unfinished(self):
        """Give up what `at_full_size` has made for a run before: room is reckoned without it."""
        for octave in range(len(self._sizes)):
            self._store.drop(_unfinished(octave))

    def at_full_size(self, canvas, octave):
        """Carry an octave's canvas up to the full size; what a resumed dream needs is left alone.

        Parameters
        ----------
        canvas : dreamlib.tiling.canvas.Canvas
        octave : int

        Returns
        -------
        dreamlib.tiling.canvas.Canvas
        """
        for larger in range(octave + 1, len(self._sizes)):
            name = _unfinished(larger)
            self._fill(name, self._carried(canvas, larger), larger)
            canvas = self._store.canvas(name, self._window(larger)[2:])
            self._store.drop(_unfinished(larger - 1))
        return canvas

    def undreamt(self, octave):
        """Return an octave of the undreamt picture, by the notebook's chain of reductions.

        Parameters
        ----------
        octave : int

        Returns
        -------
        Stored or Resized
        """
        sizes, size = self._sizes, self._source.size
        last = max(index for index, one in enumerate(sizes) if tuple(one) == tuple(size))
        picture = self._source
        for size in sizes[octave:last][::-1] if octave <= last else [sizes[octave]]:
            if tuple(size) != tuple(picture.size):
                picture = Resized(picture, size, self._dream.closed)
        return picture

    def _carried(self, before, octave):
        """Return what an octave starts from, given the canvas of the one before."""
        size, corner = self._sizes[octave], self._window(octave - 1)[:2]
        dreamt = Stored(before, self._quantizer, self._sizes[octave - 1], corner)
        if self._dream.carry == "picture":
            return Resized(dreamt, size, self._dream.closed)
        detail = Combined(np.subtract, dreamt, self.undreamt(octave - 1))
        resized = Resized(detail, size, self._dream.closed)
        return Combined(np.add, resized, self.undreamt(octave))

    def _window(self, octave):
        return self._dream.octaves[octave].window

    def _fill(self, name, picture, octave):
        top, left, height, width = self._window(octave)
        canvas = self._store.new_canvas(name, (height, width))
        rounding = self._dream.passes_before(octave) - 1
        for start, stop in strips(height, width):
            rows = picture.rows(top + start, top + stop, left, left + width)
            window = Window(start, 0, stop - start, width)
            canvas.write(window, self._quantizer.encode(rows, window, rounding))
        self._store.complete(name)


def dreamt(octave):
    """Name the canvas that an octave is dreamt on."""
    return f"octave-{octave}"


def _base(octave):
    return f"base-{octave}"


def _unfinished(octave):
    return f"unfinished-{octave}"


class Stored:
    """The picture on a canvas, in the network's values.

    Parameters
    ----------
    canvas : dreamlib.tiling.canvas.Canvas
    quantizer : dreamlib.tiling.quantize.Quantizer
    size : (height, width), optional
        Of the picture of which the canvas is a part; by default it is all of it.
    corner : (top, left)
        Where in the picture the canvas lies.
    """

    def __init__(self, canvas, quantizer, size=None, corner=(0, 0)):
        self.size = size or canvas.shape[:2]
        self.canvas, self._quantizer, self._corner = canvas, quantizer, corner

    def rows(self, top, bottom, left=0, right=None):
        """Read and decode a part.

        Parameters
        ----------
        top, bottom, left, right : int
            Its edges; all columns by default.

        Returns
        -------
        (3, bottom - top, right - left) ndarray of float32
        """
        right = self.size[1] if right is None else right
        there = Window(top - self._corner[0], left - self._corner[1], bottom - top, right - left)
        out = np.empty((3, there.height, there.width), np.float32)
        return self._quantizer.decode(self.canvas.read(there), out)


class Resized:
    """Another such picture resampled.

    Parameters
    ----------
    picture : Stored, Resized or Combined
    size : (height, width)
    closed : (bool, bool)
        Axes that close in themselves: there the first pixel follows the last one, and a part may
        lie beyond the borders.
    """

    def __init__(self, picture, size, closed=(False, False)):
        self.size = size
        self._picture, self._closed = picture, closed

    def rows(self, top, bottom, left=0, right=None):
        """Resample a part: see `Stored.rows`."""
        rows, columns = (
            (RingTaps if closed else Taps)(*ends)
            for closed, *ends in zip(
                self._closed, self._picture.size, self.size, (top, left), (bottom, right)
            )
        )
        window = self._picture.rows(rows.first, rows.stop, columns.first, columns.stop)
        out = np.empty((3, len(rows.before), len(columns.before)), np.float32)
        for plane, target in zip(window, out):
            target[:] = resample_window(plane, rows, columns)
        return out


class Combined:
    """Two such pictures of one size, added or subtracted.

    Parameters
    ----------
    combine : {np.add, np.subtract}
    first, second : Stored, Resized or Combined
    """

    def __init__(self, combine, first, second):
        self.size = first.size
        self._combine, self._pictures = combine, (first, second)

    def rows(self, top, bottom, left=0, right=None):
        """Combine a part: see `Stored.rows`."""
        first, second = (picture.rows(top, bottom, left, right) for picture in self._pictures)
        return self._combine(first, second, out=first)
