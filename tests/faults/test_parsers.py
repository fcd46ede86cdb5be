"""Parsers of what users write, on any text: a value or a `DreamError`, nothing else."""

import contextlib

import pytest
from google.protobuf import text_format
from hypothesis import example, given
from hypothesis import strategies as some

from dreamlib.ascent.objective_parser import (
    absolute_layers,
    files_of,
    parse_guide_layers,
    parse_layers,
    parse_weights,
)
from dreamlib.errors import LONGEST, DreamError, paragraph
from dreamlib.jobs.keyframes import parse_variations
from dreamlib.models.labels import parse_targets
from dreamlib.pycaffe import detect, prototxt
from dreamlib.settings import SETTINGS
from dreamlib.util.setting import parse_table
from dreamlib.video.distort import WITHOUT_CODE, parse_chain

LABELS = ["tench, Tinca tinca", "goldfish", "great white shark"]
SHAPES = {"conv1": (1, 16, 9, 9), "mixed/output": (1, 28, 5, 5)}

#: What texts are made of: their signs, words that mean something, and anything.
WORDS = some.sampled_from(
    [*",:;|@[]()~.-+/%=\"'{}\n", "conv1", "mixed/output", "mean(", "roll:rows:", "sine(", "zoom:",
     "style(", "..", "layers:", "m.png", "tv:", "1..", "octaves",
     "9" * 5000, "1e400", "nan", "inf", "-1", "0.5", "3x4", "goldfish",
     "layer {", "name: ", "dim: ", "type: "]
)  # fmt: skip
TEXTS = some.lists(WORDS | some.text(max_size=4), max_size=12).map("".join)

PARSERS = {
    "layers": lambda text: parse_layers(text, SHAPES),
    "guide_layer": lambda text: parse_guide_layers(text, SHAPES),
    "files": lambda text: absolute_layers(text) and files_of("layers", text),
    "guide": lambda text: parse_weights(text, "--guide"),
    "target": lambda text: parse_targets(text, LABELS, None) if "random" not in text else None,
    "vary": parse_variations,
    "distort": lambda text: parse_chain(text, kinds=WITHOUT_CODE),
}


@pytest.mark.parametrize("name", PARSERS)
@given(text=TEXTS)
@example(text="conv1[" + "9" * 5000 + "]")
@example(text="[" * 5000)
def test_a_parser_reads_or_refuses(name, text):
    with contextlib.suppress(DreamError):
        PARSERS[name](text)


@given(setting=some.sampled_from(SETTINGS), value=TEXTS | some.floats() | some.integers())
def test_a_setting_takes_or_refuses_any_value(setting, value):
    with contextlib.suppress(DreamError):
        setting.check(value)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@given(text=TEXTS)
@example(text="[" * 100_000)
@example(text="a = " + "[" * 100_000)
def test_a_table_is_read_or_malformed(suffix, text):
    with contextlib.suppress(ValueError):
        parse_table(text, suffix)


@given(text=TEXTS)
@example(text="layer {" * 10_000)
@example(text="name: " + "9" * 5000)
def test_a_prototxt_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(DreamError):
        assert text_format.MessageToString(prototxt.load_net(str(path), 1)) is not None


@given(text=some.text())
@example(text="x" * 100_000)
@example(text="\x1b[2J\n\n\udcff")
def test_an_error_is_one_short_paragraph(text):
    shown = paragraph(text)
    assert len(shown) <= LONGEST + 50
    assert "\n\n" not in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


@given(text=TEXTS, head=some.sampled_from(["", "filename,xmin,ymin,xmax,ymax\n"]))
@example(text='"' + "a" * 200_000, head="filename,xmin,ymin,xmax,ymax\n")
@example(text="a,1,2,inf,nan", head="filename,xmin,ymin,xmax,ymax\n")
def test_a_table_of_windows_is_read_or_refused(tmp_path_factory, text, head):
    path = tmp_path_factory.mktemp("table") / "windows.csv"
    path.write_text(head + text, encoding="utf-8", errors="replace")
    with contextlib.suppress(DreamError):
        assert all(len(window) == 4 for _, windows in detect._read(str(path)) for window in windows)
