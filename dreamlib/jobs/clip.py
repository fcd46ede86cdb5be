"""Clips dreamt: every frame with the detail of the one before, carried along the motion.

Frames are kept as PNG in a work folder beside the output until the film is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Metadata, Picture
from dreamlib.imaging.pillow_io import load_picture
from dreamlib.jobs.demands import of_film, refuse_frames
from dreamlib.jobs.film import run_film
from dreamlib.jobs.film_output import chosen_loop, part_of, writing
from dreamlib.jobs.outputs import check_free
from dreamlib.settings import refuse_inapplicable
from dreamlib.tiling.memory_plan import Stage
from dreamlib.util.progress import phase
from dreamlib.video.clip import mux
from dreamlib.video.encode import check_film
from dreamlib.video.frame_folder import FrameFolder
from dreamlib.video.optical_flow import DetailCarrier
from dreamlib.video.sources import open_source

#: Bytes for each pixel of a frame: beside its dream, the frame before and this one, undreamt and
#: dreamt; and while detail is moved along the motion.
FRAME, FOLLOWING = 36, 76


#: Names of animations end so.
ANIMATED = (".gif", ".webp", ".png", ".apng")


def run_clip(source, output, settings):
    """Dream a clip and write it with its sound.

    Parameters
    ----------
    source : str
        Whatever `dreamlib.video.sources.open_source` opens.
    output : str or None
        ``.mp4``, ``.webm``, ``.gif`` or ``.webp``; by default ``STEM_dream.mp4`` in the current
        folder, of a GIF ``.gif``, of other animations ``.webp``.
    settings : Settings

    Returns
    -------
    dreamlib.jobs.film.Result
    """
    refuse_inapplicable(settings, "clip")
    return run_film(FramesOfClip(source, output, settings), source, settings)


class FramesOfClip:
    """The film of a clip; its attributes and methods are `FramesOfPicture`'s.

    Parameters
    ----------
    source, output, settings
        As for `run_clip`.
    """

    def __init__(self, source, output, settings):
        self.path = Path(output or f"{Path(source).stem}_dream{film_suffix(source)}")
        self._clip = part_of(open_source(source, settings.fps), settings)
        if self.path.exists() and self.path.samefile(self._clip.path):
            raise DreamError(f"{self.path} is the input; name another output")
        check_film(self.path, self._clip.fps, min(self._clip.stays or [1]))
        check_free(self.path, settings.overwrite)
        self.folder = FrameFolder(f"{self.path}.work", resume=settings.resume)
        height, width = self._clip.size
        refuse_frames(settings, source, self._clip.decoding_memory + FOLLOWING * height * width)
        self.count = self._clip.frames
        metadata = Metadata(notes=tuple(self._clip.notes))
        self.first = Picture(np.zeros((*self._clip.size, 3), np.uint8), metadata=metadata)

    def open(self, settings):
        self._settings = settings

    @property
    def besides(self):
        height, width = self._clip.size
        decoding, pixels = self._clip.decoding_memory, height * width
        following = Stage(FOLLOWING * pixels, "following the motion", ", or take a smaller clip")
        return of_film(decoding + FRAME * pixels, [self.path], pixels, following)

    def resume(self):
        return min(self.folder.whole(), self.count)

    def pictures(self, start):
        if start == self.count:
            return
        pictures = self._clip.frames_from(max(0, start - 1))
        self._carrier = DetailCarrier(self._settings.carry)
        if start:
            dreamt = load_picture(str(self.folder.frames()[start - 1])).pixels
            self._carrier.finish(next(pictures), dreamt)
        for frame, self._picture in enumerate(pictures, start):
            phase("motion")
            yield frame, Picture(self._carrier.begin(self._picture))

    def keep(self, frame, levels, text):
        self.folder.add(frame, levels, text)
        phase("motion")
        self._carrier.finish(self._picture, levels)

    def finish(self):
        frames, settings = self.folder.frames()[: self.count], self._settings
        phase("film")
        with writing(self.path, self.count, settings.quiet) as on_frame:
            loop = chosen_loop(settings)
            if not mux(frames, self.path, self._clip, settings.quality, on_frame, loop):
                return None
        self.folder.remove()
        return []


def film_suffix(source):
    """Return the suffix of a film where none is named.

    Parameters
    ----------
    source : str
        The clip.

    Returns
    -------
    str
    """
    suffix = Path(source).suffix.lower()
    if Path(source).is_dir() or suffix not in ANIMATED:
        return ".mp4"
    return ".gif" if suffix == ".gif" else ".webp"
