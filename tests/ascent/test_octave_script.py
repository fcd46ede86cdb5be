"""Octave scripts: what is read, what is refused, what is shipped."""

import json

import pytest

from dreamlib.ascent.octave_script import ScriptOctave, check_script, load_script, preset_names
from dreamlib.errors import DreamError

TABLE = {
    "iter_n": 3,
    "start_step_size": 4,
    "end_step_size": 2.0,
    "start_sigma": 1.5,
    "end_sigma": 0.5,
}


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_scripts(name):
    assert all(isinstance(octave, ScriptOctave) for octave in load_script(name))


def test_presets_are_there():
    assert {"draw", "fine", "photograph"} <= set(preset_names())


def test_toml_and_json_say_the_same(tmp_path):
    lines = "\n".join(f"{key} = {value}" for key, value in TABLE.items())
    (tmp_path / "a.toml").write_text(f"[[octave]]\n{lines}\n[[octave]]\n{lines}\nscale = 1.2\n")
    (tmp_path / "a.json").write_text(json.dumps([TABLE, {**TABLE, "scale": 1.2}]))
    toml, as_json = (load_script(str(tmp_path / name)) for name in ("a.toml", "a.json"))
    assert (
        toml
        == as_json
        == [ScriptOctave(3, 4, 2.0, 1.5, 0.5), ScriptOctave(3, 4, 2.0, 1.5, 0.5, 1.2)]
    )


def test_step_size_and_sigma_run_evenly():
    octave = ScriptOctave(**TABLE)
    assert [octave.at(share) for share in (0, 0.5, 1)] == [(4, 1.5), (3, 1), (2, 0.5)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iter_m": 3}, "octave 1: there is no key 'iter_m'; did you mean 'iter_n'"),
        ({"iter_n": 0}, "iter_n is 0; expected a whole number from 1 to 100000"),
        ({"iter_n": 2.5}, "iter_n is 2.5; expected a whole number"),
        ({"start_sigma": -1}, "start_sigma is -1; expected a number from 0 to 100"),
        ({"end_step_size": float("nan")}, "end_step_size is nan; expected a number"),
        ({"start_sigma": 1e9}, "start_sigma is 1000000000.0; expected a number from 0 to 100"),
        ({"scale": 0.9}, "scale is 0.9; expected a number from 1 to 100"),
        ({"scale": True}, "scale is True"),
        ({"layer": 3}, "layer is 3; expected a text"),
    ],
)
def test_wrong_keys_and_values_are_named(change, message):
    with pytest.raises(DreamError, match=message):
        check_script([{**TABLE, **change}])


def test_missing_keys_are_named():
    with pytest.raises(DreamError, match="octave 2: iter_n, end_step_size missing"):
        check_script(
            [TABLE, {k: v for k, v in TABLE.items() if k not in ("iter_n", "end_step_size")}]
        )


@pytest.mark.parametrize("values", [[], {}, {"octave": []}, {"octave": 3}, [1], "draw"])
def test_what_is_no_list_of_octaves_is_refused(values):
    with pytest.raises(DreamError, match="no list of octaves"):
        check_script(values)


def test_an_unknown_preset_is_refused_with_the_presets():
    with pytest.raises(DreamError, match=r"no preset 'fin'; expected direct, .*draw, fine"):
        load_script("fin")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DreamError, match=r"no\.toml: there is no such file"):
        load_script(str(tmp_path / "no.toml"))


@pytest.mark.parametrize(("name", "text"), [("a.toml", "[[octave]"), ("a.json", "[{")])
def test_a_malformed_file_is_told(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DreamError, match=f"{name} is malformed"):
        load_script(str(tmp_path / name))


def test_a_key_that_is_there_twice_is_told(tmp_path):
    (tmp_path / "a.json").write_text('[{"iter_n": 2, "iter_n": 3}]')
    with pytest.raises(DreamError, match="key 'iter_n' is there twice"):
        load_script(str(tmp_path / "a.json"))
