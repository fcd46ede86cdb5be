"""The table of settings: checked values, and files that keep them."""

import errno
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dreamlib
from dreamlib.cli import main
from dreamlib.config import load_config, save_config
from dreamlib.errors import DreamError
from dreamlib.settings import JOBS, SETTINGS, Settings, refuse_inapplicable, to_toml

NOTEBOOK = {
    "iterations": 10,
    "octaves": 4,
    "octave_scale": 1.4,
    "step_size": 1.5,
    "jitter": 32,
    "clip": True,
}


def test_settings_are_shown_by_what_differs_from_the_defaults():
    settings = Settings(octaves=3, jitter=32, end="conv4")
    assert repr(settings) == "Settings(end='conv4', octaves=3)"
    assert eval(repr(settings)) == settings


def test_defaults_are_the_notebooks():
    assert {name: getattr(Settings(), name) for name in NOTEBOOK} == NOTEBOOK


@pytest.mark.parametrize("knob", SETTINGS, ids=lambda knob: knob.name)
def test_every_default_passes_its_own_check(knob):
    assert knob.check(knob.default) == knob.default


@pytest.mark.parametrize(
    ("name", "value", "range_"),
    [
        ("octaves", 0, "from 1 to 100"),
        ("octaves", "three", "a whole number"),
        ("octaves", 2.5, "a whole number"),
        ("octaves", True, "a whole number"),
        ("octave_scale", 1, "above 1 and up to 100"),
        ("octave_scale", 101, "above 1 and up to 100"),
        ("octave_scale", "1,4", "a number"),
        ("step_size", 1001, "above 0 and up to 1000"),
        ("step_size", float("nan"), "above 0"),
        ("step_size", float("inf"), "above 0"),
        ("jitter", -1, "from 0"),
        ("seed", 2**32, "to 4294967295"),
        ("engine", "theano", "one of auto, caffe, torch"),
        ("clip", "yes", "true or false"),
        ("end", 4, "a text"),
        ("end", "", "a text that is not empty"),
        ("model", "", "a text that is not empty"),
        ("iterations", None, "a whole number"),
    ],
)
def test_a_wrong_value_names_setting_value_and_range(name, value, range_):
    with pytest.raises(DreamError) as refusal:
        Settings(**{name: value})
    text = str(refusal.value)
    assert name in text
    assert repr(value) in text
    assert range_ in text


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(DreamError, match=r"'octvaes'.*'octaves'"):
        Settings(octvaes=3)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("octave-scale", "octave_scale"),
        ("--octave-scale", "octave_scale"),
        ("no_clip", "clip = false"),
        ("no-clip", "clip = false"),
    ],
)
def test_a_flags_spelling_as_a_key_says_the_keys(tmp_path, name, write):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({name: True}))
    with pytest.raises(DreamError, match=f"{path}: there is no setting '{name}'; write {write}$"):
        load_config(path)


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("guide_layer", "conv1", "--guide"),
        ("guide_mode", "channels", "--guide"),
        ("mask_on", "both", "--mask"),
    ],
)
def test_a_setting_that_means_nothing_alone_is_refused(name, value, needed):
    with pytest.raises(DreamError, match=f"means nothing without {needed}; add that"):
        refuse_inapplicable(Settings(**{name: value}), "picture")
    refuse_inapplicable(Settings(**{name: value, needed[2:]: "a.png"}), "picture")


def test_a_guide_that_varies_is_a_guide():
    varied = Settings(guide_mode="channels", vary="guide:a.png|b.png", frames=2)
    refuse_inapplicable(varied, "frames")


def test_texts_from_the_command_line_become_numbers():
    settings = Settings(octaves="3", octave_scale="1.3", seed="7")
    assert (settings.octaves, settings.octave_scale, settings.seed) == (3, 1.3, 7)


def test_replace_changes_one_value_and_keeps_the_others():
    settings = Settings(octaves=3).replace(jitter=5)
    assert (settings.octaves, settings.jitter, settings.iterations) == (3, 5, 10)


any_settings = st.builds(
    Settings,
    model=st.none() | st.text(st.characters(blacklist_categories=("C",)), min_size=1),
    end=st.none() | st.sampled_from(["inception_4c/output", 'od"d\\name']),
    gpu=st.none() | st.integers(0, 1023),
    iterations=st.integers(1, 1000),
    octave_scale=st.floats(1.001, 10),
    step_size=st.floats(1e-3, 1000),
    clip=st.booleans(),
    seed=st.none() | st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_saved_settings_come_back_the_same(tmp_path_factory, suffix):
    path = tmp_path_factory.mktemp("config") / f"settings{suffix}"

    @given(any_settings)
    def law(settings):
        save_config(path, settings)
        assert Settings(**load_config(path)) == settings

    law()


def test_how_loud_the_run_is_does_not_make_the_dream():
    assert "quiet" not in to_toml(Settings(quiet=True))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("bad.toml", "octaves = ", "malformed"),
        ("bad.json", "{", "malformed"),
        ("list.json", "[1]", "holds a list; expected keys and values"),
        ("null.json", "null", "holds null; expected keys and values"),
        ("number.json", "4", "holds 4; expected keys and values"),
        ("twice.json", '{"octaves": 3, "octaves": 4}', "'octaves' is there twice"),
        ("twice.toml", "octaves = 3\noctaves = 4", "malformed"),
        ("text.toml", "octaves = '4'", "octaves is '4'; expected a whole number"),
        ("text.json", '{"step_size": "1"}', "step_size is '1'; expected a number"),
        ("number.toml", "clip = 1", "clip is 1; expected true or false"),
        ("config.yaml", "octaves: 4", "expected a .toml file, a .json file or a dreamt picture"),
        ("config", "octaves = 4", "expected a .toml file, a .json file or a dreamt picture"),
        ("unknown.toml", "octave = 3", "'octaves'"),
        ("wrong.json", json.dumps({"octaves": -1}), "octaves is -1"),
        ("binary.toml", "\udcff", "is not TOML: it holds binary data"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DreamError) as refusal:
        load_config(path)
    assert str(path) in str(refusal.value)
    assert says in str(refusal.value)


def test_a_folder_as_a_file_is_refused(tmp_path):
    with pytest.raises(DreamError, match=r"is a folder; expected a \.toml file"):
        load_config(tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DreamError, match="there is no such file"):
        load_config(tmp_path / "none.toml")


def test_another_suffix_to_save_is_refused(tmp_path):
    with pytest.raises(DreamError, match=r"\.toml or \.json"):
        save_config(tmp_path / "settings.yaml", Settings())
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(DreamError, match="cannot be written"):
        save_config(tmp_path / "nowhere" / "settings.toml", Settings())


def test_a_configuration_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DreamError, match="No space left"):
        save_config(tmp_path / "settings.toml", Settings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["flag", "file", "python"])
def test_a_setting_that_means_nothing_is_refused_in_the_same_words(source, tmp_path, capsys):
    (tmp_path / "config.toml").write_text('gif = "a.gif"\nloop = 3\n')
    words = "--gif, --loop mean nothing to one picture (--frames N makes a film, "
    words += "--growth FILE one of a dream); leave them out"
    command = ["noise:16x16", str(tmp_path / "out.png")]
    if source == "python":
        with pytest.raises(DreamError, match=re.escape(words)):
            dreamlib.run(*command, gif="a.gif", loop=3)
        return
    flags = ["--gif", "a.gif", "--loop", "3"]
    given = flags if source == "flag" else ["--config", str(tmp_path / "config.toml")]
    assert main([*command, *given]) == 2
    assert capsys.readouterr().err == f"dream.py: {words}\n"


@pytest.mark.parametrize("job", JOBS)
def test_defaults_mean_something_to_every_job(job):
    refuse_inapplicable(Settings(), job)
    assert all(setting.applies_to for setting in SETTINGS)


def test_a_script_has_its_own_steps():
    with pytest.raises(DreamError, match="--octaves means nothing to --script, which has its own"):
        refuse_inapplicable(Settings(script="draw", octaves=2), "picture")


def test_old_names_are_understood_and_recorded_by_the_new_ones(tmp_path):
    (tmp_path / "old.toml").write_text("calm = 0.5\npull_base = 2.0\n")
    assert load_config(tmp_path / "old.toml") == {"tv": 0.5, "anchor": 2.0}
    (tmp_path / "part.toml").write_text("from = 1\n")  # as the flag is called
    assert load_config(tmp_path / "part.toml") == {"from_": 1}
    assert Settings(pull_mean=0.25).recorded()["decay"] == 0.25


def test_what_means_nothing_to_a_job_can_be_left_out():
    film = Settings(frames=9, distort="hue:3", tv=0.5)
    assert film.applicable("picture") == Settings(tv=0.5)
