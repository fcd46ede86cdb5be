"""A whole film: its frames begun or resumed, its poster, the film made of them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from dreamlib import (
    BY_NAME,
    DEFAULT_FPS,
    Left,
    Settings,
    assemble_film,
    check_film,
    find_frames,
    load_picture,
    open_header,
    run_frames,
    save_picture,
    to_toml,
    unfinished,
    written_whole,
)
from studio.child.dreams import alone_in, named
from studio.child.pictures import save_small, small_copies
from studio.films import LAST_FRAME, settings_text
from studio.texts import check_texts

#: Shares of the whole work: before the first step, the steps; the rest is for the film.
READING, DREAMING = 0.01, 0.95

#: Longest side of a preview, in pixels.
PREVIEW = 1024

#: Seconds between two reports while frames are assembled.
REPORT_INTERVAL = 0.5


def film(order, say, leave):
    """Dream a film, or resume it after the frames that lie in the work folder.

    Parameters
    ----------
    order, say, leave
        As for `studio.child.dreams.dream`; the values have `frames`.

    Returns
    -------
    dict
        ``left`` where it was left; else ``width`` and ``height``.

    Raises
    ------
    DreamError
        What `studio.texts.check_texts` or dreamlib refuses, or another is still dreaming it.
    """
    output, folder, values = Path(order["output"]), Path(order["folder"]), order["values"]
    if not output.exists():  # which is made last
        check_texts(values)
        check_film(output, values.get("fps", DEFAULT_FPS))
        frames = folder / "work" / "frames"
        frames.parent.mkdir(exist_ok=True)
        with alone_in(folder):
            say(phase="reading")
            try:
                _make(order, frames, say, leave)
            except Left:
                return {"left": True}
    with open_header(folder / LAST_FRAME) as header:
        return {"width": header.width, "height": header.height}


def _make(order, frames, say, leave):
    """Dream the frames; make settings file, last frame, small copies and film of them."""
    folder, names = Path(order["folder"]), order["names"]
    settings = _settings(order, frames)
    watch = _Watch(order, frames, say, leave)
    if leave.is_set():
        raise Left
    result = run_frames(order["source"], frames, settings, watch.frame)
    recorded = named(result.settings, names).replace(frames=settings.frames)
    with written_whole(folder / "settings.toml") as part:
        Path(part).write_text(settings_text(recorded, Path(order["output"]).suffix), "utf-8")
    paths = find_frames(frames)[: settings.frames]
    last = load_picture(str(paths[-1]))
    # The frames themselves tell where the server keeps its pictures.
    save_picture(str(folder / LAST_FRAME), last.pixels, to_toml(recorded), last)
    small_copies(folder / LAST_FRAME, folder)
    way = "reverse" if settings.reverse else "boomerang" if settings.boomerang else "forward"
    whole = assemble_film(
        paths, order["output"], settings.fps or DEFAULT_FPS, settings.loop, way, settings.quality,
        watch.assembled,
    )  # fmt: skip
    if not whole:
        raise Left


def _settings(order, frames):
    """Return the settings to begin with; a resumed film keeps those that make its frames."""
    values = {**order["values"], "quiet": True}
    if unfinished(frames):
        values = {name: value for name, value in values.items() if not BY_NAME[name].recorded}
        return Settings(**values, resume=True)
    shutil.rmtree(frames, ignore_errors=True)  # of one that was ended before it had begun
    return Settings(**values, gpu=order["gpu"])


class _Watch:
    """Listens to a film: reports its progress, shows its latest frame, has it left."""

    def __init__(self, order, frames, say, leave):
        self._order, self._frames, self._say, self._leave = order, frames, say, leave
        self._shown = self._reported = float("-inf")

    def frame(self, report):
        """Hear of a step on a frame: a listener of `dreamlib.run_frames`."""
        self._say(
            phase=f"dreaming frame {report.octave} of {report.octaves}",
            share=READING + DREAMING * report.share, seconds_left=report.seconds_left,
        )  # fmt: skip
        if report.octave > 1:
            self._preview(report.octave - 2)
        return self._leave.is_set()

    def _preview(self, number):
        """Show a frame that is whole, if it is time for one."""
        if time.monotonic() - self._shown < 60 * self._order["preview"]:
            return
        pixels = load_picture(str(self._frames / f"{number:04d}.png")).pixels
        with written_whole(f"{self._order['output']}.preview.jpg") as part:
            save_small(pixels, part, PREVIEW)
        self._shown = time.monotonic()

    def assembled(self, written, frames):
        """Hear of a frame that is in the film: `on_frame` of `dreamlib.assemble_film`."""
        now = time.monotonic()
        if now - self._reported >= REPORT_INTERVAL:
            self._reported, begun = now, READING + DREAMING
            self._say(
                phase=f"assembling, frame {written} of {frames}", seconds_left=None,
                share=begun + (1 - begun) * written / frames,
            )  # fmt: skip
        return self._leave.is_set()
