"""Named settings to begin with: the command's own presets."""

from __future__ import annotations

from functools import lru_cache

from dreamlib import find_model, load_preset, preset_names


@lru_cache(maxsize=8)
def presets(model=None):
    """Return the settings of each preset that a model has, by name.

    Parameters
    ----------
    model : str, optional
        The one that is dreamt by default, unless named.

    Returns
    -------
    dict of str -> dict
    """
    model = model or find_model(None).name
    return {name: load_preset(name, model) for name in preset_names(model)}
