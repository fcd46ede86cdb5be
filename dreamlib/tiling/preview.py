"""A small picture of the dream so far, to look at while it is dreamt."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import lay

#: Longest side of a preview, in pixels.
SIDE = 1024


def preview_of(output):
    """Name the preview of an output.

    Parameters
    ----------
    output : str

    Returns
    -------
    Path
    """
    return Path(f"{output}.preview.jpg")


class Preview:
    """Writes ``OUTPUT.preview.jpg`` every so often; given to `OctaveLoop` as its ``on_canvas``.

    Parameters
    ----------
    output : str
        Of the dream.
    minutes : float
        Between two previews.
    quantizer : dreamlib.tiling.quantize.Quantizer
        Of the canvases.
    say : callable
        Told, as a line of text, that a preview could not be written: no reason to end the dream.
    alpha : ndarray, optional
        As for `shrunk`.
    """

    def __init__(self, output, minutes, quantizer, say, alpha=None):
        self.path = preview_of(output)
        self._seconds, self._quantizer, self._say = 60 * minutes, quantizer, say
        self._last, self._alpha = time.monotonic(), alpha

    def __call__(self, canvas, octave, whole=False):
        """Write a preview if it is time for one.

        Parameters
        ----------
        canvas : dreamlib.tiling.canvas.Canvas
        octave : int
        whole : bool
            Whether a pass has ended: no matter.
        """
        if time.monotonic() - self._last < self._seconds:
            return
        from dreamlib.imaging.open_save import save_picture

        small = shrunk(canvas, self._quantizer, SIDE, self._alpha)
        try:
            save_picture(str(self.path), small, f"# octave {octave + 1}\n")
        except DreamError as error:
            self._say(f"no preview this time: {error}")
        self._last = time.monotonic()


def shrunk(canvas, quantizer, side, alpha=None):
    """Average a canvas down to at most `side` pixels; lay it on white where it is transparent.

    Parameters
    ----------
    canvas : dreamlib.tiling.canvas.Canvas
    quantizer : dreamlib.tiling.quantize.Quantizer
    side : int
    alpha : (h, w) ndarray of uint8, optional
        Of the same part of the picture, in any size.

    Returns
    -------
    (h, w, 3) ndarray of float32
        0..255.
    """
    height, width = canvas.shape[:2]
    factor = max(1, -(-max(height, width) // side))
    rows, columns = max(1, height // factor), max(1, width // factor)
    small = np.empty((rows, columns, 3), np.float32)
    for row in range(rows):
        strip = quantizer.as_levels(canvas.rows(row * factor, min((row + 1) * factor, height)))
        strip = strip[:, : columns * factor]
        small[row] = strip.reshape(len(strip), columns, -1, 3).mean(axis=(0, 2))
    if alpha is not None:
        from PIL import Image

        lay(small, np.asarray(Image.fromarray(alpha).resize((columns, rows), Image.BILINEAR)))
    return small
