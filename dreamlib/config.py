"""Settings in files: TOML, JSON, the pictures that a dream has made; and presets, by name."""

from __future__ import annotations

import json
from pathlib import Path

from dreamlib.errors import DreamError, nearest
from dreamlib.settings import BY_NAME, NEW_NAMES, meant, to_toml
from dreamlib.util.atomic_write import written_whole
from dreamlib.util.input_file import check_path, read_text
from dreamlib.util.setting import parse_table

#: Suffixes of configurations that are written by hand.
WRITTEN = (".toml", ".json")

#: Where presets are: NAME.toml has a ``description``, settings in tables by model, and in ``any``.
PRESETS = Path(__file__).resolve().parent / "presets"

CONFIGURATIONS = "a .toml file, a .json file or a dreamt picture"


def save_config(path, settings):
    """Write a configuration file, TOML or JSON by its suffix; refuse another.

    Parameters
    ----------
    path : str or Path
    settings : Settings
    """
    check_path(path)
    path = Path(path)
    if path.suffix not in WRITTEN:
        raise DreamError(f"a configuration is saved as .toml or .json, not as {path.name!r}")
    if path.suffix == ".toml":
        text = to_toml(settings)
    else:
        text = json.dumps(settings.recorded(), indent=2) + "\n"
    with written_whole(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def load_config(path):
    """Read settings from a TOML or JSON file, or from a picture that carries them.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict
        Checked values by name; only those that the file has.

    Raises
    ------
    DreamError
        Names the file and the key.
    """
    check_path(path)
    path = Path(path)
    if path.is_dir():
        raise DreamError(f"configuration {path} is a folder; expected {CONFIGURATIONS}")
    try:
        if path.suffix in WRITTEN:
            values = parse_table(read_text(path, path.suffix[1:].upper()), path.suffix)
        else:
            from dreamlib.imaging.formats import format_of
            from dreamlib.imaging.pillow_io import read_settings_text

            if not format_of(path):
                raise DreamError(
                    f"configuration {path} is of no known kind; expected {CONFIGURATIONS}"
                )
            values = _recorded(parse_table(read_settings_text(str(path)), ".toml"), path)
    except ValueError as error:
        raise DreamError(f"configuration {path} is malformed: {error}") from error
    if not isinstance(values, dict):
        given = {list: "a list", str: "a text", type(None): "null"}.get(type(values), repr(values))
        raise DreamError(
            f"configuration {path} holds {given}; expected keys and values, as in "
            f'{{"octaves": {BY_NAME["octaves"].default}}}'
        )
    return _checked(values, path)


def _recorded(values, path):
    """Refuse what no dream writes into its picture: folders, films, addresses of clusters."""
    for name in values if isinstance(values, dict) else ():
        name = NEW_NAMES.get(name, name)
        if name in BY_NAME and not BY_NAME[name].recorded and BY_NAME[name].from_files:
            raise DreamError(
                f"{path} sets {name}, which no dreamt picture does: it is not to be trusted; give "
                f"{BY_NAME[name].flag} yourself"
            )
    return values


def _checked(values, path):
    """Check settings by name, which the file may call by their old ones."""
    checked = {}
    for name, value in values.items():
        name = NEW_NAMES.get(name, name)
        if name not in BY_NAME:
            raise DreamError(f"{path}: there is no setting {name!r}{meant(name)}")
        if not BY_NAME[name].from_files:
            raise DreamError(
                f"{path}: {name} counts on the command line alone; leave it out there, and add "
                f"{BY_NAME[name].flag} if you trust the file"
            )
        checked[name] = BY_NAME[name].check(value, f"{path}: {name}", texts=False)
    return checked


def preset_names(model=None):
    """List the presets.

    Parameters
    ----------
    model : str, optional
        Only those that this model has settings for.

    Returns
    -------
    list of str
    """
    names = sorted(path.stem for path in PRESETS.glob("*.toml"))
    return [name for name in names if model is None or {"any", model} & set(_tables(name))]


def describe_preset(name):
    """Say what a preset makes, and of which models: one line.

    Parameters
    ----------
    name : str
        One of `preset_names`.

    Returns
    -------
    str
    """
    tables = _tables(name)
    models = [table for table in tables if table not in ("any", "description")]
    only = f" ({models[0]} alone)" if len(models) == 1 else ""
    return f"{tables['description']}{only}"


def load_preset(name, model):
    """Read the settings of a preset.

    Parameters
    ----------
    name : str
    model : str
        Of a model: it may have settings of its own.

    Returns
    -------
    dict
        Checked values by name.

    Raises
    ------
    DreamError
        There is no such preset, or it has nothing for this model.
    """
    if name not in preset_names():
        known = nearest(name, preset_names()) or f"; there are: {', '.join(preset_names())}"
        raise DreamError(f"there is no preset {name!r}{known}")
    tables = _tables(name)
    if name not in preset_names(model):
        others = [table for table in tables if table != "description"]
        raise DreamError(
            f"preset {name} is for {' and '.join(others)}, not for {model}: presets name layers. "
            f"For {model} there are: {', '.join(preset_names(model))}"
        )
    return _checked({**tables.get("any", {}), **tables.get(model, {})}, PRESETS / f"{name}.toml")


def _tables(name):
    return parse_table((PRESETS / f"{name}.toml").read_text(encoding="utf-8"), ".toml")
