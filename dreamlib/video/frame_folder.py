"""A folder of numbered frames, ``0000.png`` onwards, and the record that resumes them."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError, reading
from dreamlib.imaging.formats import DEEP_ZOOM, FORMATS, format_of
from dreamlib.imaging.open_save import save_picture
from dreamlib.imaging.picture import Metadata, Picture
from dreamlib.imaging.pillow_io import open_header
from dreamlib.util import own_folder
from dreamlib.util.atomic_write import written_whole
from dreamlib.util.journal import PART, Damaged, read_journal, write_journal
from dreamlib.util.progress import phase

#: Beside the frames: the folder of the record, of the last frame before it was rounded, and of a
#: lock.
OWN, JOURNAL, LAST, LOCK = ".film", "journal.json", "last.npz", "lock"

VERSION = 2


class FrameFolder:
    """A folder of frames that a film is made of.

    Parameters
    ----------
    path : str or Path
        Made by `begin`, if it does not exist.
    suffix : str
        Of the frames' files, as ".png"; the record's where frames are resumed.
    resume : bool
        Continue after the frames that exist.

    Attributes
    ----------
    path : Path
    record : dict or None
        The caller's notes on how the frames are made; None before `begin`.

    Raises
    ------
    DreamError
        Frames without `resume`, no record with it, another process at work, or no place to write.
    """

    def __init__(self, path, suffix=".png", resume=False):
        self.path, self._suffix = Path(path), suffix
        self.record, self._sums, self._lock = None, [], None
        if resume:
            self._read_journal()
            return
        if self.path.exists() and not self.path.is_dir():
            raise DreamError(f"{path} is a file; frames go into a folder: name another OUTPUT")
        with reading():
            there = _pictures(self.path) if self.path.exists() else []
        if there:
            raise DreamError(
                f"{path} holds frames already, {there[0].name} for one; continue them with "
                "--resume, or name another OUTPUT"
            )
        folder = self.path if self.path.exists() else self.path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise DreamError(f"{path}: the folder {folder} does not exist or is not writable")

    def _read_journal(self):
        path = self.path / OWN / JOURNAL
        if not path.exists():
            raise DreamError(f"{self.path} holds no unfinished film; begin one without --resume")
        try:
            self._take()
            journal = read_journal(path, VERSION)
        except (OSError, Damaged) as error:
            self.close()
            raise DreamError(
                f"{path} cannot be read: {error}; start again in another folder"
            ) from error
        except DreamError:
            self.close()
            raise
        self.record, self._sums = journal["record"], journal["frames"]
        self._suffix = journal["suffix"]
        for number, known in enumerate(self._sums):
            if _checksum(self._frame(number)) != known:
                del self._sums[number:]
                break

    def _take(self):
        """Keep other processes, and other users' files, out of it."""
        own_folder.check_owner(self.path)
        own_folder.check_owner(self.path / OWN)
        self._lock = own_folder.lock(self.path / OWN / LOCK)
        if self._lock is None:
            raise DreamError(
                f"another process makes the film in {self.path}; wait for it, or name another "
                "OUTPUT"
            )

    def begin(self, record):
        """Make the folder and write the record; a `DreamError` where that fails.

        Parameters
        ----------
        record : dict
            Of values that JSON can hold.
        """
        try:
            (self.path / OWN).mkdir(parents=True, exist_ok=True)
            self._take()
            (self.path / OWN / LAST).unlink(missing_ok=True)
        except OSError as error:
            raise DreamError(f"{self.path} cannot be made: {error.strerror}") from error
        self.note(record)

    def note(self, record):
        """Replace the record; a `DreamError` where that fails.

        Parameters
        ----------
        record : dict
            Of values that JSON can hold.
        """
        self.record = record
        journal = {"record": record, "suffix": self._suffix, "frames": self._sums}
        path = self.path / OWN / JOURNAL
        try:
            write_journal(path, VERSION, journal)
        except OSError as error:
            raise DreamError(f"{path} cannot be written: {error.strerror}") from error

    def close(self):
        """Let go of the folder, which stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self):
        """Remove what was made here, and the folder if nothing else is in it."""
        frames = [self._frame(number).name for number in range(self.whole())]
        own_folder.remove(self.path, frames)
        own_folder.sync(self.path)  # the journal is the last: what it knows can be dreamt again
        own_folder.remove(self.path / OWN, [JOURNAL, JOURNAL + PART, LAST, LOCK])
        own_folder.remove(self.path, [])
        self.close()

    def whole(self):
        """Count the frames that are there as they were dreamt, from 0000 on."""
        return len(self._sums)

    def frames(self):
        """List the paths of these frames."""
        return [self._frame(number) for number in range(self.whole())]

    def add(self, number, levels, text, icc_profile=None, quality=95):
        """Write a frame; a `DreamError` where that fails.

        Parameters
        ----------
        number : int
            From 0.
        levels : (H, W, 3) ndarray of float32
            RGB, 0 to 255; rounded in the file. Not changed.
        text : str
            Its settings, which go into the file.
        icc_profile : bytes, optional
        quality : int
            Of JPEG and WebP, 1 to 100.
        """
        phase("writing")
        like = Picture(None, metadata=Metadata(icc_profile))
        with _suggesting_resume():
            if not self._frame(number).is_file() or self._frame(number).is_symlink():
                own_folder.discard(self._frame(number))
            save_picture(self._frame(number), levels, text, like, quality)
            self._sums[number:] = [_checksum(self._frame(number))]
            self.note(self.record)

    def keep(self, number, levels):
        """Keep a frame unrounded, so that the next one can be made of it: see `last`.

        Parameters
        ----------
        number : int
        levels : (H, W, 3) ndarray
            Written with its dtype. Not changed.
        """
        with _suggesting_resume(), written_whole(self.path / OWN / LAST) as temporary:
            np.savez(temporary, number=number, levels=levels)

    def last(self):
        """Read the frame that was kept; refuse to where one before it is missing.

        Returns
        -------
        number : int
            -1 where there is none.
        levels : (H, W, 3) ndarray or None
        """
        path = self.path / OWN / LAST
        if not path.exists():
            return -1, None
        try:
            with np.load(path) as held:
                number, levels = int(held["number"]), held["levels"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DreamError(
                f"{path} is damaged ({error}); start again in another folder"
            ) from error
        if self.whole() <= number:
            raise DreamError(
                f"{self._frame(self.whole())} is missing or was changed, and frames up to {number} "
                "were dreamt; put it back, or start again in another folder"
            )
        return number, levels

    def _frame(self, number):
        return self.path / f"{number:04d}{self._suffix}"


@contextlib.contextmanager
def _suggesting_resume():
    """Add to an error how the film is continued: the frames before it are kept."""
    try:
        yield
    except DreamError as error:
        raise DreamError(f"{error}; mend that, then continue with --resume") from error


def _checksum(path):
    """Return the CRC-32 of a file; None where there is none, or something else."""
    try:
        with open(os.open(path, os.O_RDONLY | own_folder.FLAGS), "rb") as file:
            return zlib.crc32(file.read())
    except OSError:
        return None


def _pictures(folder):
    """List the pictures in a folder that have numbers for names, as ours have."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.stem.isascii() and path.stem.isdigit() and path.suffix.lower() in FORMATS
    )


@reading()
def find_frames(folder):
    """Find a folder's frames, as ``0000.png``, ``frame-1.png`` or ``a1.jpg`` onwards.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    list of Path
        In the order of their numbers, which may have any number of digits and begin anywhere.

    Raises
    ------
    DreamError
        There are none, or of two kinds of names; a number is missing or used twice, or a frame has
        another size.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DreamError(f"{folder} is no folder; name the one that has the frames")
    numbered = {}
    for number, path in _numbers(folder, _named(folder)):
        other = numbered.setdefault(number, path)
        if other != path:
            raise DreamError(
                f"{folder} has two frames of one number, {other.name} and {path.name}; "
                "move one elsewhere"
            )
    numbers = sorted(numbered)
    for before, after in zip(numbers, numbers[1:]):
        if after != before + 1:
            raise DreamError(
                f"{folder}: between {numbered[before].name} and {numbered[after].name} there is no "
                f"frame {before + 1}; dream it, or give the frames numbers without gaps"
            )
    frames = [numbered[number] for number in numbers]
    check_sizes(frames)
    return frames


def _named(folder):
    """List the pictures whose names are alike but for numbers: [(numbers, path)].

    Where some have nothing but a number, as ours have, it is those.
    """
    kinds = {}
    for path in sorted(folder.iterdir()):
        still = path.suffix.lower() in FORMATS and format_of(path) is not DEEP_ZOOM
        texts = re.split(r"([0-9]+)", path.stem)
        if still and len(texts) > 1 and not path.name.startswith("."):
            numbers = tuple(int(digits) for digits in texts[1::2])
            kinds.setdefault(tuple(texts[::2]), []).append((numbers, path))
    if not kinds:
        raise DreamError(
            f"the folder {folder} has no frames; expected pictures with numbers in their names, as "
            "0000.png, frame-1.png or image-0999.jpg"
        )
    if len(kinds) > 1 and ("", "") not in kinds:
        one, other = sorted(kinds.values(), key=len)[-2:]
        raise DreamError(
            f"{folder} has frames of two names, {other[0][1].name} and {one[0][1].name}; move one "
            "kind elsewhere"
        )
    return kinds.get(("", "")) or next(iter(kinds.values()))


def _numbers(folder, named):
    """Choose the number that counts, where names have several: the one that changes."""
    columns = list(zip(*(numbers for numbers, _ in named)))
    changing = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    if len(changing) > 1:
        raise DreamError(
            f"{folder}: several numbers change from {named[0][1].name} to {named[-1][1].name}; "
            "expected one in a name that counts the frames"
        )
    place = changing[0] if changing else len(columns) - 1
    return [(numbers[place], path) for numbers, path in named]


def check_sizes(frames):
    """Refuse frames that are unreadable or of unequal size, by their headers.

    Parameters
    ----------
    frames : list of Path

    Returns
    -------
    tuple of int
        Height and width of all of them.
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
