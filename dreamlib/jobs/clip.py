"""Clips dreamt: every frame with the detail of the one before, carried along the motion.

Frames are kept as PNG in a work folder beside the output until the film is written, so that an
interrupted dream is resumed from the last whole one.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from dreamlib.config import to_toml
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Picture
from dreamlib.imaging.pillow_io import load_picture
from dreamlib.jobs.film_output import counted_by, writing
from dreamlib.jobs.frames import FrameRenderer, Result
from dreamlib.jobs.prepare import with_seed
from dreamlib.jobs.resume import fingerprints, refuse_changes, resumed
from dreamlib.settings import refuse_inapplicable
from dreamlib.util.profiling import phase
from dreamlib.util.progress import Progress
from dreamlib.video.clip import mux, open_clip
from dreamlib.video.encode import check_film
from dreamlib.video.frame_folder import FrameFolder
from dreamlib.video.optical_flow import DetailCarrier


def run_clip(source, output, settings):
    """Dream a clip and write it with its sound.

    Parameters
    ----------
    source : str
        Whatever ffmpeg reads.
    output : str or None
        ``.mp4``, ``.webm``, ``.gif`` or ``.webp``; by default ``STEM_dream.mp4`` in the current
        folder.
    settings : Settings

    Returns
    -------
    dreamlib.jobs.frames.Result

    Raises
    ------
    DreamError
    """
    output = Path(output or f"{Path(source).stem}_dream.mp4")
    refuse_inapplicable(settings, "clip")
    clip = open_clip(source)
    if output.exists() and output.samefile(clip.path):
        raise DreamError(f"{output} is the input; name another output")
    check_film(output, clip.fps)
    reel = FrameFolder(f"{output}.work", resume=settings.resume)
    settings = with_seed(resumed(settings, reel) if reel.record else settings)
    count, blank = clip.frames, Picture(np.zeros((*clip.size, 3), np.uint8))
    take = FrameRenderer(settings, blank, count)
    record = {
        "settings": take.settings.recorded(),
        "files": fingerprints(source, take.network.published, take.settings),
    }
    if reel.record:
        refuse_changes(reel, record)
    else:
        reel.begin(record)
    begin, done = time.monotonic(), min(reel.whole(), count)
    interrupted = not _dream_frames(clip, reel, take, blank, done, count)
    if not interrupted:
        frames = reel.frames()[:count]
        phase("film")
        with writing(output, count, settings) as progress:
            interrupted = not mux(frames, output, clip, settings.quality, counted_by(progress))
    frames = reel.whole()
    if not interrupted:
        shutil.rmtree(reel.path)
    device = "CPU" if settings.gpu is None else f"GPU {settings.gpu}"
    seconds = time.monotonic() - begin
    return Result(output, frames, [], take.settings, device, seconds, interrupted)


def _dream_frames(clip, reel, take, blank, done, count):
    """Dream the frames from `done` on; tell whether all are there."""
    settings = take.settings
    text = to_toml(settings)
    carrier = DetailCarrier(settings.carry)
    with Progress(*take.work(blank, done), settings.quiet, parts=("frame", count)) as progress:
        if done == count:
            return True
        pictures = clip.frames_from(max(0, done - 1))
        if done:
            dreamt = load_picture(str(reel.frames()[done - 1])).pixels
            carrier = DetailCarrier.restore(next(pictures), dreamt, settings.carry)
        phase("motion")
        for frame, picture in enumerate(pictures, done):
            levels = take.dream(Picture(carrier.begin(picture)), frame, progress)
            if levels is None:
                return False
            reel.add(frame, levels, text)
            phase("motion")
            carrier.finish(picture, levels)
    return True
