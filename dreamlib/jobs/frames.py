"""Endless dreams: dream, distort, dream again; numbered frames, and films of them.

The notebook's last cells did so with a zoom. Frame 0 is the dream of the picture, each further one
that of the frame before, distorted. A film that is interrupted goes on from its last whole frame
and becomes the same: random numbers follow from the seed and the frame's number, and the frame is
kept as it was before it was rounded.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.config import to_toml
from dreamlib.errors import DreamError
from dreamlib.imaging import color
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.imaging.resample import octave_sizes
from dreamlib.jobs.film_output import make_films, wanted_films
from dreamlib.jobs.keyframes import absolute_variations, parse_variations, settings_at
from dreamlib.jobs.prepare import open_network, settle, with_seed
from dreamlib.jobs.resume import fingerprints, refuse_changes, resumed
from dreamlib.jobs.run import dream_levels, work
from dreamlib.jobs.script import choose_script
from dreamlib.settings import refuse_inapplicable
from dreamlib.util.profiling import phase
from dreamlib.util.progress import Progress
from dreamlib.video.distort import parse_chain
from dreamlib.video.frame_folder import FrameFolder

#: The notebook's.
DISTORTION = "zoom:0.05"

#: Frame whose brightness and contrast are kept: the first, but a film from noise has to find its
#: own first.
FIRST, FROM_NOISE = 0, 10


class Result(NamedTuple):
    """What became of a film."""

    path: Path  #: the folder of the frames, or the clip
    frames: int  #: that are there now
    films: list  #: paths that were assembled
    settings: object
    device: str
    seconds: float
    interrupted: bool


class FrameRenderer:
    """Dreams frame after frame with one network.

    Parameters
    ----------
    settings : Settings
        With a seed.
    picture : picture
        The first.
    count : int
        Frames of the film.

    Attributes
    ----------
    settings : Settings
        What repeats the film: paths are absolute, and what memory decided is written down.
    """

    def __init__(self, settings, picture, count):
        self._variations, self._count = parse_variations(settings.vary), count
        settings = settings.replace(resume=False)  # the film is gone on with, not a frame's dream
        way, picture = choose_script(self._at(settings, 0), picture)
        self.network = open_network(way)
        job = settle(self.network, picture, way, "0000.png")
        if not job.demand.in_ram:
            raise DreamError(
                f"frames of {picture.width} x {picture.height} pixels take "
                f"{(job.demand.ram + job.demand.canvases) / (1 << 30):.2f}G of memory, more than "
                "there is; films are made in RAM: take a smaller picture, or allow more --memory"
            )
        chosen = ["model", "engine", "mask"]
        given = ("guide", "guide_layer", "target", "script")
        chosen += [name for name in given if getattr(settings, name)]
        if not job.settings.script:
            chosen += ["schedule", "tile_size", "overlap"]
        kept = {name: getattr(job.recorded, name) for name in chosen}
        if settings.vary:
            kept["vary"] = absolute_variations(settings.vary)
        self.settings = settings.replace(**kept)
        for frame in range(1, count):
            if self._turns(frame):
                self._job(picture, frame)  # refuses what would be met in hours

    def work(self, picture, begin):
        """Return what `Progress` counts: sizes and steps, of the frames from `begin` on.

        Parameters
        ----------
        picture : picture
        begin : int
            Number of the first frame that is left.
        """
        sizes, counts = [], []
        job = self._job(picture, 0)
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
                shapes, steps = work(job.dream)
                sizes += shapes
                counts += steps
        return sizes, counts

    def dream(self, picture, frame, progress):
        """Dream a frame: (H, W, 3) float32, levels; None where it was interrupted.

        Parameters
        ----------
        picture : picture
        frame : int
        progress : Progress
        """
        levels = dream_levels(self._job(picture, frame), _Part(progress, frame))
        return None if progress.interrupted else levels

    def _job(self, picture, frame):
        settings = self._at(self.settings, frame)
        if frame:
            state = np.random.SeedSequence([self.settings.seed, frame]).generate_state(1)
            settings = settings.replace(seed=int(state[0]))
        settings, picture = choose_script(settings, picture)
        return settle(self.network, picture, settings, f"{frame:04d}.png")

    def _at(self, settings, frame):
        return settings_at(settings, self._variations, frame, self._count)

    def _turns(self, frame):
        """Tell whether a frame has values that none before it had, but for those between ends."""
        turns = [len(one.text.split("|")) for one in self._variations]
        return frame < max(turns, default=0) or (bool(turns) and frame == self._count - 1)


class _Part:
    """What the dream of one frame tells its progress to, as part of the film's."""

    def __init__(self, progress, frame):
        self._progress, self._frame = progress, frame

    def __call__(self, step):
        return self._progress(step._replace(octave=self._frame))

    @property
    def left(self):
        """Whether the film is to be left."""
        return self._progress.left

    def skip(self, pixels):
        """Do nothing: a frame begins at its beginning."""


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
    """
    stem = "noise" if source.startswith("noise:") else Path(source).stem
    refuse_inapplicable(settings, "frames")
    films = wanted_films(settings)
    reel = FrameFolder(output or f"{stem}_frames", f".{settings.frame_format}", settings.resume)
    settings = with_seed(resumed(settings, reel) if reel.record else settings)
    chain = parse_chain(settings.distort or DISTORTION, settings.seed, settings.distort_every or 1)
    phase("reading")
    picture = open_picture(source, settings.seed, "")
    if not isinstance(picture, Noise):
        picture = Picture(levels_of(picture), metadata=picture.metadata)
    take = FrameRenderer(settings, picture, settings.frames)
    _begin(reel, take, source, settings)
    number, levels = reel.last()
    text = to_toml(take.settings)
    tone_at = FROM_NOISE if source.startswith("noise:") else FIRST
    tone = reel.record.get("tone")
    tone = tone and color.Statistics(*map(np.asarray, tone))
    begin, count = time.monotonic(), settings.frames
    steps, left = take.work(picture, 0), take.work(picture, number + 1)
    with Progress(*steps, settings.quiet, None, ("frame", count), listener) as progress:
        progress.skip(progress.total - Progress(*left).total)
        for frame in range(number + 1, count):
            if levels is not None:
                phase("distortion")
                chain.apply(levels, frame - 1)
            current = picture if levels is None else Picture(levels)
            levels = take.dream(current, frame, progress)
            if levels is None:
                break
            if settings.keep_tone and settings.clip:
                np.clip(levels, 0, 255, out=levels)
            if settings.keep_tone and tone:
                color.match(levels, tone)
            elif settings.keep_tone and frame == tone_at:
                tone = color.measure(levels)
                reel.note({**reel.record, "tone": [list(part) for part in tone]})
            reel.add(frame, levels, text, picture.metadata.icc_profile, settings.quality)
            reel.keep(frame, levels)
        interrupted = progress.interrupted
    made = [] if interrupted else make_films(reel.frames()[:count], films, settings)
    device = "CPU" if settings.gpu is None else f"GPU {settings.gpu}"
    return Result(
        reel.path, reel.whole(), made or [], take.settings, device, time.monotonic() - begin,
        interrupted or made is None,
    )  # fmt: skip


def _begin(reel, take, source, settings):
    """Note what a new film is made of; refuse to go on with another one."""
    record = {
        "settings": take.settings.recorded(),
        "frames": settings.frames,
        "files": fingerprints(source, take.network.published, take.settings),
    }
    if not reel.record:
        reel.begin(record)
        return
    refuse_changes(reel, record)
    if ".." in (settings.vary or "") and settings.frames != reel.record["frames"]:
        raise DreamError(
            f"--vary runs over {reel.record['frames']} frames in {reel.path}, and --frames is "
            f"{settings.frames} now; go on with as many, or begin anew in another folder"
        )


def levels_of(picture):
    """Read a picture: (H, W, 3) ndarray, uint8 or float32 from 0 to 255.

    Parameters
    ----------
    picture : picture
        See `dreamlib.imaging.picture`.
    """
    pixels = np.concatenate([rows for _, rows in picture.strips(max(1, picture.height))])
    return np.float32(pixels) / np.float32(257) if pixels.dtype == np.uint16 else pixels
