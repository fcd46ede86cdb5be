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
from functools import lru_cache

from dreamlib.errors import DreamError

#: Number of ffmpeg's last lines that go into an error.
LAST_LINES = 4

#: Bytes that ffmpeg takes before it has a frame.
PROGRAM = 48 << 20


def find_ffmpeg():
    """Find ffmpeg, imageio-ffmpeg's or else the system's; refuse to go on without.

    Returns
    -------
    str
        Its path.
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


@lru_cache
def has_filter(name):
    """Tell whether this ffmpeg was built with a filter.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    listed = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-filters"], stdin=subprocess.DEVNULL, capture_output=True
    )
    return name.encode() in listed.stdout.split()


def run(arguments, path):
    """Run ffmpeg to its end.

    Parameters
    ----------
    arguments : list of str
    path : str or Path
        The file that it reads, for the `DreamError` where it fails.

    Returns
    -------
    tuple of bytes and str
        Its standard output and its standard error.
    """
    done = subprocess.run(
        [find_ffmpeg(), "-nostdin", "-hide_banner", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    log = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise DreamError(
            f"{path} cannot be read as a clip ({last_lines(log)}); expected one that plays"
        )
    return done.stdout, log


def last_lines(log):
    """Shorten ffmpeg's messages to the last few, in one line, without addresses of its memory.

    Parameters
    ----------
    log : str

    Returns
    -------
    str
    """
    log = re.sub(r" @ 0x[0-9a-f]+", "", log)
    lines = [line.strip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    return "; ".join(lines[-LAST_LINES:]) or "it said nothing"


@contextlib.contextmanager
def process(arguments, **pipes):
    """Run ffmpeg beside the program; kill it if the block is left before it has ended.

    It has a session of its own: Ctrl-C reaches the program alone, which then ends ffmpeg.

    Parameters
    ----------
    arguments : list of str
    **pipes
        stdin and stdout as for `subprocess.Popen`.

    Yields
    ------
    process : subprocess.Popen
    messages : callable
        Returns its last messages so far.
    """
    with tempfile.TemporaryFile() as errors:

        def messages():
            errors.seek(0)
            return last_lines(errors.read().decode("utf-8", "replace"))

        command = [find_ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
        pipes.setdefault("stdin", subprocess.DEVNULL)
        running = subprocess.Popen(command, stderr=errors, start_new_session=True, **pipes)
        try:
            yield running, messages
        finally:
            if running.poll() is None:
                running.kill()
            for pipe in (running.stdin, running.stdout):
                if pipe:
                    with contextlib.suppress(OSError):  # what was not flushed has nowhere to go
                        pipe.close()
            running.wait()


def source(path):
    """Write a path so that ffmpeg takes it for no protocol, option or pattern.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
    """
    return "file:" + os.path.abspath(os.fspath(path))
