"""One dream from file to file, once everything about it is resolved."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging import open_save as files
from dreamlib.imaging.alpha import shrunken_alpha
from dreamlib.imaging.picture import Picture, RawFile, Window, to_levels
from dreamlib.imaging.resample import STRIP, strips
from dreamlib.jobs.growth import SIDE, growing
from dreamlib.jobs.outputs import EARLY, check_free
from dreamlib.settings import to_toml
from dreamlib.tiling.canvas import FINISHED, SOURCE, Canvas, InMemory
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.octave_loop import OctaveLoop, drained
from dreamlib.tiling.pyramid import Stored
from dreamlib.tiling.quantize import Quantizer
from dreamlib.tiling.stepper import Stepper
from dreamlib.util.progress import Left, Progress, phase, profile

#: Name of the canvas that holds the whole grey levels of a float32 dream while they are written.
LEVELS = "levels"


class NothingMoved(DreamError):
    """No step of a dream had a gradient."""


class Result(NamedTuple):
    """What became of a dream."""

    path: Path  #: of the written picture
    settings: object  #: with everything that was left open now chosen
    device: str
    seconds: float  #: from the first step to the last
    interrupted: bool  #: whether Ctrl-C ended it early
    embedded: bool  #: whether the picture carries its settings
    work_folder: Path | None  #: where an interrupted dream can be resumed


@profile
def run(job, listener=None):
    """Dream a job and write the picture.

    Parameters
    ----------
    job : dreamlib.jobs.resolve.Job
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
    store = job.folder or memory_of(job)
    begin = time.monotonic()
    # Progress still hears Ctrl-C while the picture is written: it is not lost at the very end.
    with Progress(*work(job.dream), settings.quiet, listener=listener) as progress:
        for note in job.picture.metadata.notes:
            progress.say(note)
        try:
            canvas, quantizer = drained(dreaming(job, store, progress))
        except Left:
            if job.folder:
                job.folder.close()  # for whoever resumes it
            raise
        except NothingMoved:
            if job.folder:  # there is nothing in it to resume
                job.folder.remove()
            raise
        except DreamError:
            if job.folder and job.folder.is_new and not settings.resume:
                job.folder.remove()
            raise
        seconds = time.monotonic() - begin
        phase("writing")
        interrupted = progress.interrupted
        if isinstance(store, InMemory):
            _make_room(job, store)
        text = to_toml(job.recorded)
        if interrupted:
            share = 100 * progress.done / progress.total
            text = f"{EARLY}, after {share:.0f} % of the steps\n{text}"
        embedded = _write(job, canvas, quantizer, text, interrupted)
    folder = None
    if job.folder and interrupted:
        folder = job.folder.path
        job.folder.close()
    elif job.folder:
        job.folder.remove()
    own = "CPU" if settings.gpu is None else f"GPU {settings.gpu}"
    device = settings.devices or settings.cluster or own
    return Result(Path(job.output), settings, device, seconds, interrupted, embedded, folder)


def dream_levels(job, progress, must_move=True):
    """Dream a job in RAM, and write nothing.

    Parameters
    ----------
    job : dreamlib.jobs.resolve.Job
        Without a folder.
    progress : dreamlib.util.progress.Progress
    must_move : bool
        Whether a dream of which no step has a gradient is refused, or only told of.

    Returns
    -------
    (H, W, 3) ndarray of float32
        RGB, 0 to 255 unless the dream ran without clipping.
    """
    canvas, quantizer = drained(dreaming(job, memory_of(job), progress, must_move))
    return quantizer.as_levels(canvas.array())


def memory_of(job):
    """Make the store of a dream without a work folder: in RAM, or on the GPU that computes it.

    Parameters
    ----------
    job : dreamlib.jobs.resolve.Job

    Returns
    -------
    dreamlib.tiling.canvas.InMemory
    """
    make = Canvas
    if job.demand.on_gpu:
        from dreamlib.pycaffe.device import current_device
        from dreamlib.tiling.tensor_canvas import TensorCanvas

        make = partial(TensorCanvas, device=current_device())
    return InMemory(job.dream.storage, job.dream.wrap, make)


def work(dream):
    """Return what `Progress` counts: the sizes that steps are taken on, and the passes on each.

    Parameters
    ----------
    dream : dreamlib.tiling.octaves.Dream

    Returns
    -------
    (list of (height, width), list of int)
    """
    sizes = [octave.window[2:] for octave in dream.octaves]
    return sizes, [dream.passes(number) for number in range(len(sizes))]


def dreaming(job, store, progress, must_move=True):
    """Dream a job, pass by pass.

    Parameters
    ----------
    job : dreamlib.jobs.resolve.Job
    store : dreamlib.tiling.canvas.InMemory or dreamlib.tiling.work_folder.WorkFolder
    progress : dreamlib.util.progress.Progress
        Or its like.
    must_move : bool
        As for `dream_levels`.

    Yields
    ------
    canvas, quantizer, octave, passes
        As `dreamlib.tiling.octave_loop.OctaveLoop.passes`.

    Returns
    -------
    canvas, quantizer
        Of the dream.
    """
    stepper = Stepper(job.network.net, job.dream, job.network.judges)
    source = _source(job, store, stepper.quantizer.rule)
    alpha, last = None, job.dream.octaves[-1]
    if job.settings.growth or job.settings.preview:  # which are laid on white
        part = last.window if job.region else Window(0, 0, job.picture.height, job.picture.width)
        alpha = shrunken_alpha(job.picture, SIDE, part)
    with growing(job.settings, last.size, stepper.quantizer, alpha) as growth:
        watching = [growth] if growth else []
        if job.settings.preview:
            from dreamlib.tiling.preview import Preview

            minutes = job.settings.preview
            watching.append(Preview(job.output, minutes, stepper.quantizer, progress.say, alpha))
        if must_move:  # not of every frame
            for line in job.notices:
                progress.say(line)
        with _workers(job, stepper, progress) as workers:
            loop = OctaveLoop(
                source, job.dream, stepper.quantizer, workers, store, progress, watching
            )
            canvas = yield from loop.passes()
        if loop.still:
            _tell_of_still(job, loop, progress, must_move)
        if job.dream.finish.is_on:
            canvas = _finished(job, store, stepper.quantizer, canvas, source)
        if growth:
            phase("film")
            if loop.resumed:
                progress.say(f"{job.settings.growth} shows the dream from where it was resumed")
            growth.finish(canvas, progress.say)
    return canvas, stepper.quantizer


def _tell_of_still(job, loop, progress, must_move):
    """Say how many steps had no gradient; refuse to call it a dream where none had any."""
    layers = dict.fromkeys(octave.objective.end for octave in job.dream.octaves if octave.steps)
    what = f"no gradient of {' or '.join(map(repr, layers))} reaches the picture"
    if loop.still < loop.taken or loop.resumed or not must_move:
        progress.say(f"{loop.still} of {loop.taken} steps moved nothing: there {what}")
        return
    raise NothingMoved(
        f"{what}: not one of {loop.taken} steps moved it, and nothing was written. Something below "
        "lets nothing through (a ReLU of what is never positive, weights of zeros); dream another "
        "layer (--list-layers), or begin with another picture"
    )


def _workers(job, stepper, progress):
    """Return who takes the steps: this process, others, or a cluster."""
    settings, folder = job.settings, job.folder
    if not settings.devices and not settings.cluster:
        return InProcess(stepper)
    from dreamlib.cluster.workers import Workers

    phase("workers")
    return Workers(job.dream, settings.devices, settings.cluster, folder.path, progress.say)


def _finished(job, store, quantizer, canvas, source):
    """Mix the result with the undreamt picture, onto a canvas of its own."""
    from dreamlib.tiling.finish import apply_finish

    last = job.dream.octaves[-1]
    finished = store.new_canvas(FINISHED, last.window[2:])
    apply_finish(job.dream.finish, canvas, finished, quantizer, source, last.window, last.size)
    store.complete(FINISHED)
    return store.canvas(FINISHED, last.window[2:])


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
    deep = picture.dtype == np.uint16
    if isinstance(store, InMemory) and isinstance(picture, Picture) and not deep:
        return Stored(Canvas.of(picture.pixels, job.dream.wrap), Quantizer(rule, np.uint8))
    dtype = np.dtype(np.uint8 if picture.dtype == np.uint8 else np.uint16)
    if not store.has(SOURCE):
        canvas = store.new_canvas(SOURCE, size, dtype)
        for top, rows in picture.strips(max(1, STRIP // size[1])):
            if rows.dtype != dtype:  # floating point, from 0 to 255
                rows = to_levels(rows, dtype, 257)
            canvas.write(Window(top, 0, *rows.shape[:2]), rows)
        store.complete(SOURCE)
    return Stored(store.canvas(SOURCE, size, dtype), Quantizer(rule, dtype))


def _write(job, canvas, quantizer, text, interrupted):
    """Write the dreamt picture; where that fails, the dream is kept elsewhere."""
    if job.folder and not interrupted:
        job.folder.drop_back_buffer()
    pixels = _levels(job, canvas, quantizer)
    try:
        check_free(job.output, job.settings.overwrite)  # hours have gone by
        embedded = _save(job, pixels, text)
    except DreamError as error:
        if job.folder:
            where = job.folder.path
            job.folder.close()
            raise DreamError(
                f"{error}. Mend that, then resume with --resume --work-dir {where}"
            ) from error
        rescued = _rescue(job, pixels, text)
        if rescued is None:
            raise
        raise DreamError(f"{error}. The picture was saved as {rescued} instead") from error
    if job.folder:
        job.folder.drop(LEVELS)
    return embedded


def _levels(job, canvas, quantizer):
    """Return the dreamt picture, or the region that was asked for, in grey levels.

    An array; or the `RawFile` of what lies in the work folder, which RAM may not hold.
    """
    part = Window(0, 0, *canvas.shape[:2])
    if job.region:
        window = job.dream.octaves[-1].window
        part = job.region._replace(
            top=job.region.top - window.top, left=job.region.left - window.left
        )
    if quantizer.levels is None and canvas.path:
        canvas = _rounded(job, canvas, quantizer, part)
        part = Window(0, 0, *canvas.shape[:2])
    if canvas.path and part[2:] == canvas.shape[:2]:
        return RawFile(canvas.path, *canvas.shape[:2], canvas.dtype)
    pixels = canvas.array()
    if quantizer.levels is None and not canvas.path:
        # The network's own values become levels where they lie.
        for top, bottom in strips(*pixels.shape[:2]):
            pixels[top:bottom] = quantizer.as_levels(pixels[top:bottom])
    return pixels[part.top : part.top + part.height, part.left : part.left + part.width]


def _rounded(job, canvas, quantizer, part):
    """Round a part of a canvas of the network's values to levels, on another in the work folder."""
    dtype, factor = (np.uint16, 257) if job.deep else (np.uint8, 1)
    rounded = job.folder.new_canvas(LEVELS, part[2:], dtype)
    for top, bottom in strips(*part[2:]):
        there = Window(part.top + top, part.left, bottom - top, part.width)
        rows = to_levels(quantizer.as_levels(canvas.read(there)), dtype, factor)
        rounded.write(Window(top, 0, bottom - top, part.width), rows)
    job.folder.complete(LEVELS)
    return job.folder.canvas(LEVELS, part[2:], dtype)


def _save(job, pixels, text):
    like = job.picture.cropped(job.region) if job.region and job.picture else job.picture
    quality, tiff = job.settings.quality, job.settings.tiff
    return files.save_picture(job.output, pixels, text, like, quality, tiff, job.deep)


def _rescue(job, pixels, text):
    """Save a picture, in which there may be hours, among the system's temporary files.

    Returns its path; None where it cannot be saved there either.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="dreamlib-"))
    except OSError:
        return None
    for name, like in ((Path(job.output).name, job.picture), ("dream.png", None)):
        try:  # what the input had, or the name, may be what is wrong
            _save(job._replace(output=str(folder / name), picture=like), pixels, text)
        except DreamError:
            continue
        return folder / name
    shutil.rmtree(folder)
    return None
