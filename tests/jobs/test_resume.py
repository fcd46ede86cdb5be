"""Settings beside those that a dream was begun with, however they are spelt."""

from types import SimpleNamespace

import pytest

from dreamlib.errors import DreamError
from dreamlib.jobs.resume import resumed
from dreamlib.settings import Settings
from tests.embedded import prepared_model


def begun_with(**settings):
    """A work folder whose dream has these settings."""
    return SimpleNamespace(path="work", record={"settings": settings})


@pytest.mark.parametrize(
    ("name", "spelt", "recorded"),
    [
        ("mask", "mask.png", "{here}/mask.png"),
        ("mask", "folder/../mask.png", "{here}/mask.png"),
        ("guide", "a.png, b.png:0.5", "{here}/a.png:1, {here}/b.png:0.5"),
        ("layers", "a@m.png:2, style(b, x/../c.png)", "a@{here}/m.png:2, style(b, {here}/c.png)"),
        ("layers", "a :2,b", "a :2,b"),
        ("guide_layer", "a, b@m.png", "a, b@{here}/m.png:1"),
        ("script", "my.toml", "{here}/my.toml"),
        ("script", "draw", "draw"),
        ("target", "goldfish, balloon:0.5", "1, 417:0.5"),
    ],
)
def test_another_spelling_is_the_same_setting(tmp_path, monkeypatch, name, spelt, recorded):
    monkeypatch.chdir(tmp_path)
    recorded = recorded.format(here=tmp_path)
    folder = begun_with(model=str(prepared_model().folder), seed=3, **{name: recorded})
    assert getattr(resumed(Settings(**{name: spelt}), folder), name) == recorded


def test_another_setting_is_refused_by_name_and_values():
    with pytest.raises(DreamError, match="begun with other settings: octaves was 4, is now 5"):
        resumed(Settings(octaves=5), begun_with(octaves=4))


def test_what_is_not_given_is_as_it_was():
    assert resumed(Settings(jitter=3), begun_with(jitter=3, octaves=7)).octaves == 7
