"""The form of a new dream, made from the table of settings."""

from __future__ import annotations

import re

from django import forms

from dreamlib.errors import DreamError
from dreamlib.models import find_model
from dreamlib.settings import BY_NAME
from studio.pictures.models import Picture

from .devices import alive
from .knobs import LISTS, PICTURES, PLAIN, TEXTS, offered
from .models import ANY

#: Outputs: the suffix, and what it is called.
OUTPUTS = ((".png", "PNG"), (".tif", "TIFF"), (".jpg", "JPEG"), (".webp", "WebP"))
NOISE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
NOISE_PIXELS = 100_000_000

#: What the command's help says of files is not for a page.
HELPS = {
    "model": "The network that dreams",
    "script": "Draw by this octave script instead of octaves; such a dream cannot be gone on with",
    "target": "Dream classes: names or numbers, as goldfish, ostrich:0.5, 963; a weight below 0 "
    "avoids one; random draws one",
    "guide": "Make the picture more like this one of the library",
    "guide_layer": "Layer in which it is to be like the guide; by default the layer that is dreamt",
    "mask": "A picture of how much of the dream is wanted where: white is all",
    "end": "Layer to dream: low ones give strokes, textures; high ones eyes, animals, buildings; "
    "by default the model's own choice",
}
LABELS = {"end": "Layer", "pull_mean": "Pull to the mean", "tiff": "TIFF layout"}


class DreamForm(forms.Form):
    """Everything of a dream: its picture, its device, and a field for each knob.

    Parameters
    ----------
    user : User
        Whose pictures are to choose from.
    """

    picture = forms.ModelChoiceField(None, required=False, empty_label="no picture: noise")
    noise = forms.CharField(
        required=False, max_length=13, label="Size of the noise",
        help_text="WIDTHxHEIGHT, where there is no picture",
    )  # fmt: skip
    name = forms.CharField(required=False, max_length=120, help_text="by default the picture's")
    suffix = forms.ChoiceField(choices=OUTPUTS, label="Format", required=False)
    queue = forms.ChoiceField(label="Device", required=False)

    def __init__(self, user, *arguments, **named):
        super().__init__(*arguments, **named)
        self._user = user
        pictures = Picture.objects.filter(owner=user)
        self.fields["picture"].queryset = pictures
        devices = dict.fromkeys(alive().values_list("name", flat=True))
        given = {self.data.get("queue"), self.initial.get("queue")} - {None, "", ANY}
        self.fields["queue"].choices = [(ANY, "the next free one")] + [
            (name, name) for name in [*devices, *sorted(given - set(devices))]
        ]
        for knob in offered():
            field = _field(knob, pictures)
            field.label = LABELS.get(knob.name, knob.name.replace("_", " ").capitalize())
            field.help_text = _help(knob)
            field.widget.attrs["aria-describedby"] = f"id_{knob.name}_help"
            self.fields[knob.name] = field

    def groups(self):
        """Give what is folded: pairs of a heading and its bound fields."""
        groups = {}
        for knob in offered():
            if knob.name not in PLAIN:
                groups.setdefault(knob.group, []).append(self[knob.name])
        return [
            (heading, fields, any(field.errors or _is_set(field) for field in fields))
            for heading, fields in groups.items()
        ]

    def about(self):
        """List the fields that are not of the dream itself."""
        return [self[name] for name in ("picture", "noise", "name", "suffix", "queue")]

    def plain(self):
        """List the fields that everybody sees."""
        return [self[name] for name in PLAIN if name in self.fields]

    def clean_noise(self):
        """Take a size that makes sense."""
        noise = self.cleaned_data["noise"]
        match = NOISE.fullmatch(noise)
        if noise and (not match or int(match[1]) * int(match[2]) > NOISE_PIXELS):
            raise forms.ValidationError("Expected WIDTHxHEIGHT in pixels, as 512x384.")
        return noise

    def clean(self):
        """Bring the knobs into `cleaned_data["knobs"]`: what differs from its default."""
        cleaned = super().clean()
        if not cleaned.get("picture") and not cleaned.get("noise") and not self.errors:
            self.add_error("picture", "Choose a picture, or give the size of the noise.")
        knobs = {}
        for knob in offered():
            value = cleaned.get(knob.name)
            if value in (None, "") or knob.name in self.errors:
                continue
            if knob.name in PICTURES:
                value = str(value.pk)
            try:
                value = knob.check(value, knob.name)
            except DreamError as error:
                self.add_error(knob.name, str(error))
                continue
            if value != knob.default:
                knobs[knob.name] = value
        cleaned["knobs"] = knobs
        cleaned["queue"] = cleaned.get("queue") or ANY
        cleaned["suffix"] = cleaned.get("suffix") or ".png"
        return cleaned


def _is_set(field):
    """Tell whether a knob's field begins with something else than the knob does."""
    default = BY_NAME[field.name].default
    return field.initial not in (None, "", default)


def initial_of(knobs):
    """Return what a form begins with for settings that were given."""
    return {knob.name: knobs.get(knob.name, knob.default) for knob in offered()}


def _field(knob, pictures):
    """Make the field of a knob."""
    if knob.name in PICTURES:
        return forms.ModelChoiceField(pictures, required=False, empty_label="none")
    if knob.name in LISTS:
        default = f"{find_model(None).name} (default)" if knob.name == "model" else "by itself"
        choices = [("", default)] + [(name, name) for name in LISTS[knob.name]()]
        return forms.ChoiceField(choices=choices, required=False)
    if knob.choices:
        choices = [(choice, choice) for choice in knob.choices]
        if knob.default is None:
            choices.insert(0, ("", "by itself"))
        return forms.ChoiceField(choices=choices, required=False, initial=knob.default)
    if knob.kind is bool:
        return forms.BooleanField(required=False, initial=knob.default)
    if knob.kind is str:
        field = forms.CharField(required=False, max_length=2000)
        if knob.name in TEXTS:
            field.widget.attrs.update({"data-list": TEXTS[knob.name], "autocomplete": "off"})
        return field
    least = knob.low if knob.low is not None else knob.above
    limits = {"min": least, "max": knob.high, "step": 1 if knob.kind is int else "any"}
    attributes = {name: value for name, value in limits.items() if value is not None}
    kind = forms.IntegerField if knob.kind is int else forms.FloatField
    field = kind(required=False, initial=knob.default)
    field.widget = forms.NumberInput(attrs=attributes)
    return field


def _help(knob):
    """Say what a knob does, what values it takes, and what it is by itself."""
    text = HELPS.get(knob.name) or knob.help[0].upper() + knob.help[1:]
    parts = [text.replace("--", "")]
    if knob.kind in (int, float) or knob.form:
        parts.append(f"{knob.expectation()}".capitalize())
    if knob.default is not None and knob.kind is not bool and knob.name in BY_NAME:
        parts.append(f"Default {knob.default}")
    return ". ".join(parts) + "."
