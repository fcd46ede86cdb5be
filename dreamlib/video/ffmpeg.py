"""ffmpeg as a process that pixels are piped into and out of.

The imageio-ffmpeg package brings the program. Its own readers give the frame rate to two decimals
and cannot tell whether there is sound, so the command lines are ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from fractions import Fraction

import numpy as np

from dreamlib.errors import DreamError

#: Lines of ffmpeg's own words that go into an error.
LAST_LINES = 4


def find_ffmpeg():
    """Return the path of ffmpeg: imageio-ffmpeg's, else the system's.

    Raises
    ------
    DreamError
        There is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        found = shutil.which("ffmpeg")
        if found:
            return found
        raise DreamError(
            "there is no ffmpeg, which reads and writes films; pip install imageio-ffmpeg, or "
            "install your system's ffmpeg; a .gif or .webp is written without it"
        ) from error


def say(arguments, path):
    """Run ffmpeg to its end; return what it wrote to its standard output and error.

    Parameters
    ----------
    arguments : list of str
    path : str
        What it reads, for the error.

    Returns
    -------
    tuple of bytes and str

    Raises
    ------
    DreamError
        It failed.
    """
    done = subprocess.run(
        [find_ffmpeg(), "-nostdin", "-hide_banner", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise DreamError(
            f"{path} cannot be read as a clip ({last_words(said)}); expected one that plays"
        )
    return done.stdout, said


def last_words(said):
    """Return the last lines that ffmpeg said, without the addresses of its parts."""
    said = re.sub(r" @ 0x[0-9a-f]+", "", said)
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    return "; ".join(lines[-LAST_LINES:]) or "it said nothing"


@contextlib.contextmanager
def process(arguments, **pipes):
    """Run ffmpeg beside the program; kill it if the block is left before it has ended.

    It has a session of its own: Ctrl-C is for the program, which ends ffmpeg when it is ready.

    Yields
    ------
    process : subprocess.Popen
    words : callable
        Returns its last words so far.
    """
    with tempfile.TemporaryFile() as errors:

        def words():
            errors.seek(0)
            return last_words(errors.read().decode("utf-8", "replace"))

        command = [find_ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
        pipes.setdefault("stdin", subprocess.DEVNULL)
        running = subprocess.Popen(command, stderr=errors, start_new_session=True, **pipes)
        try:
            yield running, words
        finally:
            if running.poll() is None:
                running.kill()
            for pipe in (running.stdin, running.stdout):
                if pipe:
                    with contextlib.suppress(OSError):  # what was not flushed has nowhere to go
                        pipe.close()
            running.wait()


#: Suffix -> encoder and what it is told, `{crf}` being how coarse it may be.
VIDEO = {
    # yuv420p is what every player shows; the index at the beginning lets a browser start at once.
    ".mp4": "-c:v libx264 -preset medium -crf {crf} -pix_fmt yuv420p -movflags +faststart",
    ".webm": "-c:v libvpx-vp9 -b:v 0 -crf {crf} -pix_fmt yuv420p -row-mt 1 -deadline good "
    "-cpu-used 4",
}

#: What quality 1 and 100 are in each encoder's own scale.
CRF = {".mp4": (40, 12), ".webm": (55, 18)}

#: The colours' meaning, said in the file: players assume this one for large pictures, another one
#: for small ones.
COLOURS = "scale=in_range=pc:out_range=tv:out_color_matrix=bt709"
TAGS = "-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"


@contextlib.contextmanager
def encoder(out, suffix, height, width, fps, quality, sound=(), aspect=1):
    """Write a film from pixels.

    Parameters
    ----------
    out : str
        File to write, overwritten.
    suffix : {'.mp4', '.webm'}
    height, width : int
        An odd side gets one more row or column, equal to the last: encoders want even ones.
    fps : Fraction
    quality : int
        1 to 100.
    sound : list of str
        ffmpeg's arguments for a second input and its streams.
    aspect : Fraction
        Width of a pixel by its height.

    Yields
    ------
    callable
        Takes a frame, (height, width, 3) uint8.

    Raises
    ------
    DreamError
        ffmpeg failed: its last words.
    """
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    size = f"{width + width % 2}x{height + height % 2}"
    coarsest, finest = CRF[suffix]
    crf = round(coarsest + (finest - coarsest) * (quality - 1) / 99)
    aspect = Fraction(aspect)
    arguments = [
        *f"-y -f rawvideo -pix_fmt rgb24 -s {size} -framerate {fps} -i pipe:0".split(),
        *(sound or ["-map", "0:v"]),
        *f"-vf {COLOURS},setsar={aspect.numerator}/{aspect.denominator}".split(),
        *VIDEO[suffix].format(crf=crf).split(),
        *TAGS.split(),
        *("-f", suffix[1:], os.fspath(out)),
    ]

    with process(arguments, stdin=subprocess.PIPE) as (running, words):

        def add(pixels):
            if any(map(any, padding)):
                pixels = np.pad(pixels, padding, mode="edge")
            running.stdin.write(np.ascontiguousarray(pixels).data)

        try:
            yield add
            running.stdin.close()
        except BrokenPipeError as error:
            running.wait()
            raise DreamError(f"ffmpeg could not write the film: {words()}") from error
        if running.wait():
            raise DreamError(f"ffmpeg could not write the film: {words()}")


def decoder(path, filters, height, width):
    """Read a film's frames.

    Parameters
    ----------
    path : str
    filters : str
        Of ffmpeg, for the first video stream.
    height, width : int
        Of the frames that come out of them.

    Yields
    ------
    (height, width, 3) ndarray of uint8
        RGB, a new one each time.

    Raises
    ------
    DreamError
        ffmpeg failed, or stopped within a frame.
    """
    arguments = ["-i", source(path), "-map", "0:V:0", "-vf", filters]
    arguments += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    with process(arguments, stdout=subprocess.PIPE) as (running, words):
        while True:
            picture = np.empty((height, width, 3), np.uint8)
            got = running.stdout.readinto(picture.reshape(-1))
            if not got:
                break
            if got < picture.size:
                raise DreamError(f"{path} ends within a frame: {words()}")
            yield picture
        if running.wait():
            raise DreamError(f"{path} cannot be read to its end: {words()}")


def source(path):
    """Return a path as ffmpeg's: never a protocol, an option or a pattern."""
    return "file:" + os.path.abspath(os.fspath(path))
