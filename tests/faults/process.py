"""A process that runs the command until it is killed, or its machine's power is cut, at a change.

Changes are what the operating system is asked for below the working folder: names made, renamed
and removed, bytes written, syncs. What libraries write by themselves is not counted, but is there.
"""

import os
import signal
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from tests.faults.disk import Disk

#: Audit events of Python that change names, and where the path is among their arguments.
NAMES = {
    "os.rename": 0, "os.remove": 0, "os.rmdir": 0, "os.mkdir": 0, "os.chmod": 0, "os.link": 1,
    "os.truncate": 0,
}  # fmt: skip

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Counts changes below a folder, and ends the process at one of them.

    Parameters
    ----------
    folder : str
    die_at : int
        The change before which the process is killed, from 1 on; 0 lives on.
    seed : int or None
        Of a power cut at that moment, or at the end if it lives on; None is a kill alone.
    """

    def __init__(self, folder, die_at=0, seed=None):
        self._folder, self._die_at, self._seed = os.path.realpath(folder), die_at, seed
        self.count, self._disk, self._busy = 0, seed is not None and Disk(folder), False
        self._parent = os.getpid()

    def change(self, path):
        """Note a change that is about to be made."""
        if self._busy or os.getpid() != self._parent or not self._is_inside(path):
            return
        self.count += 1
        self._busy = True
        if self._disk:
            self._disk.note()
        if self.count == self._die_at:
            self.end()
            os.kill(os.getpid(), signal.SIGKILL)
        self._busy = False

    def _is_inside(self, path):
        self._busy = True
        try:
            if isinstance(path, int):  # a descriptor, perhaps of a pipe
                real = os.readlink(f"/proc/self/fd/{path}")
            else:
                folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
                real = os.path.join(os.path.realpath(folder), name)
        except OSError:
            return False
        finally:
            self._busy = False
        return (real + os.sep).startswith(self._folder + os.sep)

    def end(self):
        """Cut the power, if it is to be cut."""
        self._busy = True
        if self._disk:
            self._disk.lose_power(self._seed)

    def audit(self, event, arguments):
        """Hear of what Python asks the system for."""
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self.change(arguments[0])
        elif event in NAMES:
            self.change(arguments[NAMES[event]])

    def patched(self, name):
        """Wrap a function of `os` that tells of nothing by itself."""
        real = getattr(os, name)

        def call(*given, **named):
            if given:
                self.change(given[0])
            if name in ("fsync", "sync") and self._disk:
                self._disk.synced(*given) if given else self._disk.synced_all()
                return None
            return None if name in ("fsync", "sync") else real(*given, **named)

        return mock.patch.object(os, name, call)


def run(arguments, folder, die_at=0, seed=None, limit=0):
    """Run the command in a forked process, in a folder.

    Parameters
    ----------
    arguments : list of str
    folder : str or Path
    die_at, seed
        As for `Watch`.
    limit : int
        Seconds after which it is killed; 0 for none.

    Returns
    -------
    (int, str, int)
        Its exit code (1 for a traceback), what it said, and how many changes it made; of a killed
        one the code is -9 and the number 0.
    """
    told, say = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        signal.alarm(limit)
        _child([str(argument) for argument in arguments], folder, die_at, seed, say)
    os.close(say)
    with os.fdopen(told) as stream:
        said = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    words, _, count = said.rstrip().rpartition("\n")
    return (code, words, int(count)) if code >= 0 else (code, said, 0)


def _child(arguments, folder, die_at, seed, say):
    """Be the forked process; never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(say, 1)
        os.dup2(say, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        watch = Watch(folder, die_at, seed)
        sys.addaudithook(watch.audit)
        with ExitStack() as stack:
            for name in ("fsync", "sync", "pwrite", "ftruncate", "write"):
                stack.enter_context(watch.patched(name))
            from dreamlib import cli

            try:
                code = cli.main(arguments)
            except SystemExit as end:
                code = end.code
        watch.end()
        print(f"\n{watch.count}", flush=True)
    except BaseException:
        traceback.print_exc()
        print("\n0", flush=True)
    finally:
        os._exit(code)


def contents(folder, names):
    """Read files, and the files of folders, that a run has made: path -> bytes."""
    found = {}
    for name in names:
        path = Path(folder, name)
        inside = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
        for one in inside:
            own = ".film" in one.parts or one.name == "vips-properties.xml"  # which has the time
            if not own and one.exists():
                found[str(one.relative_to(folder))] = one.read_bytes()
    return found
