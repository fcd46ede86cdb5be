"""Where canvases lie, and the journal that makes a killed dream resumable.

A work folder holds raw canvases and ``journal.json``. A canvas is changed only by copying tiles
from the back buffer, which is on the disk by then, as the journal says; so a process that dies at
any moment, or a machine that loses power, leaves the state before a change or all that repeats it.

A canvas has its dream's token in its name, and its checksums in the journal: neither another
dream's is taken for it nor one that somebody has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

from dreamlib.errors import DreamError, disk_trouble
from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import BACK_BUFFER, MAKE, Canvas
from dreamlib.tiling.checksums import Checksums, checksum
from dreamlib.tiling.gradient_scale import GradientScale
from dreamlib.tiling.octave_loop import State
from dreamlib.tiling.pyramid import dreamt
from dreamlib.util import own_folder
from dreamlib.util.journal import PART, Damaged, read_journal, write_journal

#: The journal; and its name when its dream is written, and all that is left is to be removed.
JOURNAL, FINISHED = "journal.json", "finished.json"

LOCK, CANVAS = "lock.dream", ".dream-canvas"

#: The names of canvases, so that no one else's file is taken for one and removed: what it is, the
#: dream's token, and whether it is not complete.
OWN = re.compile(r"[a-z][-0-9a-z]*-[0-9a-f]{12}(\.part)?\.dream-canvas")

VERSION = 5

#: What is said to whoever would begin a dream where there is another.
UNFINISHED = (
    "{} holds an unfinished dream: resume it with --resume, remove the folder to give it up, or "
    "name another --work-dir"
)


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
        and it is true; or the folder cannot be made or written, or is another user's.
    """

    def __init__(self, path, resume=False):
        self.path, self.record, self._lock = Path(path), None, None
        self._token, self._run = new_token(), new_token()
        self._state, self._journal = None, None
        self._open = {}
        self._checks = {}  # of canvases that are complete, but for back buffers
        self._tiles, self._size = {}, None  # in the back buffer: index -> place and checksum
        self._beside = {}  # checksums of what is beside them, while they are copied
        self._faults = {}  # why canvases of the run before are not taken
        try:
            if resume and not (self.path / JOURNAL).exists():
                raise DreamError(
                    f"{path} holds no unfinished dream to resume; leave --resume out to begin one"
                )
            if os.path.lexists(self.path):
                own_folder.check_owner(self.path)
            else:
                self.path.mkdir()
            self._lock = own_folder.lock(self.path / LOCK)
        except OSError as error:
            raise DreamError(
                f"the work folder {path} cannot be used: {error.strerror}; name another "
                "with --work-dir"
            ) from error
        if self._lock is None:
            raise DreamError(
                f"another process is dreaming in {path}; wait for it, or name another --work-dir"
            )
        try:
            if os.path.lexists(self.path / JOURNAL):
                self._load(resume)
        except BaseException:
            self.close()
            raise

    def _load(self, resume):
        path = self.path / JOURNAL
        try:
            own_folder.check_owner(path)
            self._journal = journal = read_journal(path, VERSION)
        except (OSError, Damaged) as error:
            raise DreamError(
                f"{path} is damaged, or no dream's journal ({error}); name another --work-dir, or "
                "remove what is in this one if none of it is yours"
            ) from error
        if not resume:
            raise DreamError(UNFINISHED.format(self.path))
        self.record, self._token = journal["record"], journal["token"]
        self._state = journal["state"] and _state_from(journal["state"])

    def begin(self, record, dtype, wrap, need):
        """Record what is dreamt, before anything is made; or take over what is there.

        Parameters
        ----------
        record : dict
            Kept in the journal: settings and input. Not looked at where a dream is resumed.
        dtype, wrap
            Of the canvases.
        need : int
            Bytes that all files together will take at most.

        Raises
        ------
        DreamError
            There is not so much free, or tiles are damaged that cannot be dreamt again.
        """
        self._dtype, self._wrap = dtype, wrap
        if self.record is not None:
            self._take_over()
            return
        for name in self._leftovers():
            own_folder.discard(self.path / name)
        free = shutil.disk_usage(self.path).free
        if need > free:
            self.remove()
            raise DreamError(
                f"the dream needs {need / 1e9:.2f} GB in the work folder {self.path}, where "
                f"{free / 1e9:.2f} GB are free; free some, or name another --work-dir"
            )
        self.record = record
        self._write_journal(None)

    def _take_over(self):
        """Look at what the run before has left; what is damaged counts as not there."""
        tiles = self._tiles_of_before()
        self._beside = self._journal["beside"]
        for name, values in self._journal["canvases"].items():
            checks = Checksums.from_dict(values)
            applying = self._state and self._state.applying and name == dreamt(self._state.octave)
            changing = tiles.values() if applying else ()
            fault = checks.fault(self._file(name), changing, _numbered(self._journal["beside"]))
            if fault:
                self._faults[name] = fault
            else:
                checks.change(changing)
                self._checks[name] = checks
        before = list(self.path.glob(f"{BACK_BUFFER}-{self._journal['run']}-*{CANVAS}"))
        if tiles:
            self._take_over_tiles(tiles)
        elif self._state:
            self._state.done = {}
        self._write_journal(self._state)
        for path in before:
            own_folder.discard(path)

    def _tiles_of_before(self):
        """Return the tiles that the back buffer of the run before has: index -> window."""
        tiles = _numbered(self._journal["tiles"])
        return {index: Window(*place) for index, (*place, _) in tiles.items()}

    def _take_over_tiles(self, windows):
        """Make the back buffer anew: a worker of the run before may still write to the old one."""
        name = self._buffer(self._state.place)
        before = self._file(name.replace(self._run, self._journal["run"]))
        lost, self._size = set(windows), self._journal["size"]
        if before.is_file() and before.stat().st_size == Canvas.bytes_of(*self._size, self._dtype):
            part = self._file(name, PART)
            try:
                shutil.copyfile(before, part, follow_symlinks=False)
                own_folder.sync(part)
            except OSError as error:
                raise disk_trouble(self.path, error) from error
            self._rename(part, self._file(name))
            canvas = self.canvas(name, self._size)
            tiles = self._journal["tiles"]
            lost = {
                index for index, window in windows.items()
                if checksum(canvas, window) != tiles[str(index)][-1]
            }  # fmt: skip
        if lost and self._state.applying:
            raise DreamError(
                f"{before} is missing or was altered, and the tiles in it cannot be dreamt again; "
                "begin anew in another --work-dir"
            )
        kept = {index: window for index, window in windows.items() if index not in lost}
        self._tiles = {index: self._journal["tiles"][str(index)] for index in kept}
        self._state.done = {index: self._state.done[index] for index in kept}

    def load_state(self):
        """Return the `State` to resume from; None at the beginning."""
        return self._state

    @property
    def is_new(self):
        """Whether nothing is dreamt yet."""
        return self._state is None

    def save(self, state, canvas=None, changed=None):
        """Record where the dream is, once what was written since to `canvas` is safe on the disk.

        Parameters
        ----------
        state : State
        canvas : Canvas, optional
            A back buffer, or what its tiles were copied to.
        changed : dict of int -> Window, with `canvas`
            The tiles that were written to it.
        """
        self._state = state
        if canvas:
            canvas.flush()
            name = next(name for name, one in self._open.items() if one is canvas)
            if name in self._checks:
                self._checks[name].change(changed.values())
                self._tiles, self._beside = {}, {}
            else:
                self._size = canvas.shape[:2]
                for index in changed.keys() - self._tiles.keys():
                    self._tiles[index] = [*changed[index], checksum(canvas, changed[index])]
                if state.applying:
                    target = dreamt(state.octave)
                    self._beside = self._checks[target].beside(self._file(target), changed.values())
        self._write_journal(state)

    def _write_journal(self, state):
        values = {
            "token": self._token, "run": self._run, "record": self.record,
            "state": state and {**asdict(state), "done": list(state.done.items())},
            "canvases": {
                name: checks.to_dict(self._file(name)) for name, checks in self._checks.items()
            },
            "size": self._size, "beside": self._beside,
            "tiles": {str(index): place for index, place in self._tiles.items()},
        }  # fmt: skip
        try:
            write_journal(self.path / JOURNAL, VERSION, values)
        except OSError as error:
            raise disk_trouble(self.path, error) from error

    def _rename(self, old, new):
        try:
            os.replace(old, new)
            own_folder.sync(self.path)
        except OSError as error:
            raise disk_trouble(self.path, error) from error

    def _file(self, name, part=""):
        return self.path / f"{name}-{self._token}{part}{CANVAS}"

    def _opened(self, path, size, dtype, flags):
        return Canvas(*size, dtype or self._dtype, self._wrap, path, flags | own_folder.FLAGS)

    def has(self, name):
        return name in self._checks

    def new_canvas(self, name, size, dtype=None):
        self.drop(name)
        part = self._file(name, PART)
        own_folder.discard(part)
        self._open[name] = self._opened(part, size, dtype, MAKE)
        return self._open[name]

    def complete(self, name):
        self._checks[name] = self._completed(name)

    def _completed(self, name):
        canvas = self._open.pop(name)
        canvas.flush()
        canvas.close()
        self._rename(canvas.path, self._file(name))
        return Checksums(*canvas.shape[:2], canvas.dtype)

    def canvas(self, name, size, dtype=None):
        if name not in self._open:
            if name in self._faults:
                raise DreamError(
                    f"{self._file(name)} {self._faults[name]}, and cannot be made anew; begin the "
                    "dream anew in another --work-dir"
                )
            self._open[name] = self._opened(self._file(name), size, dtype, os.O_RDWR)
        return self._open[name]

    def drop(self, name):
        if name in self._open:
            self._open.pop(name).close()
        self._checks.pop(name, None)
        self._faults.pop(name, None)
        own_folder.discard(self._file(name))

    def _buffer(self, place):
        # A file for each phase, of this run: a worker that was taken for dead, and writes on,
        # writes to what nobody reads any more.
        return f"{BACK_BUFFER}-{self._run}-{'-'.join(map(str, place))}"

    def back_buffer(self, place, size, tiles):
        name = self._buffer(place)
        if name not in self._open:
            self.drop_back_buffer()
            self.new_canvas(name, size)
            self._completed(name)  # its name is on the disk before the journal counts on it
        return self.canvas(name, size)

    def drop_back_buffer(self):
        """Give up what the last phase was written to, if it is there."""
        for path in self.path.glob(f"{BACK_BUFFER}-*{CANVAS}"):
            self.drop(path.name[: -len(f"-{self._token}{CANVAS}")])

    def close(self):
        """Let go of the folder, which stays."""
        for canvas in self._open.values():
            canvas.close()
        self._open = {}
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self):
        """Remove what was made here, and the folder if nothing else is in it.

        A run that is killed meanwhile leaves nothing to resume, and what the next one removes.
        """
        if (self.path / JOURNAL).exists():
            self._rename(self.path / JOURNAL, self.path / FINISHED)
        for canvas in self._open.values():
            canvas.close()
        self._open = {}
        own_folder.remove(self.path, [*self._leftovers(), LOCK])
        self.close()

    def _leftovers(self):
        """List the names of what any dream has left here."""
        canvases = [name for name in os.listdir(self.path) if OWN.fullmatch(name)]
        return [JOURNAL + PART, *canvases, FINISHED]


def new_token():
    """Return what nobody else has for a name: 12 digits."""
    return uuid.uuid4().hex[:12]


def _numbered(values):
    """Give a dict back its whole numbers for keys, which JSON makes str."""
    return {int(number): value for number, value in values.items()}


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
