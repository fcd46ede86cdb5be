"""The files that a dream names, on machines without a common folder.

A worker uses its own where they have the same contents; others are sent to it, once, and lie in its
own folder by their digests until it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from dreamlib.errors import DreamError
from dreamlib.models.model import load_model
from dreamlib.tiling.work_folder import fingerprint
from dreamlib.util.atomic_write import written_whole

#: Folder of what was sent, in a worker's own.
SENT = "dream-files"


def files_of(dream):
    """List the files that a worker needs for a dream.

    Parameters
    ----------
    dream : dreamlib.tiling.octaves.Dream

    Returns
    -------
    dict of str -> dict of str -> str
        For each path that the dream names, the digests of the files there, by their names; of a
        path that is no folder, by "".
    """
    specs = [octave.objective for octave in dream.octaves]
    specs += [judge.objective for judge in dream.judges]
    named = {path for spec in specs for path in (*spec.of_pictures, *spec.masks)}
    named |= {dream.model, dream.gradient.mask, *(judge.model for judge in dream.judges)} - {""}
    return {path: _digests(Path(path)) for path in sorted(named)}


def _digests(path):
    if not path.is_dir():
        return {"": fingerprint(path)["sha256"]}
    model = load_model(path)
    files = {file for file in path.iterdir() if file.is_file() and file.name[0] != "."}
    files |= {file for file in (model.prototxt, model.weights, model.labels) if file}
    names = {os.path.relpath(file, path): file for file in sorted(files)}
    if any(name.startswith(os.pardir) for name in names):
        raise DreamError(
            f"model {model.name} has files outside its folder {path}, which cannot be sent to a "
            "cluster; put them into it"
        )
    return {name: fingerprint(file)["sha256"] for name, file in names.items()}


def lacking(files):
    """List what this worker has to be sent.

    Parameters
    ----------
    files : dict
        See `files_of`.

    Returns
    -------
    list of (str, str)
        Path and name of each such file.
    """
    return [
        (path, name)
        for path, digests in files.items()
        if not _is_here(path, digests)
        for name, digest in digests.items()
        if not (_sent() / digest).exists()
    ]


def _is_here(path, digests):
    try:
        return _digests(Path(path)) == digests
    except (OSError, DreamError):
        return False


def _sent():
    from distributed import get_worker

    return Path(get_worker().local_directory) / SENT


def receive(digest, contents):
    """Keep a file that was sent.

    Parameters
    ----------
    digest : str
    contents : bytes
    """
    if hashlib.sha256(contents).hexdigest() != digest:
        raise DreamError("a file of the dream has changed since it was begun; resume with --resume")
    _sent().mkdir(exist_ok=True)
    with written_whole(_sent() / digest) as path:
        Path(path).write_bytes(contents)


def at_home(dream, files):
    """Let a dream name its files where this worker has them.

    Parameters
    ----------
    dream : str
        As `Dream.to_json` writes it.
    files : dict
        See `files_of`.

    Returns
    -------
    str
        The same with other paths.
    """
    places = {}
    for path, digests in files.items():
        if _is_here(path, digests):
            continue
        # A folder for each set of contents; the names in it are the driver's.
        place = _sent() / hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
        place /= Path(path).name
        for name, digest in digests.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            if not (place / name).exists():
                shutil.copyfile(_sent() / digest, place / name)
        places[path] = str(place)
    return json.dumps(_renamed(json.loads(dream), places))


def _renamed(value, names):
    """Replace texts within plain values."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: _renamed(one, names) for key, one in value.items()}
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value
