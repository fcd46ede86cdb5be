"""The code of docs/extending.md runs, and its assertions hold."""

import re
import sys

import pytest

from dreamlib.pycaffe.layers import LAYERS
from tests.embedded import REPOSITORY

PAGE = REPOSITORY / "docs" / "extending.md"


def blocks():
    """The page's Python, block by block: (line of its beginning, text)."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        (text[: match.start(1)].count("\n"), match[1])
        for match in re.finditer(r"```python\n(.*?)```", text, re.DOTALL)
    ]


@pytest.fixture
def own_place(tmp_path, monkeypatch):
    """A folder to work in; layers and modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("Sine", "Squareplus"):
        LAYERS.pop(name, None)
    sys.modules.pop("fades", None)


def test_the_code_runs_from_top_to_bottom(own_place):
    names = {}
    for line, text in blocks():
        exec(compile("\n" * line + text, str(PAGE), "exec"), names)  # errors name the page's line
    assert {"Sine", "Squareplus", "cubes", "picture"} <= set(names)


def test_each_section_has_code(own_place):
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    titles = [section.splitlines()[0] for section in sections]
    assert titles == ["A layer", "A model", "An objective", "A distortion"]
    assert all("```python" in section and "assert " in section for section in sections)


def test_the_files_that_it_names_are_there():
    text = re.sub(r"```.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(r"`((?:dreamlib|tests|models|scripts)/[\w./]+)`", text)
    assert len(named) > 8
    assert [name for name in named if not (REPOSITORY / name).exists() and "NAME" not in name] == []
