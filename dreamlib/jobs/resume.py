"""A dream is resumed with the settings and the files that it was begun with."""

from __future__ import annotations

import hashlib
import os

import numpy as np

from dreamlib.ascent.objective_parser import absolute_guides, absolute_layers, files_of
from dreamlib.ascent.octave_script import absolute_script, is_file
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import Picture
from dreamlib.jobs.keyframes import absolute_variations, parse_variations
from dreamlib.jobs.objective import absolute_judges, numbered_targets, parse_judges
from dreamlib.models.engines import layer_of
from dreamlib.models.model import TOML
from dreamlib.models.zoo import absolute_name, find_model
from dreamlib.settings import BY_NAME
from dreamlib.tiling import work_folder
from dreamlib.tiling.work_folder import fingerprint
from dreamlib.video import frame_folder


def resumed(settings, folder):
    """Return the settings that an unfinished dream was begun with; refuse others that were given.

    Parameters
    ----------
    settings : Settings
    folder : object
        With `path` and `record`: a work folder, or a folder of frames.

    Returns
    -------
    Settings
    """
    before = folder.record["settings"]
    now = _spelt_as_recorded(settings, before)
    changed = [
        f"{name} was {before.get(name, 'left open')}, is now {now[name]}"
        for name in sorted(settings.given & set(now))
        if now[name] != before.get(name)
    ]
    if changed:
        raise DreamError(
            f"the dream in {folder.path} was begun with other settings: {'; '.join(changed)}. "
            "Resume it with its own (none need be given), or begin anew in another --work-dir"
        )
    return settings.replace(**before)


def _spelt_as_recorded(settings, before):
    """Return the settings that make a dream, with paths and names as a record has them."""
    now = settings.recorded()
    spell = {
        "model": absolute_name,
        "end": lambda name: name if name == before.get("end") else _layer_of(before, name),
        "judges": absolute_judges,
        "mask": os.path.abspath,
        "script": absolute_script,
        "guide": absolute_guides,
        "guide_layer": absolute_layers,
        "layers": absolute_layers,
        "vary": absolute_variations,
        "target": lambda text: numbered_targets(text, find_model(before["model"]), before["seed"]),
    }
    return {name: spell[name](value) if name in spell else value for name, value in now.items()}


def _layer_of(before, name):
    """Return the layer that `end` names by its blob, of the model of a record."""
    if "model" not in before or "engine" not in before:
        return name
    return layer_of(find_model(before["model"]), before["engine"], name)


def refuse_changes(folder, record):
    """Refuse to resume a dream whose pictures or network have changed.

    Parameters
    ----------
    folder : object
        With `path` and `record`.
    record : dict
        With the fingerprints of now under "files".
    """
    there, was = record["files"], folder.record["files"]
    for name in [*there, *(was.keys() - there.keys())]:
        now, before = there.get(name, "not there"), was.get(name, "not there")
        if now != before:
            raise DreamError(
                f"{name} of the dream in {folder.path} has changed since it was begun: it was "
                f"{_described(before)}, is now {_described(now)}. Bring it back, or begin anew in "
                "another --work-dir"
            )


def fingerprints(source, model, settings):
    """Return what identifies the files that a dream is made of, by their part in it.

    A guide or a mask that is no picture is refused.

    Parameters
    ----------
    source : str or Picture
        The input.
    model : dreamlib.models.model.Model
    settings : Settings

    Returns
    -------
    dict of str -> dict or str
    """
    prints = {
        "the input picture": _of_source(source),
        **_of_model("the model", model),
    }
    taken = {name: getattr(settings, name) for name in ("from_", "to", "every")}
    if any(number is not None for number in taken.values()):
        prints["the choice of frames"] = " ".join(
            f"{BY_NAME[name].flag} {number}" for name, number in taken.items() if number is not None
        )
    for name in parse_judges(settings.judges):
        prints.update(_of_model(f"the judge {name}", find_model(name)))
    pictures = [
        file
        for name in ("guide", "guide_layer", "layers")
        if getattr(settings, name)
        for file in files_of(name, getattr(settings, name))
    ]
    pictures += [file for one in parse_variations(settings.vary) for file in one.files]
    if settings.mask:
        pictures.append((f"the mask {settings.mask}", settings.mask))
    if settings.script and is_file(settings.script):
        prints["the octave script"] = fingerprint(settings.script)
    for name, path in pictures:
        open_picture(path, 0, "")  # refuses what is none, before there is a folder
        prints[name] = fingerprint(path)
    return prints


def _of_source(source):
    """Return what identifies a picture: one held, noise, a file, or all files of a folder."""
    if isinstance(source, Picture):
        digest = hashlib.sha256(np.ascontiguousarray(source.pixels).data).hexdigest()
        return {"bytes": source.pixels.nbytes, "sha256": digest}
    if source.startswith("noise:"):
        return source
    if not os.path.isdir(source):
        return fingerprint(source)
    known, size = hashlib.sha256(), 0
    for path in frame_folder.find_frames(source):
        one = fingerprint(path)
        known.update(f"{path.name} {one['sha256']}\n".encode())
        size += one["bytes"]
    return {"bytes": size, "sha256": known.hexdigest()}


def unfinished(folder):
    """Tell whether a folder holds a dream or a film that can be resumed.

    Parameters
    ----------
    folder : Path
        The setting `work_dir` of a picture; the output of a film.

    Returns
    -------
    bool
    """
    film = folder / frame_folder.OWN / frame_folder.JOURNAL
    return (folder / work_folder.JOURNAL).exists() or film.exists()


def _of_model(what, model):
    """Return what identifies the files of a model that its dream depends on."""
    files = {"weights": model.weights, "network": model.prototxt, "model.toml": model.folder / TOML}
    there = {name: path for name, path in files.items() if path.exists()}
    prints = {f"{what}'s {name}": fingerprint(path) for name, path in there.items()}
    return {**prints, f"{what}'s mean": str(model.mean)}


def _described(print_of_file):
    if isinstance(print_of_file, str):
        return print_of_file
    return f"{print_of_file['bytes']} bytes with SHA-256 {print_of_file['sha256'][:12]}..."
