"""Which settings the studio offers, and how; all else follows from `dreamlib.settings.KNOBS`.

A new knob appears in the form by itself where its values cannot name a file: a number, a switch, a
choice, a text of a given form. A free text has to be let in here, for it may be a path.
"""

from __future__ import annotations

import uuid

from dreamlib.models import list_models
from dreamlib.octave_scripts import preset_names
from dreamlib.settings import KNOBS

#: What the studio itself settles: folders, devices, what is printed.
WITHHELD = {
    "gpu", "memory", "work_dir", "resume", "devices", "preview", "quiet", "classify",
}  # fmt: skip

#: Knobs whose values are pictures of the library.
PICTURES = ("guide", "mask")

#: Free texts that name no file, and the list that helps to fill them in.
TEXTS = {"end": "layers", "guide_layer": "layers", "layers": "layers", "target": "classes"}

#: Free texts of which the form offers some: a function that lists them.
LISTS = {
    "model": lambda: [model.name for model in list_models() if model.has_weights],
    "script": preset_names,
}

#: What everybody sees; the others are folded.
PLAIN = ("model", "end", "target", "guide", "iterations", "octaves", "step_size", "strength")


def offered():
    """List the knobs of the form, in the order of the table."""
    return [knob for knob in KNOBS if _is_offered(knob)]


def _is_offered(knob):
    if knob.name in WITHHELD or knob.group == "films":
        return False
    if knob.kind is not str or knob.choices or knob.form:
        return True
    return knob.name in LISTS or knob.name in TEXTS or knob.name in PICTURES


def values_for(owner_id, knobs):
    """Turn settings as they are kept into those of a dream: library pictures become files.

    Raises
    ------
    FileNotFoundError
        One of the pictures is not the owner's, or not there any more.
    """
    pictures = _pictures(owner_id, knobs)
    return {**knobs, **{name: str(picture.file) for name, picture in pictures.items()}}


def names_for(owner_id, knobs):
    """Return what the library calls the pictures among settings: {setting: name}."""
    return {name: picture.name for name, picture in _pictures(owner_id, knobs).items()}


def _pictures(owner_id, knobs):
    from studio.pictures.models import Picture

    found = {}
    for name in PICTURES:
        if name in knobs:
            try:
                found[name] = Picture.objects.get(pk=uuid.UUID(knobs[name]), owner=owner_id)
            except (ValueError, Picture.DoesNotExist) as error:
                raise FileNotFoundError from error
    return found
