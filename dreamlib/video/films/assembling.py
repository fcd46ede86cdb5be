"""A film of frames that lie in files."""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path

from dreamlib.errors import DreamError, reading
from dreamlib.imaging.formats import FORMATS as PICTURES
from dreamlib.imaging.metadata import open_header
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.pillow_io import load_picture
from dreamlib.util.atomic_write import written_whole
from dreamlib.video import ffmpeg
from dreamlib.video.films import gif, webp
from dreamlib.video.films.gif import GifFilm
from dreamlib.video.films.palette import Palette, sample
from dreamlib.video.films.webp import WebpFilm

#: Suffixes of films.
FORMATS = (".gif", ".webp", ".mp4", ".webm")

ORDERS = ("forward", "reverse", "boomerang")

FPS_RANGE = (0.01, 240)


def is_frame(path):
    """Tell by its name whether a `Path` is a frame: a number and a picture's suffix."""
    number = path.stem.isascii() and path.stem.isdigit()
    return number and path.suffix.lower() in PICTURES


@reading()
def find_frames(folder):
    """Find a folder's numbered frames: ``0000.png`` and so on, any number of digits.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    list of Path
        In the order of their numbers.

    Raises
    ------
    DreamError
        There are none, a number is missing or there twice, or a frame is of another size.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DreamError(f"{folder} is no folder; name the one that has the frames")
    numbered = {}
    for path in sorted(folder.iterdir()):
        if not is_frame(path):
            continue
        other = numbered.setdefault(int(path.stem), path)
        if other != path:
            raise DreamError(
                f"{folder} has two frames of one number, {other.name} and {path.name}; "
                "move one elsewhere"
            )
    if not numbered:
        raise DreamError(
            f"{folder} has no frames; expected pictures with numbers for names, as 0000.png"
        )
    first, last = min(numbered), max(numbered)
    for number in range(first, last):
        if number not in numbered:
            before = max(have for have in numbered if have < number)
            after = min(have for have in numbered if have > number)
            raise DreamError(
                f"{folder}: between {numbered[before].name} and {numbered[after].name} there is no "
                f"frame {number}; dream it, or give the frames numbers without gaps"
            )
    frames = [numbered[number] for number in range(first, last + 1)]
    check_sizes(frames)
    return frames


def check_sizes(frames):
    """Refuse frames of unequal size; return the (height, width) that all have.

    Raises
    ------
    DreamError
        Names the first odd one.
    """
    expected = None
    for path in frames:
        try:
            with open_header(path) as header:
                size = header.height, header.width
        except (OSError, SyntaxError, ValueError) as error:
            raise DreamError(f"{path} cannot be read as a picture: {error}") from error
        expected = expected or size
        if size != expected:
            raise DreamError(
                f"{path} is {size[1]} x {size[0]} pixels, expected {expected[1]} x {expected[0]} "
                f"as {frames[0]}: the frames of a film are of one size"
            )
    return expected


def check_film(out, fps):
    """Refuse a film that could not be written, before its frames are dreamt.

    Parameters
    ----------
    out : str or Path
    fps : float or Fraction
        Frames in a second.

    Raises
    ------
    DreamError
        The suffix or the rate is none of the format's, the folder is not there, or no ffmpeg.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise DreamError(f"{out}: films are written as {', '.join(FORMATS)}; name one of these")
    low, high = FPS_RANGE
    if suffix in (".gif", ".webp"):
        # Viewers give a shorter delay a tenth of a second, so a film would become slower.
        module = gif if suffix == ".gif" else webp
        high = module.TICKS // module.LEAST
    if not (math.isfinite(fps) and low <= fps <= high):
        raise DreamError(
            f"{out}: {float(fps):g} frames per second; a {suffix} has from {low} to {high}"
        )
    if out.is_dir():
        raise DreamError(f"{out} is a folder; name a file in it")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise DreamError(f"{out}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise DreamError(f"{out}: the folder {folder} is not writable")
    if suffix in ffmpeg.VIDEO:
        ffmpeg.find_ffmpeg()


def assemble(
    frames, out, fps=12.5, loop=0, order="forward", quality=90, on_frame=None, sound=(), aspect=1
):
    """Make a film of frames, whole or not at all.

    Memory holds a frame or two, whatever their number.

    Parameters
    ----------
    frames : iterable of path
        Pictures of one size, in order.
    out : str or Path
        Its suffix chooses the format, see `FORMATS`.
    fps : float or Fraction
        Frames in a second. Delays of a GIF are whole hundredths of a second: they are rounded so
        that no frame is off by more than half of one from where it belongs.
    loop : int
        Times that a GIF or WebP plays; 0 is for ever. MP4 and WebM leave that to the player.
    order : {'forward', 'reverse', 'boomerang'}
        A boomerang goes there and back, without showing the first and the last frame twice.
    quality : int
        1 to 100; of WebP (where 100 is lossless), MP4 and WebM.
    on_frame : callable, optional
        Called with (frames written, frames to write) after each; a true answer ends it all.
    sound, aspect
        See `ffmpeg.encoder`.

    Returns
    -------
    bool
        False if `on_frame` ended it: then nothing is written.

    Raises
    ------
    DreamError
        Frames of unequal size or unreadable, no ffmpeg, disk full...
    """
    frames = ordered([Path(frame) for frame in frames], order)
    if not frames:
        raise DreamError(f"{out}: a film needs at least one frame")
    if not 1 <= quality <= 100:
        raise DreamError(f"{out}: quality {quality}; expected 1 to 100")
    check_film(out, fps)
    size = check_sizes(frames)
    with contextlib.suppress(_Ended), written_whole(out) as temporary:
        with _film(out, temporary, frames, size, fps, loop, quality, sound, aspect) as add:
            for index, path in enumerate(frames):
                add(read_frame(path, size), index)
                if on_frame and on_frame(index + 1, len(frames)):
                    raise _Ended
        return True
    return False


class _Ended(Exception):
    """Ends a film that is not wanted any more, so that nothing of it stays."""


def ordered(frames, order):
    """Return a list of frames in the order in which they are shown."""
    if order not in ORDERS:
        raise DreamError(f"order {order!r}; expected {', '.join(ORDERS)}")
    if order == "forward":
        return frames
    return frames[::-1] if order == "reverse" else frames + frames[-2:0:-1]


def read_frame(path, size):
    """Read a frame of a size (height, width): an ndarray of uint8, (height, width, 3)."""
    pixels = load_picture(str(path)).pixels
    if pixels.shape[:2] != size:  # its header says otherwise: EXIF has it turned
        raise DreamError(
            f"{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels once it is turned upright, "
            f"expected {size[1]} x {size[0]}: the frames of a film are of one size"
        )
    return to_levels(pixels)


def delays(index, fps, ticks):
    """Return how long a frame stays, in ticks: the film as a whole keeps its time."""
    rate = Fraction(fps)
    return round((index + 1) * ticks / rate) - round(index * ticks / rate)


@contextlib.contextmanager
def _film(out, temporary, frames, size, fps, loop, quality, sound, aspect):
    """Open a film; yields a function that takes a frame's pixels and its index."""
    suffix = Path(out).suffix.lower()
    if suffix in ffmpeg.VIDEO:
        rate = Fraction(fps).limit_denominator(100_000)
        with ffmpeg.encoder(temporary, suffix, *size, rate, quality, sound, aspect) as add:
            yield lambda pixels, index: add(pixels)
        return
    with open(temporary, "wb") as file:
        if suffix == ".gif":
            palette = Palette(read_frame(frames[index], size) for index in sample(len(frames)))
            film, ticks = GifFilm(file, *size, palette, loop), gif.TICKS
        else:
            film, ticks = WebpFilm(file, *size, loop, quality), webp.TICKS
        yield lambda pixels, index: film.add(pixels, delays(index, fps, ticks))
        film.close()
