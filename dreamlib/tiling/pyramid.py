"""The octaves' canvases: made when they are needed, found again by a resumed dream, and dropped."""

from __future__ import annotations

from dreamlib.imaging.resample import Stored, carry_up, octave_base, strips
from dreamlib.imaging.window import Window


class Pyramid:
    """The canvases of a dream in its store.

    Parameters
    ----------
    source : Stored
        The undreamt picture.
    sizes : list of (height, width)
        The octaves, smallest first.
    frames : list of Window
        The part of each octave that is dreamt.
    closed : (bool, bool)
        Axes on which octaves are resampled as rings: see `dreamlib.imaging.resample.Resized`.
    encoding : dreamlib.tiling.quantize.Encoding
        Of the canvases.
    store : dreamlib.tiling.work_folder.InMemory or dreamlib.tiling.work_folder.WorkFolder
    passes : int
        On each octave; by them roundings are told apart.
    """

    def __init__(self, source, sizes, frames, closed, encoding, store, passes):
        self._source, self._sizes, self._frames = source, sizes, frames
        self._closed, self._encoding, self._store = closed, encoding, store
        self._passes = passes

    def canvas(self, octave):
        """Open an octave's canvas, or make it: its base, and the detail of the octave before."""
        if not self._store.has(_dreamt(octave)):
            if octave == 0:
                picture = octave_base(self._source, self._sizes, self._closed)
            else:
                before = self._store.canvas(_dreamt(octave - 1), self._frames[octave - 1][2:])
                picture = self._carried(before, octave)
            self._fill(_dreamt(octave), picture, octave)
        return self._store.canvas(_dreamt(octave), self._frames[octave][2:])

    def base(self, octave):
        """Open a canvas of an octave's undreamt picture, or make it."""
        if not self._store.has(_base(octave)):
            picture = octave_base(self._source, self._sizes[octave:], self._closed)
            self._fill(_base(octave), picture, octave)
        return self._store.canvas(_base(octave), self._frames[octave][2:])

    def drop(self, octave):
        """Give up the canvas of an octave, if there is one."""
        self._store.drop(_dreamt(octave))

    def drop_base(self, octave):
        """Give up the canvas of an octave's undreamt picture, if there is one."""
        self._store.drop(_base(octave))

    def drop_unfinished(self):
        """Give up what `at_full_size` has made for a run before: room is reckoned without it."""
        for octave in range(len(self._sizes)):
            self._store.drop(_unfinished(octave))

    def at_full_size(self, canvas, octave):
        """Carry what there is up to the full size; what a resumed dream needs is left alone."""
        for larger in range(octave + 1, len(self._sizes)):
            name = _unfinished(larger)
            self._fill(name, self._carried(canvas, larger), larger)
            canvas = self._store.canvas(name, self._frames[larger][2:])
            self._store.drop(_unfinished(larger - 1))
        return canvas

    def _carried(self, before, octave):
        size, corner = self._sizes[octave - 1], self._frames[octave - 1][:2]
        dreamt = Stored(before, self._encoding, size, corner)
        return carry_up(dreamt, self._source, self._sizes[octave - 1 :], self._closed)

    def _fill(self, name, picture, octave):
        top, left, height, width = self._frames[octave]
        canvas = self._store.new_canvas(name, (height, width))
        for start, stop in strips(height, width):
            rows = picture.rows(top + start, top + stop, left, left + width)
            window = Window(start, 0, stop - start, width)
            canvas.write(window, self._encoding.encode(rows, window, octave * self._passes - 1))
        self._store.complete(name)


def _dreamt(octave):
    return f"octave-{octave}"


def _base(octave):
    return f"base-{octave}"


def _unfinished(octave):
    return f"unfinished-{octave}"
