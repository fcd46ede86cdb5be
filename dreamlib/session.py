"""One dream from file to file, once everything about it is settled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import files, images
from .aims import objective_of
from .canvas import Canvas, Window
from .checkpoint import InMemory
from .configuration import to_toml
from .crew import Alone, Crew
from .dreamer import Dreamer
from .encoding import Encoding
from .octaves import STRIP, Stored, strips
from .painter import make_painter
from .preparation import prepare
from .preview import Preview
from .progress import Progress
from .vips import RawFile


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


def run(job):
    """Dream what `dreamlib.preparation.prepare` has settled.

    Parameters
    ----------
    job : dreamlib.preparation.Job

    Returns
    -------
    Result

    Raises
    ------
    DreamError
        What only shows on the way: a disk that fills up, a device that fails.
    """
    settings = job.settings
    painter = make_painter(
        job.net, settings.storage, settings.end, settings.step_size, settings.clip,
        objective_of(job.net, settings), settings.tile_steps,
    )  # fmt: skip
    store = job.folder or InMemory(settings.storage, job.wrap)
    passes = -(-settings.iterations // settings.tile_steps)
    shapes = [frame[2:] for frame in job.frames]
    source = _source(job, store, painter.encoding.rule)
    preview = Preview(job.output, settings.preview, painter.encoding) if settings.preview else None
    crew = Alone(painter)
    if settings.devices:
        crew = Crew(settings.devices, job.model, settings, shapes)
    begin = time.monotonic()
    with crew, Progress(shapes, passes, settings.quiet) as progress:
        dreamer = Dreamer(
            source, job.sizes, job.frames, job.closed, settings, painter.encoding, crew, store,
            progress, preview,
        )  # fmt: skip
        canvas = dreamer.run()
    seconds = time.monotonic() - begin
    del dreamer, source
    if isinstance(store, InMemory):
        _make_room(job, store)
    text = to_toml(job.recorded)
    if progress.interrupted:
        share = 100 * progress.done / progress.total
        text = f"# ended early, after {share:.0f} % of the steps\n" + text
    embedded = _write(job, canvas, painter.encoding, text)
    folder = None
    if job.folder and progress.interrupted:
        folder = job.folder.path
        job.folder.close()
    elif job.folder:
        job.folder.remove()
    device = settings.devices or ("CPU" if settings.gpu is None else f"GPU {settings.gpu}")
    return Result(
        Path(job.output), settings, device, seconds, progress.interrupted, embedded, folder
    )


def _make_room(job, store):
    """Give up what the dream needed, before the picture is written."""
    store.close()
    if isinstance(job.picture, images.Picture):
        job.picture.pixels = None


def _source(job, store, rule):
    """Put the undreamt picture where the octaves are made from it."""
    picture = job.picture
    size = (picture.height, picture.width)
    if isinstance(store, InMemory) and isinstance(picture, images.Picture):
        return Stored(Canvas.of(picture.pixels, job.wrap), Encoding(rule, np.uint8))
    dtype = np.dtype(np.uint8 if picture.dtype == np.uint8 else np.uint16)
    if not store.has("source"):
        canvas = store.new_canvas("source", size, dtype)
        for top, rows in picture.strips(max(1, STRIP // size[1])):
            if rows.dtype != dtype:  # floating point, from 0 to 255
                rows = np.rint(rows * 257).astype(dtype)
            canvas.write(Window(top, 0, *rows.shape[:2]), rows)
        store.complete("source")
    return Stored(store.canvas("source", size, dtype), Encoding(rule, dtype))


def _write(job, canvas, encoding, text):
    """Write the dreamt picture, or the region of it that was asked for."""
    like = job.picture
    deep = encoding.levels is None and job.deep
    if canvas.path and encoding.levels and not job.region:
        pixels = RawFile(canvas.path, *canvas.shape[:2], canvas.dtype)
    else:
        pixels = canvas.array()
    if encoding.levels is None:  # the network's own values: turn them into levels where they lie
        pixels = pixels if pixels.flags.writeable else np.array(pixels)
        for top, bottom in strips(*pixels.shape[:2]):
            pixels[top:bottom] = encoding.as_levels(pixels[top:bottom])
    if job.region:
        frame = job.frames[-1]
        top, left = job.region.top - frame.top, job.region.left - frame.left
        pixels = pixels[top : top + job.region.height, left : left + job.region.width]
        like = like.cropped(job.region)
    settings = job.settings
    return files.save_picture(job.output, pixels, text, like, settings.quality, settings.tiff, deep)
