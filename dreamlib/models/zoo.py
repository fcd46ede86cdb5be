"""Models by name: the folders of $DREAM_MODELS, of the working directory and of the repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dreamlib.errors import DreamError, nearest, reading
from dreamlib.models.model import REPOSITORY, TOML, load_model
from dreamlib.util.input_file import check_path

GOOGLENET, EMBEDDED = "bvlc_googlenet", "efficientnet_lite0"


@reading()
def find_model(name_or_folder=None):
    """Find a model by its name, or in a folder.

    Parameters
    ----------
    name_or_folder : str, optional
        A name from `list_models`; or a folder, which needs a separator in it where it is also a
        name ("./NAME"). Without it: bvlc_googlenet if its weights are there, else the embedded
        efficientnet_lite0. Several folders of a name: the first that has weights, in the order of
        `search_path`.

    Returns
    -------
    dreamlib.models.model.Model

    Raises
    ------
    DreamError
        There is no such model, or its folder does not say enough.
    """
    if name_or_folder is None:
        googlenet = _first_with_weights(_folders_of(GOOGLENET))
        return googlenet if googlenet and googlenet.has_weights else find_model(EMBEDDED)
    given = os.fspath(name_or_folder)
    check_path(given)
    model = None if _is_path(given) else _first_with_weights(_folders_of(given))
    if model:
        return model
    folder = Path(os.path.expanduser(given))
    if os.path.isdir(folder):
        return load_model(folder)
    if os.path.isfile(folder):
        raise DreamError(
            f"{given} is a file; expected a model's name or its folder: {folder.parent}"
        )
    names = sorted(_all_folders())
    hint = nearest(given, names) or f"; there are: {', '.join(names) or 'none'}"
    searched = ", ".join(map(str, search_path()))
    raise DreamError(
        f"no model {given!r}; expected a folder or a name, looked for in {searched}{hint}"
    )


def absolute_name(name_or_folder):
    """Spell a model so that a file can repeat it anywhere: a folder becomes absolute.

    Parameters
    ----------
    name_or_folder : str

    Returns
    -------
    str
    """
    folder = os.path.expanduser(name_or_folder)
    if os.path.isdir(folder) and (_is_path(name_or_folder) or not _folders_of(name_or_folder)):
        return os.path.abspath(folder)
    return name_or_folder


@reading()
def list_models():
    """List the models of `search_path` (list of Model, by name), one of each name."""
    return [_first_with_weights(folders) for _, folders in sorted(_all_folders().items())]


def search_path():
    """List where model folders are (list of Path): $DREAM_MODELS, ./models, the repository's."""
    given = [p for p in os.environ.get("DREAM_MODELS", "").split(os.pathsep) if p]
    places = [*(Path(p).expanduser() for p in given), Path("models"), REPOSITORY / "models"]
    unique = {}
    for place in places:
        unique.setdefault(place.resolve(), place)
    return list(unique.values())


@reading()
def models_with(layer):
    """List the models of `search_path` whose prototxt has a layer of this name.

    Parameters
    ----------
    layer : str

    Returns
    -------
    list of str
        Names, sorted.
    """
    written = re.compile(rf'\bname:\s*"{re.escape(layer)}"'.encode())
    files = {name: [file for folder in folders for file in folder.glob("*.prototxt")]
             for name, folders in _all_folders().items()}  # fmt: skip
    return sorted(name for name, them in files.items() if any(
        file.is_file() and written.search(file.read_bytes()) for file in them))  # fmt: skip


def _is_path(given):
    separators = [os.sep] + ([os.altsep] if os.altsep else [])
    return given in (".", "..") or given.startswith("~") or any(s in given for s in separators)


def _folders_of(name):
    return _all_folders().get(name, [])


def _all_folders():
    """Return {name: folders of that name in the order of the search path}."""
    found = {}
    for place in search_path():
        if place.is_dir():
            for folder in sorted(place.iterdir()):
                if (folder / TOML).is_file() or (folder / "deploy.prototxt").is_file():
                    found.setdefault(folder.name, []).append(folder)
    return found


def _first_with_weights(folders):
    models = [load_model(folder) for folder in folders]
    return next((model for model in models if model.has_weights), models[0] if models else None)
