"""Running the command in this process, and reading what it wrote."""

import contextlib
import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib import cli
from dreamlib.util.progress import Progress

PROGRAM = Path(__file__).parent.parent / "dream.py"


def run(*arguments):
    """Run the command; return its exit code, whichever way it ends."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


def pixels(path):
    """A picture's RGB, (H, W, 3) int."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def film_frames(path):
    """The RGB of each frame of a GIF or WebP, (N, H, W, 3) int; the milliseconds that it stays."""
    frames, stays = [], []
    with Image.open(path) as film:
        for index in range(film.n_frames):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
            stays.append(film.info["duration"])  # WebP tells only now
    return np.stack(frames), stays


@contextlib.contextmanager
def ctrl_c_at(number):
    """Have Ctrl-C pressed during the step of that number, counted from 1 over all octaves."""
    count, take_step = itertools.count(1), Progress.__call__

    def interrupted(progress, step):
        if next(count) == number:
            signal.raise_signal(signal.SIGINT)
        return take_step(progress, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "__call__", interrupted)
        yield


def run_and_kill(when, *arguments):
    """Run the command in a process of its own, and kill that as soon as `when` is true."""
    process = subprocess.Popen([sys.executable, PROGRAM, *map(str, arguments)])
    while not when():
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
