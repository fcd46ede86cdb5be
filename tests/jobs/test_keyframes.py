"""Settings that change from frame to frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.jobs.keyframes import absolute_variations, parse_variations, settings_at
from dreamlib.settings import Settings


def values(text, name, frames):
    variations = parse_variations(text)
    return [
        getattr(settings_at(Settings(), variations, frame, frames), name) for frame in range(frames)
    ]


def test_a_ramp_runs_evenly_from_the_first_frame_to_the_last():
    assert values("step_size:1.5..0.5", "step_size", 5) == [1.5, 1.25, 1, 0.75, 0.5]


def test_a_ramp_of_one_frame_is_its_beginning():
    assert values("step_size:1.5..0.5", "step_size", 1) == [1.5]


def test_whole_numbers_are_rounded():
    assert values("iterations:1..4", "iterations", 5) == [1, 2, 2, 3, 4]


def test_a_swing_goes_there_and_back_within_its_period():
    found = values("step-size:1~3/4", "step_size", 9)
    assert found == pytest.approx([1, 2, 3, 2, 1, 2, 3, 2, 1])


def test_values_take_turns():
    assert values("end:block6|block10", "end", 3) == ["block6", "block10", "block6"]


def test_several_settings_vary_and_their_values_may_have_commas():
    text = "layers:a:2, b|c, step_size:1..2, jitter:8|16"
    assert values(text, "layers", 2) == ["a:2, b", "c"]
    assert values(text, "step_size", 2) == [1, 2]
    assert values(text, "jitter", 2) == [8, 16]


def test_variations_last_with_guides_by_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_variations("step-size:1..2, guide:a.png|b.png:2,c.png") == (
        f"step_size:1..2, guide:{tmp_path}/a.png:1|{tmp_path}/b.png:2, {tmp_path}/c.png:1"
    )


def test_classes_fade_into_each_other():
    assert values("target:goldfish:0.5..volcano, 963:-1", "target", 5) == [
        "goldfish:0.5",
        "goldfish:0.375, volcano:0.25, 963:-0.25",
        "goldfish:0.25, volcano:0.5, 963:-0.5",
        "goldfish:0.125, volcano:0.75, 963:-0.75",
        "volcano, 963:-1",
    ]


def test_layers_fade_with_all_that_they_are_written_with():
    text = "layers:a[1-3]:2, mean(b)..style(c, d.png), a[1-3]:4"
    assert values(text, "layers", 3) == [
        "a[1-3]:2, mean(b)",
        "a[1-3]:3, mean(b):0.5, style(c, d.png):0.5",
        "style(c, d.png), a[1-3]:4",
    ]


def test_more_than_two_fade_one_after_the_other():
    assert values("layers:a..b..c", "layers", 5) == ["a", "a:0.5, b:0.5", "b", "b:0.5, c:0.5", "c"]


def test_a_fade_of_one_frame_is_its_beginning():
    assert values("layers:a..b", "layers", 1) == ["a"]


def test_what_fades_into_its_own_opposite_is_never_nothing():
    assert values("layers:a..a:-1", "layers", 3) == ["a", "a:-1", "a:-1"]


@pytest.mark.parametrize("text", ["guide:x/../a.png..../b.png", "guide:x/../a.png .. ../b.png"])
def test_dots_of_a_path_are_no_fade(text, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert values(text, "guide", 2) == ["x/../a.png", "../b.png"]
    spelt = absolute_variations(text)
    assert spelt == f"guide:{tmp_path}/here/a.png:1 .. {tmp_path}/b.png:1"
    assert absolute_variations(spelt) == spelt


def test_a_film_knows_the_pictures_that_it_varies_among():
    text = "layers:style(a, x.png) .. b@m.png, guide:y.png|z.png:2, step_size:1..2, target:1..2"
    files = [path for one in parse_variations(text) for _, path in one.files]
    assert files == ["x.png", "m.png", "y.png", "z.png"]


@given(st.integers(2, 60), st.integers(2, 5))
def test_whatever_fades_is_tried_before_the_film_begins(frames, count):
    """The frames that are told to be new have everything that any frame has."""
    (fade,) = parse_variations("layers:" + "..".join("abcde"[:count]))
    used = {name for frame in range(frames) for name in fade.value(frame, frames) if name.isalpha()}
    new = [0, *(frame for frame in range(1, frames) if fade.is_new(frame, frames))]
    assert {name for frame in new for name in fade.value(frame, frames) if name.isalpha()} == used


def test_nothing_varies_by_default():
    settings = Settings()
    assert settings_at(settings, parse_variations(None), 3, 9) is settings


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.integers(1, 50), st.integers(0, 49))
def test_a_ramp_never_leaves_its_ends(first, last, frames, frame):
    variations = parse_variations(f"step_size:{first}..{last}")
    value = settings_at(Settings(), variations, min(frame, frames - 1), frames).step_size
    assert min(first, last) - 1e-9 <= value <= max(first, last) + 1e-9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("step_size", "cannot be read; expected NAME:FROM..TO"),
        ("stepsize:1..2", "did you mean 'step_size'"),
        ("step_size:1..0", "expected a number above 0"),
        ("step_size:1~2/1", "step_size is '1~2/1'"),
        ("iterations:1.5|2", "iterations is '1.5'"),
        ("step_size:2", "does not change anything"),
        ("seed:1..9", "no setting that may change"),
        ("storage:uint8|uint16", "no setting that may change"),
        ("end:a..b", "end does not fade"),
        ("smooth:1..2", "smooth does not fade"),
        ("target:random..goldfish", "cannot fade; name a class"),
        ("layers:a..b[x", "'b[x' cannot be read"),
        ("guide_layer:a..b[2]", "--guide-layer 'b[2]' cannot be read"),
        ("target:a..b:0", "the weight is 0"),
    ],
)
def test_what_cannot_vary_is_refused_in_words(text, says):
    with pytest.raises(DreamError) as refusal:
        parse_variations(text)
    assert says in str(refusal.value)
