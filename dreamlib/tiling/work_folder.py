"""Where canvases lie, and the journal that makes a killed dream resumable.

A work folder holds raw canvases and ``journal.json``. A canvas is changed only by copying tiles
from the back buffer, which is on the disk by then, as the journal says; so a process that dies at
any moment, or a machine that loses power, leaves the state before a change or all that repeats it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

from dreamlib.errors import DreamError, disk_trouble
from dreamlib.tiling.canvas import BACK_BUFFER, Canvas
from dreamlib.tiling.gradient_scale import GradientScale
from dreamlib.tiling.octave_loop import State

JOURNAL = "journal.json"

#: How the names of lock and canvases end, so that no one else's file is taken for one and removed,
#: and how the names of files that are not complete do.
LOCK = "lock.dream"
CANVAS, PART = ".dream-canvas", ".part"

VERSION = 4


class WorkFolder:
    """Canvases in files, and the state of the dream in a journal; its methods are `InMemory`'s.

    Parameters
    ----------
    path : str or Path
        Made if it is not there; its parent must be.
    resume : bool
        Whether an unfinished dream is to be resumed.

    Attributes
    ----------
    path : Path
    record : dict or None
        What `begin` was given by the run that is being resumed.

    Raises
    ------
    DreamError
        Another process works there; or there is an unfinished dream and `resume` is false, or none
        and it is true; or the folder cannot be made or written.
    """

    def __init__(self, path, resume=False):
        self.path = Path(path)
        self.record = None
        self._state, self._token = None, uuid.uuid4().hex[:12]
        self._open = {}
        try:
            if not resume:
                self.path.mkdir(exist_ok=True)
            elif not (self.path / JOURNAL).exists():
                raise DreamError(
                    f"{path} holds no unfinished dream to resume; leave --resume out to begin one"
                )
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise DreamError(
                f"the work folder {path} cannot be used: {error.strerror}; name another "
                "with --work-dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DreamError(
                f"another process is dreaming in {path}; wait for it, or name another --work-dir"
            ) from error
        if (self.path / JOURNAL).exists():
            try:
                self._load(resume)
            except BaseException:
                self.close()
                raise

    def _load(self, resume):
        try:
            journal = json.loads((self.path / JOURNAL).read_text(encoding="utf-8"))
            if journal["version"] != VERSION:
                raise DreamError(
                    f"{self.path} was begun by another version of the program, which alone can "
                    "resume it"
                )
            self.record = journal["record"]
            if journal["state"]:
                self._state = _state_from(journal["state"])
            if resume:
                self._take_over(journal)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DreamError(
                f"{self.path / JOURNAL} is damaged, or no dream's journal ({error!r}); name "
                "another --work-dir, or remove what is in this one if none of it is yours"
            ) from error
        if not resume:
            raise DreamError(
                f"{self.path} holds an unfinished dream: resume it with --resume, remove the "
                "folder to give it up, or name another --work-dir"
            )

    def _take_over(self, journal):
        """Make the back buffer anew: a worker of the run before may still write to the old one."""
        before = list(self.path.glob(f"{BACK_BUFFER}-{journal['token']}-*{CANVAS}"))
        try:
            for path in before:
                name = path.name[: -len(CANVAS)].replace(journal["token"], self._token)
                part = self._file(name + PART)
                shutil.copyfile(path, part)
                with open(part, "rb") as file:
                    os.fsync(file.fileno())
                self._rename(part, self._file(name))
        except OSError as error:
            raise disk_trouble(self.path, error) from error
        self._write_journal(journal["state"])
        for path in before:
            path.unlink()

    def begin(self, record, dtype, wrap, need):
        """Record what is dreamt, before anything is made.

        Parameters
        ----------
        record : dict
            Kept in the journal: settings and input.
        dtype, wrap
            Of the canvases.
        need : int
            Bytes that all files together will take at most.

        Raises
        ------
        DreamError
            There is not so much free.
        """
        self._dtype, self._wrap = dtype, wrap
        if self.record is None:
            free = shutil.disk_usage(self.path).free
            if need > free:
                self.remove()
                raise DreamError(
                    f"the dream needs {need / 1e9:.2f} GB in the work folder {self.path}, where "
                    f"{free / 1e9:.2f} GB are free; free some, or name another --work-dir"
                )
            self.record = record
            self._write_journal(None)

    def load_state(self):
        """Return the `State` to resume from; None at the beginning."""
        return self._state

    def save(self, state, canvas=None):
        """Record where the dream is, once what was written since to `canvas` is safe on the disk.

        Parameters
        ----------
        state : State
        canvas : Canvas, optional
        """
        if canvas:
            canvas.flush()
        self._write_journal({**asdict(state), "done": list(state.done.items())})

    def _write_journal(self, state):
        journal = {"version": VERSION, "token": self._token, "record": self.record, "state": state}
        text = json.dumps(journal, indent=1)
        temporary = self.path / (JOURNAL + PART)
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_trouble(self.path, error) from error
        self._rename(temporary, self.path / JOURNAL)

    def _rename(self, old, new):
        try:
            os.replace(old, new)
            self._sync_names()
        except OSError as error:
            raise disk_trouble(self.path, error) from error

    def _sync_names(self):
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _file(self, name):
        return self.path / f"{name}{CANVAS}"

    def has(self, name):
        return self._file(name).exists()

    def new_canvas(self, name, size, dtype=None):
        self.drop(name)
        path = self._file(name + PART)
        path.unlink(missing_ok=True)
        self._open[name] = Canvas(*size, dtype or self._dtype, self._wrap, path)
        return self._open[name]

    def complete(self, name):
        canvas = self._open.pop(name)
        canvas.flush()
        canvas.close()
        self._rename(canvas.path, self._file(name))

    def canvas(self, name, size, dtype=None):
        if name not in self._open:
            self._open[name] = Canvas(*size, dtype or self._dtype, self._wrap, self._file(name))
        return self._open[name]

    def drop(self, name):
        if name in self._open:
            self._open.pop(name).close()
        self._file(name).unlink(missing_ok=True)

    def back_buffer(self, place, size, tiles):
        # A file for each phase, of this dream: a worker that was taken for dead, and writes on,
        # writes to what nobody reads any more.
        name = f"{BACK_BUFFER}-{self._token}-{'-'.join(map(str, place))}"
        if not self.has(name):
            self.drop_back_buffer()
            self.new_canvas(name, size)
            self.complete(name)  # its name too must be on the disk before the journal counts on it
        return self.canvas(name, size)

    def drop_back_buffer(self):
        """Give up what the last phase was written to, if it is there."""
        for path in self.path.glob(f"{BACK_BUFFER}-*{CANVAS}"):
            self.drop(path.name[: -len(CANVAS)])

    def close(self):
        """Let go of the folder, which stays."""
        for canvas in self._open.values():
            canvas.close()
        self._open = {}
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self):
        """Remove what was made here, and the folder if nothing else is in it."""
        journal = [self.path / JOURNAL, self.path / (JOURNAL + PART)]
        canvases = self.path.glob(f"*{CANVAS}")
        for path in [*journal, *canvases, self.path / LOCK]:
            path.unlink(missing_ok=True)
        self.close()
        # Something else may be in it, or it is the root of a disk, which cannot be removed.
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _state_from(values):
    done = {index: tuple(sums) for index, sums in values["done"]}
    return State(**{**values, "done": done, "scale": GradientScale.from_dict(values["scale"])})


def fingerprint(path):
    """Return what identifies a file's contents: size in bytes and SHA-256.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
        size = file.tell()
    return {"bytes": size, "sha256": digest.hexdigest()}
