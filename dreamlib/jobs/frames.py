"""Endless dreams: dream, distort, dream again; numbered frames, and films of them.

The notebook's last cells did so with a zoom. Frame 0 is the dream of the picture, each further one
that of the frame before, distorted. A frame is kept as it was before it was rounded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging import color
from dreamlib.imaging.alpha import laid_strips
from dreamlib.imaging.open_save import open_picture, reading_cost
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.jobs.demands import of_film, refuse_frames
from dreamlib.jobs.film import run_film
from dreamlib.jobs.film_output import make_films, wanted_films
from dreamlib.jobs.prepare import default_output
from dreamlib.settings import refuse_inapplicable
from dreamlib.util.progress import phase
from dreamlib.video.distort import parse_chain, runs_code
from dreamlib.video.encode import FORMATS
from dreamlib.video.frame_folder import FrameFolder

#: The notebook's.
DISTORTION = "zoom:0.05"

#: Frame whose brightness and contrast are kept: the first, but a film from noise has to find its
#: own first.
FIRST, FROM_NOISE = 0, 10

#: Bytes for each pixel of a frame beside its dream: levels of the frame before and of this one,
#: what distorts and corrects them, and the written one.
FRAME = 44


def run_frames(source, output, settings, listener=None):
    """Dream the frames of a film from a picture, and assemble what was asked for.

    Parameters
    ----------
    source : str
        A picture file, or ``noise:WIDTHxHEIGHT``.
    output : str or None
        The folder; by default ``STEM_frames`` in the current one.
    settings : Settings
        With `frames`.
    listener
        As for `dreamlib.jobs.film.run_film`, which says what is raised, too.

    Returns
    -------
    dreamlib.jobs.film.Result
    """
    refuse_inapplicable(settings, "frames")
    return run_film(FramesOfPicture(source, output, settings), source, settings, listener)


class FramesOfPicture:
    """The film of a picture: see `dreamlib.jobs.film.run_film`.

    Parameters
    ----------
    source, output, settings
        As for `run_frames`.

    Attributes
    ----------
    folder : FrameFolder
    path : Path
        Of the folder.
    count : int
        Frames of the film.
    first : picture
    """

    def __init__(self, source, output, settings):
        self._source = source
        self._films = wanted_films(settings, source)
        folder, suffix = output or default_output(source, "frames"), f".{settings.frame_format}"
        film = FORMATS.get(Path(folder).suffix.lower())
        if film and not Path(folder).is_dir():
            flag = "--mp4" if film.video else f"--{Path(folder).suffix[1:].lower()}"
            raise DreamError(
                f"{folder} is no folder for frames; leave it out, or name one, and ask for the "
                f"film by {flag} {folder}"
            )
        self.folder = FrameFolder(folder, suffix, settings.resume)
        self.path, self.count = self.folder.path, settings.frames
        self._levels = None  # of the frame before

    def open(self, settings):
        """Read the picture and the distortions.

        Parameters
        ----------
        settings : Settings
            With a seed.
        """
        every = settings.distort_every or 1
        self._settings = settings
        distort = settings.distort or DISTORTION
        if not settings.allow_code and runs_code(distort):
            raise DreamError(
                f"distort is {distort!r}, which runs a Python function, and was not written on the "
                "command line; where you trust the file that it comes from, add --allow-code"
            )
        self._chain = parse_chain(distort, settings.seed, every)
        phase("reading")
        cost = reading_cost(self._source)
        refuse_frames(settings, cost.what, max(cost.size, FRAME * cost.pixels))
        self.first = open_picture(self._source, settings.seed, "")
        if not isinstance(self.first, Noise):
            self.first = Picture(levels_of(self.first), metadata=self.first.metadata)

    @property
    def besides(self):
        """What it takes beside the dreams: a `dreamlib.tiling.memory_plan.Besides`."""
        pixels = self.first.height * self.first.width
        return of_film(FRAME * pixels, self._films, pixels)

    def resume(self):
        """Find the last whole frame; return the number of those that are done."""
        number, self._levels = self.folder.last()
        tone = self.folder.record.get("tone")
        self._tone = tone and color.Statistics(*map(np.asarray, tone))
        return number + 1

    def pictures(self, start):
        """Yield the frames' pictures, each when the one before has been kept.

        Parameters
        ----------
        start : int

        Yields
        ------
        int, picture
        """
        for frame in range(start, self.count):
            if self._levels is None:
                yield frame, self.first
                continue
            phase("distortion")
            self._chain.apply(self._levels, frame - 1)
            yield frame, Picture(self._levels)

    def keep(self, frame, levels, text):
        """Keep a dreamt frame.

        Parameters
        ----------
        frame : int
        levels : (H, W, 3) ndarray of float32
            Changed: brightness and contrast are led back.
        text : str
            Its settings.
        """
        settings = self._settings
        if settings.keep_tone and settings.clip:
            np.clip(levels, 0, 255, out=levels)
        tone_at = FROM_NOISE if self._source.startswith("noise:") else FIRST
        if settings.keep_tone and self._tone:
            color.match(levels, self._tone)
        elif settings.keep_tone and frame == tone_at:
            self._tone = color.measure(levels)
            tone = [list(part) for part in self._tone]
            self.folder.note({**self.folder.record, "tone": tone})
        profile = self.first.metadata.icc_profile
        self.folder.add(frame, levels, text, profile, settings.quality)
        self.folder.keep(frame, levels)
        self._levels = levels

    def finish(self):
        """Assemble the films; return their paths, or None where Ctrl-C ended it."""
        return make_films(self.folder.frames()[: self.count], self._films, self._settings)


def levels_of(picture):
    """Read a picture as levels from 0 to 255, laid on white where it is transparent.

    Parameters
    ----------
    picture : picture
        See `dreamlib.imaging.picture`.

    Returns
    -------
    (H, W, 3) ndarray of uint8 or float32
    """
    pixels = np.concatenate([rows for _, rows in laid_strips(picture, max(1, picture.height))])
    return np.float32(pixels) / np.float32(257) if pixels.dtype == np.uint16 else pixels
