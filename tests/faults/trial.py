"""One hostile case: the command is run on it in a process of its own, and how that ends is named.

A forked child has what is imported already, and takes a hang, a crash or a gigabyte with it.
"""

import contextlib
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from dreamlib import cli

#: How a case may end. The first two are right.
DREAMT, REFUSED = "dreamt", "refused"
TRACEBACK, UNCLEAR, SILENT, HANG, CRASH = "traceback", "unclear", "silent", "hang", "crash"
RIGHT, FAULTS = (DREAMT, REFUSED), (TRACEBACK, UNCLEAR, SILENT, HANG, CRASH)

#: Seconds that a case may take, on a busy machine; bytes that it may take beside what is there.
SECONDS, BYTES = 10, 3 << 30

#: Letters of a refusal: a paragraph, which nobody scrolls through.
LONGEST = 2000

OUTPUT = "out.png"
_CODES = {71: TRACEBACK, 72: SILENT}


class Case(NamedTuple):
    """What is to be tried."""

    name: str
    arguments: list  #: of the command
    write: Callable = lambda: None  #: makes the files that it needs, in the current folder


class Ending(NamedTuple):
    """How a case ended."""

    kind: str  #: one of those above
    text: str  #: what the command printed


def attempt(case, seconds=SECONDS):
    """Run a case in an empty folder; return its `Ending`."""
    folder = tempfile.mkdtemp(prefix="hostile-")
    said = Path(folder, "said")
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        _be_the_child(case, Path(folder, "here"), said)
    os.close(writing)
    try:
        in_time = select.select([reading], [], [], seconds)[0]  # it is closed when the child ends
        if not in_time:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        text = said.read_text(errors="replace")
        return Ending(_kind(status, text) if in_time else HANG, text)
    finally:
        os.close(reading)
        shutil.rmtree(folder)


def _be_the_child(case, folder, said):
    code = 71
    try:
        with open(said, "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout = os.fdopen(1, "w", errors="strict", closefd=False)
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        folder.mkdir()
        os.chdir(folder)
        case.write()
        _limit_memory()
        code = _run(case.arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(arguments):
    try:
        code = cli.main(arguments)
    except SystemExit as end:
        code = end.code
    return 72 if code == 0 and _is_garbage() else code


def _is_garbage():
    """Tell whether there is a picture without anything in it; none of the cases begins with one."""
    from PIL import Image

    if not os.path.exists(OUTPUT):
        return False
    with Image.open(OUTPUT) as image:
        pixels = np.asarray(image.convert("RGB"))
    return pixels.size > 300 and np.ptp(pixels) == 0


def _limit_memory():
    with open("/proc/self/statm") as file:
        there = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (there + BYTES, there + BYTES))


def _kind(status, text):
    if os.WIFSIGNALED(status):
        return CRASH
    code = os.WEXITSTATUS(status)
    if code in _CODES:
        return _CODES[code]
    if "Traceback (most recent call last)" in text:
        return TRACEBACK
    if code == 0:
        return DREAMT
    words = text.strip()
    plain = "dream.py: " in words and len(words) <= LONGEST and "\n\n" not in words
    return REFUSED if code == 2 and plain else UNCLEAR
