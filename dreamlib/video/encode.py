"""Films of frames: GIF, WebP, MP4 and WebM by ffmpeg, in memory that holds one frame at a time."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import lay
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.pillow_io import load_picture
from dreamlib.util.atomic_write import check_place, written_whole
from dreamlib.video import ffmpeg
from dreamlib.video.frame_folder import check_sizes
from dreamlib.video.mark import mark

#: The colour space, named in the file: without it players assume this one for large pictures and
#: another one for small ones.
TAGS = "-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"
COLOURS = "scale=in_range=pc:out_range=tv:out_color_matrix=bt709"


class Format(NamedTuple):
    """How a kind of film is written."""

    most_fps: int
    memory: int  #: bytes that ffmpeg takes for each pixel, the frames that it looks ahead included
    coarsest: int  #: quality 1 in the encoder's own scale
    finest: int  #: quality 100 in it
    options: str  #: of ffmpeg, with {quality} and {loop}
    video: bool  #: has sound and even sides; else it plays in a picture's place


#: By suffix. Viewers show a frame for a tenth of a second instead of less than 20 ms in a GIF, or
#: less than 11 ms in a WebP: such a film would become slower.
FORMATS = {
    ".gif": Format(50, 90, 0, 0, "-loop {loop}", False),
    ".webp": Format(90, 110, 1, 100, "-c:v libwebp_anim -pix_fmt bgra -quality {quality} "
                    "-loop {loop}", False),
    # yuv420p is what every player shows; the index at the beginning lets a browser start at once.
    ".mp4": Format(240, 240, 40, 12, "-c:v libx264 -preset medium -crf {quality} -pix_fmt yuv420p "
                   "-movflags +faststart " + TAGS, True),
    ".webm": Format(240, 210, 55, 18, "-c:v libvpx-vp9 -b:v 0 -crf {quality} -pix_fmt yuv420p "
                    "-row-mt 1 -deadline good -cpu-used 4 " + TAGS, True),
}  # fmt: skip

#: Films with sound and controls in a browser.
VIDEO = tuple(suffix for suffix, kind in FORMATS.items() if kind.video)

ORDERS = ("forward", "reverse", "boomerang")

LEAST_FPS = 0.01

MOST_LOOPS = 65535

#: Hundredths of a second that a GIF's frame may stay.
MOST_DELAY = 65535

#: Sides of a GIF in pixels are 16-bit numbers; those of a WebP have 14 bits.
MOST_SIDE = {".gif": 65535, ".webp": 16383}

#: The format's length is a 32-bit number.
MOST_BYTES = {".webp": 2**32 - 2}

#: Most frames, spread over the film, that the one palette of a GIF is chosen from; a palette for
#: each frame makes colours jump. The palette of all frames is no better, takes as long again, and
#: memory for all their colours.
PALETTE_FRAMES = 8

#: A dither whose pattern is fixed to the screen: error diffusion makes the grain boil, since one
#: changed pixel changes the dots of everything below it.
DITHER = "paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle"


def check_film(out, fps, shortest=1):
    """Refuse a film that could not be written, before its frames are made.

    Parameters
    ----------
    out : str or Path
    fps : float or Fraction
        Frames in a second.
    shortest : int
        Of a picture-like film: how long a frame stays at least, in units of ``1 / fps``.

    Raises
    ------
    DreamError
        Names the suffix, the rate, the folder or the missing ffmpeg.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise DreamError(f"{out}: films are written as {', '.join(FORMATS)}; name one of these")
    most = FORMATS[suffix].most_fps
    fps = fps if FORMATS[suffix].video else fps / shortest
    if not (math.isfinite(fps) and LEAST_FPS <= fps <= most):
        raise DreamError(
            f"{out}: {float(fps):g} frames per second; a {suffix} has from {LEAST_FPS} to {most}"
        )
    check_place(out)
    ffmpeg.find_ffmpeg()


def assembling_memory(out, pixels):
    """Return the bytes that ffmpeg takes while a film is written.

    Parameters
    ----------
    out : str or Path
    pixels : int
        Of a frame.

    Returns
    -------
    int
    """
    return ffmpeg.PROGRAM + FORMATS[Path(out).suffix.lower()].memory * pixels


def assemble(
    frames, out, fps=12.5, loop=0, order="forward", quality=90, on_frame=None, sound=(), aspect=1,
    stays=None,
):  # fmt: skip
    """Make a film of frames, whole or not at all.

    Parameters
    ----------
    frames : iterable of path
        Pictures of one size, in order.
    out : str or Path
        Its suffix chooses the format, see `FORMATS`.
    fps : float or Fraction
        Frames in a second. A GIF's begin at the nearest whole hundredth of a second.
    loop : int
        Times that a GIF or WebP plays, 0 is for ever; MP4 and WebM leave that to the player.
    order : {'forward', 'reverse', 'boomerang'}
        A boomerang runs there and back, and shows the first and the last frame once.
    quality : int
        1 to 100; of WebP (where 100 is lossless), MP4 and WebM.
    on_frame : callable, optional
        Called with (frames written, frames to write) after each; where it returns a true value,
        writing ends.
    sound : list of str
        ffmpeg's arguments for a second input and its streams.
    aspect : Fraction
        Width of a pixel by its height.
    stays : list of int, optional
        How long each frame stays, in units of ``1 / fps``; by default 1.

    Returns
    -------
    bool
        False if `on_frame` ended it: then no file is written.

    Raises
    ------
    DreamError
        No frames, unreadable ones, unequal sizes, a full disk, or see `check_film`.
    """
    frames, out = ordered([Path(frame) for frame in frames], order), Path(out)
    stays = ordered(list(stays), order) if stays else [1] * len(frames)
    suffix = out.suffix.lower()
    if not frames:
        raise DreamError(f"{out}: a film needs at least one frame")
    if not 1 <= quality <= 100:
        raise DreamError(f"{out}: quality {quality}; expected 1 to 100")
    if not 0 <= loop <= MOST_LOOPS:
        raise DreamError(f"{out}: loop {loop}; expected 0 (for ever) to {MOST_LOOPS}")
    check_film(out, fps, min(stays))
    size = check_sizes(frames)
    if max(size) > MOST_SIDE.get(suffix, max(size)):
        raise DreamError(
            f"a {suffix} has sides of up to {MOST_SIDE[suffix]} pixels, not {size[1]} x {size[0]}; "
            "dream smaller, or name an .mp4"
        )
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_Ended):
        filters = ["-vf", f"setsar={Fraction(aspect).numerator}/{Fraction(aspect).denominator}"]
        if suffix == ".gif":
            palette = os.path.join(folder, "palette.png")
            step = math.ceil(len(frames) / PALETTE_FRAMES)
            _pipe(frames[::step], size, 1, ["-vf", "palettegen", "-frames:v", "1", palette])
            shown = f"[0:v]{_times(stays)}[shown];[shown][1:v]{DITHER}"
            last = round(100 * stays[-1] / fps)  # hundredths of a second
            filters = ["-i", palette, "-lavfi", shown, "-final_delay", str(min(last, MOST_DELAY))]
            stays = None
        if FORMATS[suffix].video:
            filters = [*(sound or ["-map", "0:v"]), "-vf", f"{COLOURS},{filters[1]}"]
        with written_whole(out) as temporary:
            options = [*filters, *_options(suffix, quality, loop), temporary]
            even = FORMATS[suffix].video
            rate = Fraction(fps).limit_denominator(100_000)
            _pipe(frames, size, rate, options, even, on_frame, stays)
            mark(temporary, suffix)
            if os.path.getsize(temporary) > MOST_BYTES.get(suffix, math.inf):
                raise DreamError(f"a {suffix} has up to 4 GB, and this one has more; name an .mp4")
        return True
    return False


class _Ended(Exception):
    """Ends a film that `on_frame` does not want any more, so that nothing of it stays."""


def _times(stays):
    """Write ffmpeg's filter by which each frame begins when those before have stayed.

    The time rises evenly, and bends where frames begin to stay longer or shorter.
    """
    bends = [(0, stays[0])]
    bends += [(n, now - was) for n, (was, now) in enumerate(zip(stays, stays[1:]), 1) if now != was]
    return "setpts='" + "+".join(f"{by}*max(N-{at}\\,0)" for at, by in bends) + "'"


def _options(suffix, quality, loop):
    """Return ffmpeg's arguments for a format."""
    kind = FORMATS[suffix]
    own = round(kind.coarsest + (kind.finest - kind.coarsest) * (quality - 1) / 99)
    if suffix == ".gif":  # ffmpeg counts repetitions; -1 leaves the count out
        loop = {0: 0, 1: -1}.get(loop, loop - 1)
    options = kind.options.format(quality=own, loop=loop).split()
    if suffix == ".webp" and quality == 100:
        options += ["-lossless", "1"]
    return [*options, "-f", suffix[1:]]


def _pipe(frames, size, fps, options, even=False, on_frame=None, stays=None):
    """Pipe frames into ffmpeg, each as often as it stays.

    `even` repeats the last row or column of an odd side. WebP's encoder makes one frame of those
    that are equal; MP4 and WebM have a constant rate.
    """
    height, width = size
    padding = ((0, height % 2 * even), (0, width % 2 * even), (0, 0))
    shape = f"{width + padding[1][1]}x{height + padding[0][1]}"
    arguments = f"-y -f rawvideo -pix_fmt rgb24 -s {shape} -framerate {fps} -i pipe:0".split()
    with ffmpeg.process([*arguments, *options], stdin=subprocess.PIPE) as (running, messages):
        try:
            for number, path in enumerate(frames, 1):
                pixels = read_frame(path, size)
                if any(map(any, padding)):
                    pixels = np.pad(pixels, padding, mode="edge")
                pixels = np.ascontiguousarray(pixels)
                for _ in range(stays[number - 1] if stays else 1):
                    running.stdin.write(pixels.data)
                if on_frame and on_frame(number, len(frames)):
                    raise _Ended
            running.stdin.close()
        except BrokenPipeError as error:
            running.wait()
            raise DreamError(f"ffmpeg could not write the film: {messages()}") from error
        if running.wait():
            raise DreamError(f"ffmpeg could not write the film: {messages()}")


def read_frame(path, size):
    """Read a frame of a film, laid on white where it is transparent.

    Parameters
    ----------
    path : Path
    size : (height, width)
        That it has; another one is refused.

    Returns
    -------
    (height, width, 3) ndarray of uint8
        RGB.
    """
    picture = load_picture(str(path))
    pixels = picture.pixels
    if pixels.shape[:2] != size:  # its header says otherwise: EXIF has it turned
        raise DreamError(
            f"{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels once it is turned upright, "
            f"expected {size[1]} x {size[0]}: the frames of a film are of one size"
        )
    pixels = to_levels(pixels)
    if picture.has_alpha:
        lay(pixels, picture.alpha)
    return pixels


def ordered(frames, order):
    """Put frames into the order in which they are shown, or refuse an unknown order.

    Parameters
    ----------
    frames : list
    order : {'forward', 'reverse', 'boomerang'}

    Returns
    -------
    list
    """
    if order not in ORDERS:
        raise DreamError(f"order {order!r}; expected {', '.join(ORDERS)}")
    if order == "forward":
        return frames
    return frames[::-1] if order == "reverse" else frames + frames[-2:0:-1]
