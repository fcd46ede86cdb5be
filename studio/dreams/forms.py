"""The form of a new dream, made from the table of settings."""

from __future__ import annotations

import re

from django import forms
from django.conf import settings

from dreamlib import (
    BY_NAME,
    DEFAULT_FPS,
    DISTORTIONS_WITHOUT_CODE,
    DreamError,
    check_film,
    distortion_forms,
    find_model,
)
from studio.dreams.devices import alive
from studio.dreams.dream_settings import LISTS, PICTURES, PLAIN, offered
from studio.dreams.models import ANY
from studio.pictures.models import Picture
from studio.texts import TEXTS, Refused, check_texts

#: Names of films' formats in the form -> suffix: a .webp may be a picture or a film.
FILMS = {".mp4": ".mp4", ".webm": ".webm", ".gif": ".gif", "film.webp": ".webp"}

#: Formats: their names in the form, and to people.
OUTPUTS = (
    ("A picture", ((".png", "PNG"), (".tif", "TIFF"), (".jpg", "JPEG"), (".webp", "WebP"))),
    ("A film", ((".mp4", "MP4"), (".webm", "WebM"), (".gif", "GIF"),
                ("film.webp", "WebP, animated"))),
)  # fmt: skip
NOISE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
NOISE_PIXELS = 100_000_000

#: Help for the page where the command's own speaks of files.
HELPS = {
    "model": "The network that dreams",
    "script": "Draw by this octave script instead of octaves",
    "target": "Dream classes: names or numbers, as goldfish, ostrich:0.5, 963; a weight below 0 "
    "avoids one; random draws one",
    "guide": "Make the picture more like this one of the library",
    "layers": "Dream a mixture instead: LAYER:WEIGHT, LAYER[12,47-50], mean(LAYER), "
    "LAYER[12]@COLUMNxROW, with commas between; a negative weight suppresses",
    "guide_layer": "Layers in which it is to be like the guide, as LAYER or LAYER, LAYER:0.5; by "
    "default the layer that is dreamt",
    "end": "Layer to dream: low ones give strokes, textures; high ones eyes, animals, buildings; "
    "by default the model's own choice",
    "frames": "Number of frames of a film: each is the dream of the one before, distorted",
    "distort": "Distortions of a frame before it is dreamt again, as zoom:0.05, rotate:2; by "
    "default zoom:0.05; none for nothing",
    "vary": "Settings that change over the frames, with commas between: step_size:1.5..0.5 runs "
    "from one to the other, target:CLASS..CLASS and layers:A..B fade, step_size:0.5~1.5/20 swings "
    "within 20 frames, end:LAYER|LAYER takes turns",
    "fps": "Frames in a second; by default 12.5; a GIF has up to 50, a WebP up to 90",
    "quality": "Of a JPEG, a WebP or a film",
}
LABELS = {
    "end": "Layer", "tv": "Total variation", "tiff": "TIFF layout",
    "distort_every": "Distort every", "fps": "Frames per second",
}  # fmt: skip


class DreamForm(forms.Form):
    """Everything of a dream: its picture, its device, and a field for each setting.

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
        for setting in offered():
            field = _field(setting, pictures)
            field.label = LABELS.get(setting.name, setting.name.replace("_", " ").capitalize())
            field.help_text = _help(setting)
            field.widget.attrs["aria-describedby"] = f"id_{setting.name}_help"
            self.fields[setting.name] = field

    def groups(self):
        """List what is folded: heading, bound fields, and whether it is open, of each group."""
        groups = {}
        for setting in offered():
            if setting.name not in PLAIN:
                groups.setdefault(setting.group, []).append(self[setting.name])
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

    @staticmethod
    def distortions():
        """List the distortions that a chain may have: name, form and help of each."""
        return distortion_forms(DISTORTIONS_WITHOUT_CODE)

    def clean_noise(self):
        """Take a size that makes sense."""
        noise = self.cleaned_data["noise"]
        match = NOISE.fullmatch(noise)
        if noise and (not match or int(match[1]) * int(match[2]) > NOISE_PIXELS):
            raise forms.ValidationError("Expected WIDTHxHEIGHT in pixels, as 512x384.")
        return noise

    def clean(self):
        """Collect the settings that differ from their defaults in `cleaned_data["settings"]`."""
        cleaned = super().clean()
        if not cleaned.get("picture") and not cleaned.get("noise") and not self.errors:
            self.add_error("picture", "Choose a picture, or give the size of the noise.")
        values = {}
        for setting in offered():
            value = cleaned.get(setting.name)
            if value in (None, "") or setting.name in self.errors:
                continue
            if setting.name in PICTURES:
                value = str(value.pk)
            try:
                value = setting.check(value, setting.name)
            except DreamError as error:
                self.add_error(setting.name, str(error))
                continue
            if value != setting.default:
                values[setting.name] = value
        output = cleaned.get("suffix") or ".png"
        if output in FILMS:
            self._check_film(values, FILMS[output])
        else:
            if values.get("frames"):
                self.add_error(
                    "suffix", "Frames make a film: choose a film's format, or leave them out."
                )
            values = {
                name: value for name, value in values.items()
                if "picture" in BY_NAME[name].applies_to
            }  # fmt: skip
        cleaned["settings"] = values
        cleaned["queue"] = cleaned.get("queue") or ANY
        cleaned["suffix"] = FILMS.get(output, output)
        return cleaned

    def _check_film(self, values, suffix):
        """Refuse a film that could not be made, before hours are spent on its frames."""
        if not values.get("frames") and "frames" not in self.errors:
            self.add_error("frames", "Say how many frames the film has.")
        if values.get("reverse") and values.get("boomerang"):
            self.add_error("reverse", "A boomerang runs both ways already.")
        for name in values:
            if "frames" not in BY_NAME[name].applies_to:
                self.add_error(name, "This means nothing to a film; leave it out.")
        film = settings.DATA / f"film{suffix}"
        try:
            check_film(film, values.get("fps", DEFAULT_FPS))
        except DreamError as error:
            self.add_error("fps", str(error).replace(str(film), "This film"))
        try:
            check_texts(values)
        except Refused as error:
            self.add_error(error.setting, str(error))


def output_of(suffix, values):
    """Return the form's name of a dream's format: its suffix, but for an animated WebP.

    Parameters
    ----------
    suffix : str
    values : dict
        Of `Dream.settings`.

    Returns
    -------
    str
    """
    return "film.webp" if suffix == ".webp" and "frames" in values else suffix


def _is_set(field):
    """Tell whether a field's initial value differs from its setting's default."""
    default = BY_NAME[field.name].default
    return field.initial not in (None, "", default)


def initial_of(values):
    """Return the form's initial values for given settings.

    Parameters
    ----------
    values : dict
        Of `Dream.settings`.

    Returns
    -------
    dict
    """
    return {setting.name: values.get(setting.name, setting.default) for setting in offered()}


def _field(setting, pictures):
    """Make the field of a setting."""
    if setting.name in PICTURES:
        return forms.ModelChoiceField(pictures, required=False, empty_label="none")
    if setting.name in LISTS:
        default = f"{find_model(None).name} (default)" if setting.name == "model" else "by itself"
        choices = [("", default)] + [(name, name) for name in LISTS[setting.name]()]
        return forms.ChoiceField(choices=choices, required=False)
    if setting.choices:
        choices = [(choice, choice) for choice in setting.choices]
        if setting.default is None:
            choices.insert(0, ("", "by itself"))
        return forms.ChoiceField(choices=choices, required=False, initial=setting.default)
    if setting.kind is bool:
        return forms.BooleanField(required=False, initial=setting.default)
    if setting.kind is str:
        field = forms.CharField(required=False, max_length=2000)
        if setting.name in TEXTS:
            field.widget.attrs.update({"data-list": TEXTS[setting.name], "autocomplete": "off"})
        return field
    least = setting.low if setting.low is not None else setting.above
    limits = {"min": least, "max": setting.high, "step": 1 if setting.kind is int else "any"}
    attributes = {name: value for name, value in limits.items() if value is not None}
    kind = forms.IntegerField if setting.kind is int else forms.FloatField
    field = kind(required=False, initial=setting.default)
    field.widget = forms.NumberInput(attrs=attributes)
    return field


def _help(setting):
    """Return a setting's help: its meaning, its range, its default."""
    text = HELPS.get(setting.name) or setting.help[0].upper() + setting.help[1:]
    parts = [text.replace("--", "")]
    if setting.kind in (int, float) or setting.form:
        parts.append(f"{setting.expectation()}".capitalize())
    if setting.default is not None and setting.kind is not bool and setting.name in BY_NAME:
        parts.append(f"Default {setting.default}")
    return ". ".join(parts) + "."
