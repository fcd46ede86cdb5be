"""Tables of plain values from TOML and JSON texts."""

from __future__ import annotations

import json


def parse_table(text, suffix):
    """Read a TOML or JSON text.

    Parameters
    ----------
    text : str
    suffix : {'.toml', '.json'}

    Returns
    -------
    object
        Python's own dicts, lists, texts and numbers.

    Raises
    ------
    ValueError
        It is malformed, or has a key twice.
    """
    if suffix == ".toml":
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            # Through JSON, since tomlkit's values remember their spelling.
            text = json.dumps(tomlkit.parse(text), default=_plain)
        except TOMLKitError as error:
            raise ValueError(str(error)) from error
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _plain(item):
    """Return the bool of one within a list, which tomlkit wraps, and a date as a text."""
    return item.value if isinstance(item.value, bool) else str(item)


def _without_duplicates(pairs):
    values = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"key {name!r} is there twice; keep one")
        values[name] = value
    return values
