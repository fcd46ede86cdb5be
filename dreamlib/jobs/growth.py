"""A film of one dream as it grows: ``--growth``, a frame for every pass over the picture."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import to_levels
from dreamlib.jobs.outputs import check_apart, check_free
from dreamlib.tiling.preview import shrunk
from dreamlib.video.encode import assemble, check_film
from dreamlib.video.sources import FPS

#: The longer side of the film in pixels, at most.
SIDE = 1280

#: Seconds that the finished dream is shown.
LAST = 2


class Growth:
    """Frames of a dream that is under way; called as `dreamlib.tiling.octave_loop` says.

    Parameters
    ----------
    film : str
        Where it is to go.
    folder : str
        Of the frames, until it is written.
    size : (height, width)
        Of the dream.
    quantizer : dreamlib.tiling.quantize.Quantizer
        Of the canvases.
    quality : int
        Of the film.
    alpha : ndarray or None
        As for `dreamlib.tiling.preview.shrunk`.
    """

    def __init__(self, film, folder, size, quantizer, quality, alpha):
        self._film, self._folder, self._quantizer = film, folder, quantizer
        self._quality, self._alpha = quality, alpha
        self._size, self._frames, self._fault = film_size(*size), [], None

    def __call__(self, canvas, octave, whole):
        """Take a frame where a pass is whole.

        Parameters
        ----------
        canvas : dreamlib.tiling.canvas.Canvas
        octave : int
        whole : bool
            Whether a pass has ended.
        """
        if whole and self._fault is None:
            from PIL import Image

            image = Image.fromarray(to_levels(shrunk(canvas, self._quantizer, SIDE, self._alpha)))
            image = image.resize(self._size[::-1], Image.BICUBIC)
            path = Path(self._folder, f"{len(self._frames):06d}.png")
            try:
                image.save(path, compress_level=1)
            except OSError as error:
                self._fault = f"{path}: {error.strerror}"
            self._frames.append(path)

    def finish(self, canvas, say):
        """Write the film, which ends with the dream.

        Parameters
        ----------
        canvas : dreamlib.tiling.canvas.Canvas
            The dream.
        say : callable
            Told, as a line of text, that the film could not be written: no reason to lose the
            dream.
        """
        self(canvas, None, True)
        stays = [1] * (len(self._frames) - 1) + [round(LAST * FPS)]
        try:
            if self._fault:
                raise DreamError(self._fault)
            assemble(self._frames, self._film, FPS, quality=self._quality, stays=stays)
        except DreamError as error:
            say(f"there is no film of how the dream grew: {error}")


def film_size(height, width):
    """Return the (height, width) of a film of a dream of this size."""
    factor = -(-max(height, width) // SIDE)
    return max(1, height // factor), max(1, width // factor)


def check_growth(settings, source, output=None):
    """Refuse a film of growth that could not be, before the dream.

    Parameters
    ----------
    settings : Settings
    source : str or picture
    output : str, optional
        Of the dream.
    """
    if not settings.growth:
        return
    check_film(settings.growth, FPS)
    check_free(settings.growth, settings.overwrite)
    check_apart(settings.growth, source, "the input")
    check_apart(settings.growth, output, "where the dream goes")
    if settings.region:
        raise DreamError(
            "--growth shows how a whole picture is dreamt, and --region dreams a part; leave one "
            "of the two out"
        )


@contextlib.contextmanager
def growing(settings, size, quantizer, alpha=None):
    """Watch a dream as it grows, if that is asked for.

    Parameters
    ----------
    settings : Settings
    size : (height, width)
        Of the dream.
    quantizer, alpha
        As for `Growth`.

    Yields
    ------
    Growth or None
    """
    if not settings.growth:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dreamlib-") as folder:
        yield Growth(settings.growth, folder, size, quantizer, settings.quality, alpha)
