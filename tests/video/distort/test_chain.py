"""Chains of distortions: how they are read, written and refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.video.distort import WITHOUT_CODE, forms, parse_chain

numbers = st.one_of(st.integers(-50, 50), st.floats(-50, 50), st.floats(-1e-9, 1e-9)).map(repr)
parts = st.one_of(
    st.builds("zoom:{:.3f}:{:.2f}:{:.2f}".format, *[st.floats(0, 0.9)] * 3),
    st.builds("shift:{},{}".format, numbers, numbers),
    st.builds("affine:1,0,{},0,1,{}".format, numbers, numbers),
    st.builds("rotate:{}:every={}".format, numbers, st.integers(1, 9)),
    st.builds("roll:rows:sine({},3,{})+{}%:to=linear({})".format, *[numbers] * 4),
    st.builds("regions:{}x2:0.{}:steady".format, *[st.integers(1, 9)] * 2),
    st.sampled_from(["sobel:colour:0.5", "prewitt", "pixelsort:cols:10..90:falling", "palette:9"]),
)


def noise(height=20, width=30):
    return np.random.RandomState(0).uniform(0, 255, (height, width, 3)).astype(np.float32)


@given(st.lists(parts, min_size=1, max_size=5))
def test_a_chain_is_written_so_that_it_reads_the_same(texts):
    chain = parse_chain(", ".join(texts), every=3)
    again = parse_chain(str(chain), every=3)
    assert str(again) == str(chain)
    assert again.parts == chain.parts
    assert len(again.parts) == len(texts)


@pytest.mark.parametrize("text", ["python:os:getcwd", "zoom:0.1, python:os:getcwd:every=3"])
def test_a_stranger_may_write_all_but_code(text):
    parse_chain(text)
    with pytest.raises(DreamError, match="there is no distortion 'python'"):
        parse_chain(text, kinds=WITHOUT_CODE)
    assert {name for name, *_ in forms()} - {name for name, *_ in forms(WITHOUT_CODE)} == {"python"}


def test_a_chain_is_written_canonically():
    text = " zoom : 0.050:0.5:0.5,rotate:+2 ,shift:1 , -2.0,roll:rows:sine( 12, 80 , 0) + 3:group=1"
    assert str(parse_chain(text)) == ("zoom:0.05, rotate:2, shift:1,-2, roll:rows:sine(12,80)+3")
    text = (
        "zoom:0.3:0.5:0.2, regions:3x4:0.05:steady, pixelsort:rows:60..200:falling, sobel:colour:1"
    )
    assert str(parse_chain(text)) == (
        "zoom:0.3:0.5:0.2, regions:3x4:steady, pixelsort:rows:falling, sobel:colour"
    )


def test_numbers_after_a_comma_belong_to_the_distortion_before():
    chain = parse_chain("shift:3,.5,affine:1,0,-2,0,1,0,zoom:0.05")
    assert [part.distortion.kind.name for part in chain.parts] == ["shift", "affine", "zoom"]


def test_no_distortion_is_written_as_none():
    chain, frame = parse_chain("none"), noise()
    chain.apply(frame, 0)
    assert str(chain) == "none"
    assert np.array_equal(frame, noise())


def test_every_kth_frame_distorts():
    for chain in (parse_chain("roll:rows:1", every=3), parse_chain("roll:rows:1:every=3")):
        changed = []
        for number in range(7):
            frame = noise()
            chain.apply(frame, number)
            changed.append(not np.array_equal(frame, noise()))
        assert changed == [True, False, False, True, False, False, True]


def test_a_distortions_own_frequency_overrides_the_chains():
    frame = noise()
    parse_chain("roll:rows:1, roll:cols:1:every=1", every=2).apply(frame, 1)
    assert np.array_equal(frame, np.roll(noise(), 1, 0))


def test_seeds_of_any_size_and_sign_are_taken():
    for seed in (-1, 0, 2**40):
        parse_chain("regions:2x2", seed).apply(noise(), 10**6)


@pytest.mark.parametrize("wrong", [noise()[..., :2], noise().astype(np.float64), noise()[::2]])
def test_what_is_no_picture_of_floats_is_refused(wrong):
    with pytest.raises(ValueError, match="distortions need"):
        parse_chain("blur:1").apply(wrong, 0)


def test_the_help_begins_with_the_notebooks_zoom_and_ends_with_functions_of_ones_own():
    names = [name for name, *_ in forms()]
    assert names[:7] == "zoom stretch rotate shift affine regions roll".split()
    assert names[-1] == "python"


def test_every_distortion_has_a_form_and_a_help_of_one_line():
    for name, form, text in forms():
        assert form == name or form.startswith((f"{name}:", f"{name}["))
        assert text
        assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no distortion ''"),
        ("zom:0.05", "no distortion 'zom'; did you mean 'zoom'"),
        ("rotate:2, zom:1", "'zom:1'"),
        ("0.05", "there is no distortion"),
        ("zoom", "SHARE is missing; expected zoom:SHARE"),
        ("zoom:a", "SHARE is 'a', which is no number; expected zoom:SHARE"),
        ("zoom:nan", "no number"),
        ("zoom:1e999", "no number"),
        ("zoom:1", "SHARE is 1; it must be from -1 to 0.99"),
        ("zoom:0.05,", "'0.05,', which is no number"),
        ("zoom:0.05:0.5:0.5:0.5", "'0.5' has no meaning there"),
        ("zoom 0.05", "has no meaning there; expected zoom:SHARE"),
        ("zoom:0.05:speed=2", "'speed=2' has no meaning there"),
        ("zoom:0.05:every=0", "every is 0; it must be from 1"),
        ("zoom:0.05:every=1.5", "must be a whole number"),
        ("stretch:z:0.05", "the axis is 'z'; it must be x or y"),
        ("shift:1", "1 numbers are given, 2 are needed; expected shift:DX,DY"),
        ("affine:1,0,0,0,1", "5 numbers are given, 6 are needed; expected affine:A,B,C,D,E,F"),
        ("affine:1,1,0,1,1,0", "nothing would be left"),
        ("regions:3", "no size like 3x4"),
        ("regions:0x3", "ROWS is 0"),
        ("roll:row:3", "did you mean 'rows'"),
        ("roll:rows", "FUNC is missing"),
        ("roll:rows:sin(1,2)", "no function 'sin'; it must be NUMBER.*did you mean 'sine'"),
        ("roll:rows:sine(1)", r"sine needs \(AMPLITUDE,PERIOD,PHASE\), not \(1\)"),
        ("roll:rows:sine(1,0)", "PERIOD is 0"),
        ("roll:rows:random(2,1)", "LOW is above its HIGH"),
        ("roll:rows:sine(1,2", "parentheses"),
        ("roll:rows:3:group=2:group=3", "group= is there twice"),
        ("roll:rows:__import__('os')", "no function '__import__'"),
        ("pixelsort:rows:9", "no range like 60..200"),
        ("pixelsort:rows:90..60", "LOW is above HIGH"),
        ("blur:-1", "SIGMA is -1"),
        ("sobel:color", "SHARE is 'color'"),
        ("sobel:colour:colour", "SHARE is 'colour'"),
        ("regions:3x4:0.1:steady:steady", "'steady' has no meaning there"),
        ("shift:1e308,1e308", r"X is 1e308; it must be from -1e\+09 to 1e\+09"),
        ("palette:1", "N is 1; it must be from 2 to 256; expected palette:N"),
        ("palette:2.5", "whole number"),
        ("python:json", "FUNCTION is missing"),
        ("python:no_such_module:f", "module 'no_such_module' cannot be imported"),
        ("python:json:no_such", "module 'json' has no function 'no_such'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_form(text, words):
    with pytest.raises(DreamError, match=words):
        parse_chain(text)


# Functions of one's own.


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a function that makes a module in the current folder and reads a chain with it."""
    monkeypatch.chdir(tmp_path)

    def make(body):
        name = f"own_{abs(hash(body))}"
        (tmp_path / f"{name}.py").write_text(f"def distort(picture, frame):\n    {body}\n")
        return parse_chain(f"python:{name}:distort:every=2")

    return make


@pytest.mark.parametrize("body", ["picture += frame", "return picture + picture.dtype.type(frame)"])
def test_a_python_function_changes_the_picture_or_returns_another(own, body):
    chain, frame = own(body), noise()
    chain.apply(frame, 2)
    assert np.array_equal(frame, noise() + 2)


def test_a_python_function_is_written_by_its_name(own):
    chain = own("pass")
    assert str(parse_chain(str(chain))) == str(chain)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return picture[1:]", r"returned an array \(19, 30, 3\) of float32; expected None, or an"),
        ("return picture.astype('float64')", "of float64"),
        ("return 3", "returned a int"),
        ("picture[0] = float('nan')", "not finite"),
        ("return 1 / 0", "failed on frame 0 with ZeroDivisionError: division by zero"),
    ],
)
def test_a_python_function_that_makes_no_picture_is_named(own, body, words):
    with pytest.raises(DreamError, match=f"distortion python:own_.*{words}"):
        own(body).apply(noise(), 0)


# The page.


PAGE = Path(__file__).resolve().parents[3] / "docs" / "distortions.md"


def test_the_page_has_every_form():
    page = PAGE.read_text(encoding="utf-8").replace("\\|", "|")
    assert [form for _, form, _ in forms() if f"`{form}`" not in page] == []


def test_the_page_shows_every_distortion_by_a_picture_that_is_there(monkeypatch):
    monkeypatch.syspath_prepend(PAGE.parent.parent / "scripts")
    shown = re.findall(r"!\[(.+?)\]\((\S+)\)", PAGE.read_text(encoding="utf-8"))
    assert [path for _, path in shown if not (PAGE.parent / path).is_file()] == []
    kinds = {part.distortion.kind.name for text, _ in shown for part in parse_chain(text).parts}
    assert kinds == {name for name, _, _ in forms()}


def test_the_pages_examples_can_be_read():
    examples = re.findall(r'--distort "(.+)"', PAGE.read_text(encoding="utf-8"))
    assert len(examples) >= 3
    for text in examples:
        parse_chain(text)
