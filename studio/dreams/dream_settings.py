"""The settings that the studio offers; all about them follows from `dreamlib.SETTINGS`.

A new setting appears in the form by itself where its values cannot name a file: a number, a switch,
a choice, a text of a given form. A free text has to be let in here, for it may be a path.
"""

from __future__ import annotations

import dataclasses
import uuid

from django.conf import settings

from dreamlib import SETTINGS, list_models, script_presets
from studio.pictures.models import Picture
from studio.texts import TEXTS

#: Chosen by the studio itself (folders, devices, output on a terminal), or for clips alone.
WITHHELD = {
    "gpu", "memory", "work_dir", "resume", "devices", "cluster", "preview", "quiet", "classify",
    "frame_format", "carry", "allow_code", "from_", "to", "every", "growth", "overwrite",
}  # fmt: skip

#: Settings whose values are pictures of the library.
PICTURES = ("guide", "mask")

#: Free texts of which the form offers some: a function that lists them.
LISTS = {
    "model": lambda: [model.name for model in list_models() if model.has_weights],
    "script": script_presets,
}

#: Always shown; the others are folded.
PLAIN = ("model", "end", "target", "guide", "iterations", "octaves", "step_size", "strength")


def offered():
    """List the settings of the form, in the order of the table."""
    return [_limited(setting) for setting in SETTINGS if _is_offered(setting)]


def _limited(setting):
    """Return a setting with the studio's own limits."""
    if setting.name != "frames":
        return setting
    return dataclasses.replace(setting, high=settings.MAX_FRAMES)


def _is_offered(setting):
    if setting.name in WITHHELD:
        return False
    if setting.kind is not str or setting.choices or setting.form:
        return True
    return setting.name in LISTS or setting.name in TEXTS or setting.name in PICTURES


def values_for(owner_id, values):
    """Turn settings as they are kept into those of a dream: library pictures become files.

    Parameters
    ----------
    owner_id : int
    values : dict
        Of `Dream.settings`.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        One of the pictures is not the owner's, or not there any more.
    """
    pictures = _pictures(owner_id, values)
    return {**values, **{name: str(picture.file) for name, picture in pictures.items()}}


def names_for(owner_id, values):
    """Return the names in the library of the pictures among settings.

    Parameters
    ----------
    owner_id : int
    values : dict
        Of `Dream.settings`.

    Returns
    -------
    dict
        Setting -> name.

    Raises
    ------
    FileNotFoundError
        One of the pictures is not the owner's, or not there any more.
    """
    return {name: picture.name for name, picture in _pictures(owner_id, values).items()}


def _pictures(owner_id, values):
    found = {}
    for name in PICTURES:
        if name in values:
            try:
                found[name] = Picture.objects.get(pk=uuid.UUID(values[name]), owner=owner_id)
            except (ValueError, Picture.DoesNotExist) as error:
                raise FileNotFoundError from error
    return found
