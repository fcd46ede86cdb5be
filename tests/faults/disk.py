"""A disk that loses its power: what was synced is there afterwards, of the rest some."""

import os
import random
import shutil
import stat
import tempfile
from pathlib import Path


class Disk:
    """Knows what of a folder, and of the folders in it, is safe from a power cut.

    Parameters
    ----------
    folder : str or Path
        What is in it now counts as safe.
    """

    BLOCK = 16

    def __init__(self, folder):
        self.folder = Path(folder)
        self._all = Path(tempfile.mkdtemp(dir=self.folder.parent))  # every file, by inode
        self._names, self._data = {}, {}  # of folders and files, by inode
        self.synced_all()

    def _folders(self):
        return [self.folder, *(path for path in self.folder.rglob("*") if _is_folder(path))]

    def note(self):
        """See what files there are: to be called before each change, which may take a name away."""
        for folder in self._folders():
            for path in folder.iterdir():
                kept = self._all / str(path.lstat().st_ino)
                if not _is_folder(path) and not kept.exists():
                    os.link(path, kept, follow_symlinks=False)

    def synced(self, handle):
        """Count a file's contents, or the names in a folder, as safe from now on."""
        self.note()
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            self._names[status.st_ino] = _listing(handle)
        elif (self._all / str(status.st_ino)).exists():
            self._data[status.st_ino] = self._now(status.st_ino)

    def synced_all(self):
        """Count everything as safe from now on."""
        self.note()
        for folder in self._folders():
            self._names[folder.stat().st_ino] = _listing(folder)
        self._data = {int(kept.name): kept.read_bytes() for kept in self._all.iterdir()}

    def _now(self, inode):
        return (self._all / str(inode)).read_bytes()

    def lose_power(self, seed, certain=None):
        """Leave in the folder what may be there after a power cut.

        Parameters
        ----------
        seed : int
            Chooses among what may be.
        certain : str, optional
            Of all names that were not synced it is that one alone that came through.
        """
        self.note()
        chance, left = random.Random(seed), Path(tempfile.mkdtemp(dir=self.folder.parent))
        self._leave(self.folder, left, chance, certain)
        for path in self.folder.iterdir():
            shutil.rmtree(path) if _is_folder(path) else path.unlink()
        for path in left.iterdir():
            path.rename(self.folder / path.name)
        left.rmdir()
        shutil.rmtree(self._all)

    def _leave(self, folder, left, chance, certain):
        listing, safe = _listing(folder), self._names.get(folder.stat().st_ino, {})
        for name in sorted({*listing, *safe}):
            new, old = listing.get(name), safe.get(name)
            inode = chance.choice((new, old)) if certain is None else old
            if name == certain:
                inode = new
            if inode is None:
                continue
            if (self._all / str(inode)).exists():
                (left / name).write_bytes(self._mixed(inode, chance))
            elif _is_folder(folder / name):  # one that was removed comes back with nothing in it
                (left / name).mkdir()
                self._leave(folder / name, left / name, chance, certain)
            else:
                (left / name).mkdir()

    def _mixed(self, inode, chance):
        now, safe = self._now(inode), self._data.get(inode, b"")
        size = chance.choice((len(now), len(safe)))
        now, safe = (data.ljust(size, b"\0")[:size] for data in (now, safe))
        starts = range(0, size, self.BLOCK)
        return b"".join(chance.choice((now, safe))[start : start + self.BLOCK] for start in starts)


def _is_folder(path):
    return path.is_dir() and not path.is_symlink()


def _listing(folder):
    """Return the names in a folder, and the inodes that they stand for."""
    return {
        name: os.stat(os.path.join(path, name), follow_symlinks=False).st_ino
        for path in [folder if not isinstance(folder, int) else f"/proc/self/fd/{folder}"]
        for name in os.listdir(path)
    }
