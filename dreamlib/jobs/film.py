"""The flow of every film, from file to file: of frames from a picture, and of a clip.

A film is what `run_film` is given: it opens its source, yields the pictures of its frames, keeps
the dreamt ones in a `FrameFolder`, and is finished when all are there. An interrupted film is
resumed from its last whole frame and becomes the same: random numbers follow from the seed and the
frame's number.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.imaging.resample import octave_sizes
from dreamlib.jobs.keyframes import (
    absolute_variations,
    parse_variations,
    refuse_varied,
    settings_at,
)
from dreamlib.jobs.prepare import choose_script, open_network, with_models_own, with_seed
from dreamlib.jobs.resolve import make_job
from dreamlib.jobs.resume import fingerprints, refuse_changes, resumed
from dreamlib.jobs.run import NothingMoved, dream_levels, work
from dreamlib.settings import to_toml
from dreamlib.util.memory import resident_memory
from dreamlib.util.progress import Progress


class Result(NamedTuple):
    """What became of a film."""

    path: Path  #: the folder of the frames, or the clip
    frames: int  #: that are there now
    films: list  #: paths that were assembled
    settings: object
    device: str
    seconds: float
    interrupted: bool


def run_film(film, source, settings, listener=None):
    """Dream a film's frames, all that are not there yet, and finish it.

    Parameters
    ----------
    film : dreamlib.jobs.frames.FramesOfPicture or dreamlib.jobs.clip.FramesOfClip
    source : str
        What it is made of.
    settings : Settings
    listener : callable, optional
        See `dreamlib.util.progress.Progress`.

    Returns
    -------
    Result

    Raises
    ------
    DreamError
    dreamlib.util.progress.Left
        The listener wanted it; the whole frames are kept.
    KeyboardInterrupt
        With words, where frames are kept.
    """
    with contextlib.closing(film.folder) as folder:
        try:
            return _run(film, folder, source, settings, listener)
        except KeyboardInterrupt:  # the second, which does not wait for the step
            if folder.record:
                raise KeyboardInterrupt("the whole frames are kept: resume with --resume") from None
            raise


def _run(film, folder, source, settings, listener):
    settings = resumed(settings, folder) if folder.record else with_models_own(settings, "film")
    settings = with_seed(settings)
    film.open(settings)
    renderer = _FrameRenderer(settings, film)
    _begin(folder, renderer, source, film.count)
    begin, done, text = time.monotonic(), film.resume(), to_toml(renderer.settings)
    steps, left = renderer.work(film.first, 0), renderer.work(film.first, done)
    with Progress(*steps, settings.quiet, None, ("frame", film.count), listener) as progress:
        progress.skip(progress.total - Progress(*left).total)
        for note in film.first.metadata.notes:
            progress.say(note)
        for frame, picture in film.pictures(done):
            try:
                levels = renderer.dream(picture, frame, progress)
            except NothingMoved:
                folder.remove()
                raise
            if levels is None:
                break
            film.keep(frame, levels, text)
        interrupted = progress.interrupted
    frames = folder.whole()
    films = None if interrupted else film.finish()
    device = "CPU" if settings.gpu is None else f"GPU {settings.gpu}"
    return Result(
        film.path, frames, films or [], renderer.settings, device, time.monotonic() - begin,
        films is None,
    )  # fmt: skip


def _begin(folder, renderer, source, count):
    """Note what a new film is made of; refuse to resume another one."""
    record = {
        "settings": renderer.settings.recorded(),
        "frames": count,
        "files": fingerprints(source, renderer.network.published, renderer.settings),
    }
    if not folder.record:
        folder.begin(record)
        return
    refuse_changes(folder, record)
    before = folder.record["frames"]
    if ".." in (renderer.settings.vary or "") and count != before:
        raise DreamError(
            f"--vary runs over {before} frames in {folder.path}, and --frames is {count} now; "
            "resume with as many, or begin anew in another folder"
        )


class _FrameRenderer:
    """Dreams frame after frame with one network.

    Made with settings that have a seed, and a film. Its `settings` repeat the film: paths are
    absolute, and what memory decided is written down.
    """

    def __init__(self, settings, film):
        self._variations, self._count = parse_variations(settings.vary), film.count
        self._said = set()  # what lines of earlier frames began with
        picture = film.first
        refuse_varied(settings, self._variations)
        settings = settings.replace(resume=False)  # the film is resumed, not a frame's dream
        way, picture = choose_script(self._at(settings, 0), picture)
        self.network = open_network(way)
        # Later frames' jobs are made where memory holds frames already.
        self._besides = film.besides._replace(resident=resident_memory())
        job = make_job(self.network, picture, way, "0000.png", self._besides)
        if not job.demand.in_ram:
            raise DreamError(
                f"frames of {picture.width} x {picture.height} pixels take "
                f"{(job.demand.ram + job.demand.canvases) / (1 << 30):.2f}G of memory, more than "
                "there is; films are made in RAM: take a smaller picture, or allow more --memory"
            )
        chosen = ["model", "engine", "mask"]
        given = ("layers", "guide", "guide_layer", "target", "script")
        chosen += [name for name in given if getattr(settings, name)]
        if not job.settings.script:
            chosen += ["schedule", "tile_size", "overlap"]
        kept = {name: getattr(job.recorded, name) for name in chosen}
        if settings.vary:
            kept["vary"] = absolute_variations(settings.vary)
        self.settings = settings.replace(**kept)
        for frame in range(1, film.count):
            if self._turns(frame):
                self._job(picture, frame)  # refuses what would be met in hours

    def work(self, picture, begin):
        """Return what `Progress` counts: sizes and steps, of the frames from `begin` on."""
        sizes, counts = [], []
        job = later = self._job(picture, 0)
        if isinstance(picture, Noise) and job.settings.script:  # a picture's script is another one
            black = np.broadcast_to(np.uint8(0), (picture.height, picture.width, 3))
            later = self._job(Picture(black), 1)
        names = {one.name for one in self._variations}
        varied = names & {"octaves", "octave_scale", "iterations"} and not job.settings.script
        for frame in range(begin, self._count):
            if varied:
                now = self._at(self.settings, frame)
                size = picture.height, picture.width
                octaves = octave_sizes(*size, now.octaves, now.octave_scale)
                sizes += octaves
                counts += [-(-now.iterations // now.tile_steps)] * len(octaves)
            else:
                shapes, steps = work(later.dream if frame else job.dream)
                sizes += shapes
                counts += steps
        return sizes, counts

    def dream(self, picture, frame, progress):
        """Dream a frame: (H, W, 3) float32, levels; None where it was interrupted."""
        part = _Part(progress, frame, self._said)
        levels = dream_levels(self._job(picture, frame), part, must_move=not frame)
        return None if progress.interrupted else levels

    def _job(self, picture, frame):
        settings = self._at(self.settings, frame)
        if frame:
            state = np.random.SeedSequence([self.settings.seed, frame]).generate_state(1)
            settings = settings.replace(seed=int(state[0]))
        settings, picture = choose_script(settings, picture)
        return make_job(self.network, picture, settings, f"{frame:04d}.png", self._besides)

    def _at(self, settings, frame):
        return settings_at(settings, self._variations, frame, self._count)

    def _turns(self, frame):
        """Tell whether a frame has values that none before it had, but for those between ends."""
        return any(one.is_new(frame, self._count) for one in self._variations)


class _Part:
    """What the dream of one frame tells its progress to, as part of the film's."""

    def __init__(self, progress, frame, said):
        self._progress, self._frame, self._said = progress, frame, said

    def __call__(self, step):
        return self._progress(step._replace(octave=self._frame))

    def say(self, line):
        """Print a line, with the frame that it is about, unless a frame before has said so."""
        about = line.partition(":")[0]
        if about not in self._said:
            self._said.add(about)
            self._progress.say(f"frame {self._frame}: {line}" if self._frame else line)

    @property
    def left(self):
        """Whether the film is to be left."""
        return self._progress.left

    def skip(self, pixels):
        """Do nothing: a frame begins at its beginning."""
