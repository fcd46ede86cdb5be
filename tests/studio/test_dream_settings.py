"""The form and the table of settings: all that is safe is offered, nothing else gets in."""

from __future__ import annotations

import importlib

import pytest

from dreamlib.settings import BY_NAME, SETTINGS
from dreamlib.util.setting import Setting
from studio.dreams import dream_settings
from studio.dreams.forms import DreamForm, initial_of
from studio.dreams.presets import presets
from tests.studio.conftest import add_dream


def filled(picture, **changes):
    return {
        "picture": str(picture.pk),
        "clip": "on",
        "normalise": "on",
        "suffix": ".png",
        **changes,
    }


def test_every_setting_is_in_the_form_or_withheld():
    offered = {setting.name for setting in dream_settings.offered()}
    free = {
        setting.name
        for setting in SETTINGS
        if setting.kind is str and not setting.choices and not setting.form
    }
    assert {setting.name for setting in SETTINGS} - offered - free <= dream_settings.WITHHELD
    assert free & offered <= {
        *dream_settings.LISTS,
        *dream_settings.TEXTS,
        *dream_settings.PICTURES,
    }


def test_a_new_setting_is_offered_by_itself_unless_it_may_name_a_file(monkeypatch):
    new = (Setting("twirl", float, 0.0, "turn"), Setting("diary", str, None, "where to write"))
    monkeypatch.setattr(dream_settings, "SETTINGS", SETTINGS + new)
    offered = [setting.name for setting in dream_settings.offered()]
    assert "twirl" in offered
    assert "diary" not in offered


def test_a_field_has_its_settings_range_default_and_help(ann):
    field = DreamForm(ann.user).fields["iterations"]
    assert field.initial == 10
    assert field.widget.attrs["min"] == 1
    assert field.widget.attrs["max"] == 100_000
    assert "Default 10" in field.help_text
    assert "From 1" in field.help_text or "from 1" in field.help_text


def test_only_what_differs_from_its_default_is_kept(ann, picture):
    form = DreamForm(ann.user, filled(picture, iterations="10", octaves="6", smooth="0.5,1"))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["settings"] == {"octaves": 6, "smooth": "0.5,1"}


def test_a_switch_that_is_on_by_itself_can_be_put_off(ann, picture):
    values = filled(picture)
    del values["clip"]
    form = DreamForm(ann.user, values)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["settings"] == {"clip": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [("iterations", "0"), ("octave_scale", "1"), ("smooth", "soft"), ("schedule", "zigzag"),
     ("model", "../../etc"), ("guide", "/etc/passwd"), ("strength", "nan"), ("frames", "601")],
)  # fmt: skip
def test_wrong_values_are_refused_at_their_field(ann, picture, name, value):
    form = DreamForm(ann.user, filled(picture, **{name: value}))
    assert not form.is_valid()
    assert list(form.errors) == [name]


def test_withheld_settings_do_not_get_in_through_the_form(ann, picture):
    form = DreamForm(ann.user, filled(picture, work_dir="/elsewhere", memory="900T"))
    assert form.is_valid()
    assert form.cleaned_data["settings"] == {}


def test_a_guide_is_a_picture_of_ones_own(ann, bob, picture, add_picture):
    theirs = add_picture(bob.user)
    assert not DreamForm(ann.user, filled(picture, guide=str(theirs.pk))).is_valid()
    form = DreamForm(ann.user, filled(picture, guide=str(picture.pk)))
    assert form.is_valid(), form.errors
    kept = form.cleaned_data["settings"]
    assert dream_settings.values_for(ann.user.pk, kept) == {"guide": str(picture.file)}
    assert dream_settings.names_for(ann.user.pk, kept) == {"guide": "sky.png"}
    with pytest.raises(FileNotFoundError):
        dream_settings.values_for(bob.user.pk, kept)


def test_a_picture_or_noise_is_needed(ann):
    assert "picture" in DreamForm(ann.user, {"suffix": ".png"}).errors
    assert DreamForm(ann.user, {"suffix": ".png", "noise": "64x64"}).is_valid()
    for size in ("64", "0x64", "99999x99999", "64x64;"):
        assert "noise" in DreamForm(ann.user, {"suffix": ".png", "noise": size}).errors


def test_presets_are_settings_that_the_form_takes(ann, picture):
    assert {"notebook", "panorama", "zoom"} <= set(presets())
    for values in presets().values():
        given = {
            name: str(value) for name, value in initial_of(values).items() if value is not None
        }
        switches = {name for name, value in given.items() if value == "False"}
        given = {name: given[name] for name in set(given) - switches}
        output = ".mp4" if "frames" in values else ".png"
        form = DreamForm(ann.user, filled(picture, suffix=output, **given))
        assert form.is_valid(), form.errors
        wanted = {n: v for n, v in values.items() if v != BY_NAME[n].default}
        assert form.cleaned_data["settings"] == wanted


def test_kept_settings_take_their_new_names(ann):
    from django.apps import apps

    dream = add_dream(ann.user, settings={"calm": 0.5, "octaves": 3})
    names = importlib.import_module("studio.dreams.migrations.0002_names")
    names.rename_settings(apps, None)
    dream.refresh_from_db()
    assert dream.settings == {"tv": 0.5, "octaves": 3}
    assert set(names.RENAMED.values()) <= set(BY_NAME)
