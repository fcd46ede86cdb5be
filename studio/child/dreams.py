"""A whole dream: begun or gone on with, written, and cut into tiles to be looked at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from dreamlib.config import save_config
from dreamlib.errors import DreamError
from dreamlib.imaging.vips import deep_zoom
from dreamlib.imaging.window import Window
from dreamlib.jobs.prepare import prepare
from dreamlib.jobs.run import run
from dreamlib.settings import Settings
from dreamlib.tiling.work_folder import JOURNAL, LOCK
from dreamlib.util.progress import Left

from .pictures import small_copies

#: Shares of the whole work: before the first step, the steps, writing; the rest is for tiles.
READING, DREAMING, WRITING = 0.01, 0.95, 0.02

#: Seconds to wait for a predecessor that is being ended to let go of the work folder.
PATIENCE = 30


def dream(order, say, leave):
    """Dream a picture, or go on with what lies in the work folder.

    Parameters
    ----------
    order : dict
        source, output, folder, values (settings), names (of the library's pictures among them),
        gpu, preview (minutes).
    say : callable
    leave : threading.Event

    Returns
    -------
    dict
        ``left`` where it was left; else ``width`` and ``height``.
    """
    output, folder = Path(order["output"]), Path(order["folder"])
    work = folder / "work"
    if not output.exists():
        work.mkdir(exist_ok=True)
        with alone_in(work):
            pass  # the work folder has the same lock
        say(phase="reading")  # a dream that is gone on with has its share already
        try:
            job = prepare(order["source"], output, _settings(order, work))
            job = job._replace(recorded=named(job.recorded, order["names"]))
            save_config(folder / "settings.toml", job.recorded)
            if leave.is_set():
                raise Left
            run(job, _listener(say, leave))
        except Left:
            return {"left": True}
        del job
    say(phase="tiles for the viewer", share=READING + DREAMING + WRITING)
    region = order["values"].get("region")
    if region:
        left, top, width, height = (int(part) for part in region.split(","))
        region = Window(top, left, height, width)
    size = deep_zoom(str(output), str(folder / "after.dzi"))
    if not order["source"].startswith("noise:"):
        deep_zoom(order["source"], str(folder / "before.dzi"), region)
    small_copies(output, folder)
    return {"width": size[0], "height": size[1]}


def _settings(order, work):
    """Return the settings to begin with; a dream that is gone on with has its own."""
    own = {"work_dir": str(work), "quiet": True, "preview": order["preview"]}
    if (work / JOURNAL).exists():
        return Settings(resume=True, **own)
    return Settings(**order["values"], **own, gpu=order["gpu"])


def named(settings, names):
    """Return settings that call pictures of the library by their names, for those who read them."""
    changes = {}
    for knob, name in names.items():
        if getattr(settings, knob):
            changes[knob] = name
    return settings.replace(**changes)


def _listener(say, leave):
    def listener(report):
        written = report.share >= 1
        say(
            phase="writing" if written else "dreaming",
            share=READING + DREAMING * report.share,
            octave=report.octave,
            octaves=report.octaves,
            seconds_left=report.seconds_left,
        )
        # What is dreamt to its end is written: that is soon done, and it is what everybody wants.
        return leave.is_set() and not written

    return listener


@contextlib.contextmanager
def alone_in(work):
    """Wait until nobody else is at work in a folder, and keep others out of it."""
    handle = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        for _ in range(PATIENCE * 2):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise DreamError("another process is still dreaming this; wait for it, then retry")
        yield
    finally:
        os.close(handle)
