"""A small picture of the dream so far, to look at while it goes on."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError

#: Longest side of a preview, in pixels.
SIDE = 1024


class Preview:
    """Writes ``OUTPUT.preview.jpg`` every so often; given to `Dreamer` as its ``on_canvas``.

    Parameters
    ----------
    output : str
        Of the dream.
    minutes : float
        Between two previews.
    encoding : dreamlib.tiling.quantize.Encoding
        Of the canvases.
    say : callable
        Told, as a line of text, that a preview could not be written: no reason to end the dream.
    """

    def __init__(self, output, minutes, encoding, say):
        self.path = Path(f"{output}.preview.jpg")
        self._seconds, self._encoding, self._say = 60 * minutes, encoding, say
        self._last = time.monotonic()

    def due(self):
        """Tell whether it is time for one."""
        return time.monotonic() - self._last >= self._seconds

    def __call__(self, canvas, octave):
        """Write a preview if it is time for one."""
        if not self.due():
            return
        from dreamlib.imaging.open_save import save_picture

        small = shrunk(canvas, self._encoding)
        try:
            save_picture(str(self.path), small, f"# octave {octave + 1}\n")
        except DreamError as error:
            self._say(f"no preview this time: {error}")
        self._last = time.monotonic()


def shrunk(canvas, encoding, side=SIDE):
    """Average a canvas down to at most `side` pixels: an (h, w, 3) ndarray of float32, 0..255."""
    height, width = canvas.shape[:2]
    factor = max(1, -(-max(height, width) // side))
    rows, columns = max(1, height // factor), max(1, width // factor)
    small = np.empty((rows, columns, 3), np.float32)
    for row in range(rows):
        strip = encoding.as_levels(canvas.rows(row * factor, min((row + 1) * factor, height)))
        strip = strip[:, : columns * factor]
        small[row] = strip.reshape(len(strip), columns, -1, 3).mean(axis=(0, 2))
    return small
