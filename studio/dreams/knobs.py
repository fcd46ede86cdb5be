"""Which settings the studio offers, and how; all else follows from `dreamlib.settings.SETTINGS`.

A new knob appears in the form by itself where its values cannot name a file: a number, a switch, a
choice, a text of a given form. A free text has to be let in here, for it may be a path.
"""

from __future__ import annotations

import dataclasses
import uuid

from django.conf import settings

from dreamlib.ascent.octave_script import preset_names
from dreamlib.errors import DreamError
from dreamlib.jobs.keyframes import parse_variations
from dreamlib.models.zoo import list_models
from dreamlib.settings import BY_NAME, SETTINGS
from dreamlib.video.distort import WITHOUT_CODE, parse_chain

#: What the studio itself settles: folders, devices, what is printed; and what is of clips alone.
WITHHELD = {
    "gpu", "memory", "work_dir", "resume", "devices", "preview", "quiet", "classify",
    "frame_format", "carry",
}  # fmt: skip

#: Knobs whose values are pictures of the library.
PICTURES = ("guide", "mask")

#: Free texts that name no file, and the list that helps to fill them in.
TEXTS = {
    "end": "layers", "guide_layer": "layers", "layers": "layers", "target": "classes",
    "distort": "distortions", "vary": "variations",
}  # fmt: skip

#: Free texts of which the form offers some: a function that lists them.
LISTS = {
    "model": lambda: [model.name for model in list_models() if model.has_weights],
    "script": preset_names,
}

#: What everybody sees; the others are folded.
PLAIN = ("model", "end", "target", "guide", "iterations", "octaves", "step_size", "strength")


def offered():
    """List the knobs of the form, in the order of the table."""
    return [_limited(knob) for knob in SETTINGS if _is_offered(knob)]


def _limited(knob):
    """Return a knob with the studio's own limits."""
    return dataclasses.replace(knob, high=settings.MAX_FRAMES) if knob.name == "frames" else knob


def _is_offered(knob):
    if knob.name in WITHHELD:
        return False
    if knob.kind is not str or knob.choices or knob.form:
        return True
    return knob.name in LISTS or knob.name in TEXTS or knob.name in PICTURES


def check_texts(knobs):
    """Refuse texts of a film that would run code or name files, and those that cannot be read.

    Parameters
    ----------
    knobs : dict
        Settings as they are kept, or as a dream has them.

    Raises
    ------
    Refused
    """
    for name, check in (("distort", _check_distort), ("vary", _check_vary)):
        try:
            check(knobs.get(name))
        except DreamError as error:
            raise Refused(str(error).replace("--", ""), name) from error


class Refused(DreamError):
    """A text that is not let in; `setting` is its name."""

    def __init__(self, message, setting):
        super().__init__(message)
        self.setting = setting


def _check_distort(text):
    if text:
        parse_chain(text, kinds=WITHOUT_CODE)


def _check_vary(text):
    for one in parse_variations(text):
        knob = BY_NAME[one.name]
        if knob.kind is str and not knob.form and one.name not in TEXTS:
            raise DreamError(f"vary: {one.name!r} may name files, and does not vary here")


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
