"""Journals: what a killed job is resumed from, as JSON with a digest of itself.

A journal is replaced as a whole, on the disk before it counts. One that was damaged, or changed by
hand, is known by its digest, so nothing else has to be doubted in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.util.own_folder import FLAGS, discard, sync

#: How the name of a journal that is not complete ends.
PART = ".part"


class Damaged(Exception):
    """A journal is not what was written; says what is wrong with it."""


def write_journal(path, version, values):
    """Replace a journal.

    Parameters
    ----------
    path : Path
    version : int
        Of its form.
    values : dict
        Of what JSON knows, with str for keys.

    Raises
    ------
    OSError
        The one before is still there then.
    """
    whole = {"version": version, "sha256": _digest(values), **values}
    part = Path(f"{path}{PART}")
    discard(part)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o666)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(whole, file)
        file.flush()
        os.fsync(handle)
    os.replace(part, path)
    sync(path.parent)


def read_journal(path, version):
    """Read a journal.

    Parameters
    ----------
    path : Path
    version : int
        That is expected.

    Returns
    -------
    dict
        Its values.

    Raises
    ------
    DreamError
        It is of another version.
    Damaged
    OSError
        It cannot be read, or is a link.
    """
    handle = os.open(path, os.O_RDONLY | FLAGS)
    with open(handle, "rb") as file:
        data = file.read()
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"no JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("version"), int):
        raise Damaged("it has no version")
    if values.pop("version") != version:
        raise DreamError(
            f"{path} was written by another version of the program, which alone can resume it"
        )
    if values.pop("sha256", None) != _digest(values):
        raise Damaged("it has another digest than it names")
    return values


def _digest(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
