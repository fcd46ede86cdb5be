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
            "install your system's ffmpeg"
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
