"""A whole dream: begun or resumed, written, and cut into tiles to be looked at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from dreamlib import (
    DreamError,
    Left,
    Settings,
    Window,
    deep_zoom,
    prepare,
    run_job,
    save_config,
    unfinished,
)
from studio.child.pictures import small_copies

#: Shares of the whole work: before the first step, the steps, writing; the rest is for tiles.
READING, DREAMING, WRITING = 0.01, 0.95, 0.02

#: Seconds to wait for a predecessor that is being ended to release the folder, and between looks.
PATIENCE, LOOK = 30, 0.1


def dream(order, say, leave):
    """Dream a picture, or resume what lies in the work folder.

    Parameters
    ----------
    order : dict
        source, output, folder, values (settings), names (of the library's pictures among them),
        gpu, preview (minutes).
    say : callable
        Reports its keyword arguments to the parent.
    leave : threading.Event
        Set where the dream is to be left.

    Returns
    -------
    dict
        ``left`` where it was left; else ``width`` and ``height``.

    Raises
    ------
    DreamError
        What `dreamlib.prepare` or `dreamlib.run_job` refuses, or another is still dreaming it.
    """
    output, folder = Path(order["output"]), Path(order["folder"])
    with alone_in(folder):
        if not output.exists():
            say(phase="reading")  # a resumed dream has its share already
            try:
                _dream(order, say, leave)
            except Left:
                return {"left": True}
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


def _dream(order, say, leave):
    folder = Path(order["folder"])
    work = folder / "work"
    work.mkdir(exist_ok=True)
    job = prepare(order["source"], order["output"], _settings(order, work))
    job = job._replace(recorded=named(job.recorded, order["names"]))
    save_config(folder / "settings.toml", job.recorded)
    if leave.is_set():
        raise Left
    run_job(job, _listener(say, leave))


def _settings(order, work):
    """Return the settings to begin with; a resumed dream has its own."""
    own = {"work_dir": str(work), "quiet": True, "preview": order["preview"],
           "cluster": order["cluster"]}  # fmt: skip
    if unfinished(work):
        return Settings(resume=True, **own)
    return Settings(**order["values"], **own, gpu=order["gpu"])


def named(settings, names):
    """Return settings that call pictures of the library by their names, for those who read them.

    Parameters
    ----------
    settings : Settings
    names : dict
        Setting -> name.

    Returns
    -------
    Settings
    """
    given = {setting: name for setting, name in names.items() if getattr(settings, setting)}
    return settings.replace(**given)


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
        # A dream whose steps are done is written, which is soon done.
        return leave.is_set() and not written

    return listener


@contextlib.contextmanager
def alone_in(folder):
    """Wait until nobody else is at work in a dream's folder, and keep others out of it.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    DreamError
        Somebody else still is after `PATIENCE` seconds.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _locked(handle):
            if time.monotonic() > deadline:
                raise DreamError("another process is still dreaming this; wait for it, then retry")
            time.sleep(LOOK)
        yield
    finally:
        os.close(handle)


def _locked(handle):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
