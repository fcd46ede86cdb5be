"""One dream from file to file, once everything about it is settled."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objective_builder import objective_of
from dreamlib.ascent.regularizers import Looks
from dreamlib.config import to_toml
from dreamlib.errors import DreamError
from dreamlib.imaging import open_save as files
from dreamlib.imaging.picture import Picture, RawFile, to_levels
from dreamlib.imaging.resample import STRIP, Stored, strips
from dreamlib.imaging.window import Window
from dreamlib.jobs import drawing
from dreamlib.jobs.prepare import prepare
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import Dreamer
from dreamlib.tiling.preview import Preview
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.stepper import make_painter
from dreamlib.tiling.work_folder import InMemory
from dreamlib.tiling.workers import Alone, Crew
from dreamlib.util.profiling import phase, profile
from dreamlib.util.progress import Left, Progress

#: Name of the canvas that holds the whole grey levels of a float32 dream while they are written.
LEVELS = "levels"


class Result(NamedTuple):
    """What became of a dream."""

    path: Path  #: of the written picture
    settings: object  #: with everything that was left open now chosen
    device: str
    seconds: float  #: from the first step to the last
    interrupted: bool  #: whether Ctrl-C ended it early
    embedded: bool  #: whether the picture carries its settings
    work_folder: Path | None  #: where an interrupted dream can be gone on with


def run_dream(source, output, settings):
    """Dream a picture and write it: `prepare` and `run`."""
    return run(prepare(source, output, settings))


@profile
def run(job, listener=None):
    """Dream what `dreamlib.jobs.prepare.prepare` has settled.

    Parameters
    ----------
    job : dreamlib.jobs.prepare.Job
    listener : callable, optional
        Given a `dreamlib.util.progress.Report` at most twice a second; where it returns True the
        dream is left: its work folder stays, and nothing is written.

    Returns
    -------
    Result

    Raises
    ------
    DreamError
        What only shows on the way: a disk that fills up, a device that fails.
    dreamlib.util.progress.Left
        The listener wanted it.
    """
    settings = job.settings
    # A drawing keeps what it needs to be gone on with by itself.
    store = job.folder if job.folder and not job.script else InMemory(settings.storage, job.wrap)
    begin = time.monotonic()
    # Progress goes on to hear Ctrl-C while the picture is written: it is not lost at the very end.
    with Progress(*work(job), settings.quiet, listener=listener) as progress:
        with _letting_go(job):
            canvas, encoding = _dream(job, store, progress)
        seconds = time.monotonic() - begin
        phase("writing")
        interrupted = progress.interrupted
        if isinstance(store, InMemory):
            _make_room(job, store)
        text = to_toml(job.recorded)
        if interrupted:
            share = 100 * progress.done / progress.total
            text = f"# ended early, after {share:.0f} % of the steps\n" + text
        embedded = _write(job, canvas, encoding, text, interrupted)
    folder = None
    if job.folder and interrupted:
        folder = job.folder.path
        job.folder.close()
    elif job.folder:
        job.folder.remove()
    device = settings.devices or ("CPU" if settings.gpu is None else f"GPU {settings.gpu}")
    return Result(Path(job.output), settings, device, seconds, interrupted, embedded, folder)


@contextlib.contextmanager
def _letting_go(job):
    """Close the work folder of a dream that is left, for whoever goes on with it."""
    try:
        yield
    except Left:
        if job.folder:
            job.folder.close()
        raise


def dream_levels(job, progress):
    """Dream a job in RAM, and write nothing.

    Parameters
    ----------
    job : dreamlib.jobs.prepare.Job
        Without a folder.
    progress : dreamlib.util.progress.Progress

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB, 0 to 255 unless the dream ran without clipping.
    """
    canvas, encoding = _dream(job, InMemory(job.settings.storage, job.wrap), progress)
    return encoding.as_levels(canvas.array())


def _dream(job, store, progress):
    """Dream a job: the canvas, and how the picture lies on it."""
    looks = Looks.of(job.settings)
    source = _source(job, store, Preprocessing.of(job.net))
    if job.script:
        canvas, encoding = drawing.draw(job, source, looks, progress)
    else:
        canvas, encoding = _paint(job, store, source, looks, progress)
    if progress.left:  # a drawing has ended early
        raise Left
    if looks.on_results:
        canvas = _finished(job, store, looks, encoding, canvas, source)
    return canvas, encoding


def work(job):
    """Return the sizes that steps are taken on, and how many steps on each."""
    if job.script:
        return drawing.work(job)
    passes = -(-job.settings.iterations // job.settings.tile_steps)
    return [frame[2:] for frame in job.frames], passes


def _paint(job, store, source, looks, progress):
    """Dream a job's octaves: the canvas, and how the picture lies on it."""
    settings = job.settings
    painter = make_painter(
        job.net, settings.storage, settings.end, settings.step_size, settings.clip,
        objective_of(job.net, job.model, settings), settings.tile_steps,
        looks if looks.on_steps else None,
    )  # fmt: skip
    crew = Alone(painter)
    if settings.devices:
        crew = Crew(settings.devices, job.model, settings, [frame[2:] for frame in job.frames])
    preview = None
    if settings.preview:
        preview = Preview(job.output, settings.preview, painter.encoding, progress.say)
    with crew:
        dreamer = Dreamer(
            source, job.sizes, job.frames, job.closed, settings, painter.encoding, crew, store,
            progress, preview,
        )  # fmt: skip
        return dreamer.run(), painter.encoding


def _finished(job, store, looks, encoding, canvas, source):
    """Bring back what the looks want of the undreamt picture, onto a canvas of its own."""
    size = job.picture.height, job.picture.width
    finished = store.new_canvas("finished", job.frames[-1][2:])
    looks.finish(canvas, finished, encoding, source.canvas, job.frames[-1], size)
    store.complete("finished")
    return store.canvas("finished", job.frames[-1][2:])


def _make_room(job, store):
    """Give up what the dream needed, before the picture is written."""
    store.close()
    if isinstance(job.picture, Picture):
        job.picture.pixels = None


@profile
def _source(job, store, rule):
    """Put the undreamt picture where the octaves are made from it."""
    phase("canvas")
    picture = job.picture
    size = (picture.height, picture.width)
    if isinstance(store, InMemory) and isinstance(picture, Picture):
        return Stored(Canvas.of(picture.pixels, job.wrap), Encoding(rule, np.uint8))
    dtype = np.dtype(np.uint8 if picture.dtype == np.uint8 else np.uint16)
    if not store.has("source"):
        canvas = store.new_canvas("source", size, dtype)
        for top, rows in picture.strips(max(1, STRIP // size[1])):
            if rows.dtype != dtype:  # floating point, from 0 to 255
                rows = to_levels(rows, dtype, 257)
            canvas.write(Window(top, 0, *rows.shape[:2]), rows)
        store.complete("source")
    return Stored(store.canvas("source", size, dtype), Encoding(rule, dtype))


def _write(job, canvas, encoding, text, interrupted):
    """Write the dreamt picture; where that fails, the dream is kept elsewhere."""
    if job.folder and not interrupted:
        job.folder.drop("shadow")
    pixels = _levels(job, canvas, encoding)
    try:
        embedded = _save(job, pixels, text)
    except DreamError as error:
        if job.folder:
            where = job.folder.path
            job.folder.close()
            raise DreamError(
                f"{error}. Mend that, then go on with --resume --work-dir {where}"
            ) from error
        rescued = _rescue(job, pixels, text)
        if rescued is None:
            raise
        raise DreamError(f"{error}. The picture was saved as {rescued} instead") from error
    if job.folder:
        job.folder.drop(LEVELS)
    return embedded


def _levels(job, canvas, encoding):
    """Return the dreamt picture, or the region that was asked for, in grey levels.

    An array; or the `RawFile` of what lies in the work folder, which RAM may not hold.
    """
    part = Window(0, 0, *canvas.shape[:2])
    if job.region:
        frame = job.frames[-1]
        part = job.region._replace(
            top=job.region.top - frame.top, left=job.region.left - frame.left
        )
    if encoding.levels is None and canvas.path:
        canvas = _rounded(job, canvas, encoding, part)
        part = Window(0, 0, *canvas.shape[:2])
    elif encoding.levels is None:  # the network's own values become levels where they lie
        pixels = canvas.array()
        for top, bottom in strips(*pixels.shape[:2]):
            pixels[top:bottom] = encoding.as_levels(pixels[top:bottom])
    if canvas.path and part[2:] == canvas.shape[:2]:
        return RawFile(canvas.path, *canvas.shape[:2], canvas.dtype)
    return canvas.array()[part.top : part.top + part.height, part.left : part.left + part.width]


def _rounded(job, canvas, encoding, part):
    """Round a part of a canvas of the network's values to levels, on another in the work folder."""
    dtype, factor = (np.uint16, 257) if job.deep else (np.uint8, 1)
    rounded = job.folder.new_canvas(LEVELS, part[2:], dtype)
    for top, bottom in strips(*part[2:]):
        there = Window(part.top + top, part.left, bottom - top, part.width)
        rows = encoding.as_levels(canvas.read(there))
        rows = to_levels(rows, dtype, factor)
        rounded.write(Window(top, 0, bottom - top, part.width), rows)
    job.folder.complete(LEVELS)
    return job.folder.canvas(LEVELS, part[2:], dtype)


def _save(job, pixels, text):
    like = job.picture.cropped(job.region) if job.region else job.picture
    settings = job.settings
    return files.save_picture(
        job.output, pixels, text, like, settings.quality, settings.tiff, job.deep
    )


def _rescue(job, pixels, text):
    """Save a picture, in which there may be hours, among the system's temporary files.

    Returns its path; None where it cannot be saved there either.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="dreamlib-"))
    except OSError:
        return None
    rescued = folder / Path(job.output).name
    try:
        _save(job._replace(output=str(rescued)), pixels, text)
    except DreamError:
        shutil.rmtree(folder)
        return None
    return rescued
