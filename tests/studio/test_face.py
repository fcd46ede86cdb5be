"""What the studio uses of dreamlib, and of itself: the front page alone, and no circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dreamlib

STUDIO = Path(__file__).parent.parent.parent / "studio"
FILES = sorted(path for path in STUDIO.rglob("*.py") if path.parent.name != "migrations")


def module_of(path):
    """Return the name under which a file of the studio is imported."""
    parts = path.relative_to(STUDIO.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    """List what a file imports, in functions too: (module, name), the name None for all of it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            found += [(node.module, alias.name) for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_studio_uses_the_front_page_of_dreamlib_alone(path):
    ours = [one for one in imports_of(path) if one[0].partition(".")[0] == "dreamlib"]
    assert {module for module, _ in ours} <= {"dreamlib"}
    assert {name for _, name in ours} - {None} <= set(dreamlib.__all__)
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "dreamlib"
    }
    assert used <= set(dreamlib.__all__)


def test_no_module_of_the_studio_imports_itself_in_a_circle():
    modules = {module_of(path): path for path in FILES}
    arrows = {
        name: {
            whole
            for module, attribute in imports_of(path)
            for whole in (f"{module}.{attribute}", module)
            if whole in modules and whole != name
        }
        for name, path in modules.items()
    }
    while leaves := [name for name, needed in arrows.items() if not needed & arrows.keys()]:
        for name in leaves:
            del arrows[name]
    assert not arrows, f"circles among {sorted(arrows)}"


@pytest.mark.parametrize("name", dreamlib.__all__)
def test_what_the_front_page_names_is_there(name):
    assert getattr(dreamlib, name) is getattr(dreamlib, name)
    assert name in dir(dreamlib)


def test_what_it_does_not_name_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dreamlib.nothing  # noqa: B018


def test_importing_dreamlib_imports_nothing_of_it():
    script = "import sys, dreamlib; print(*(n for n in sys.modules if n.startswith('dreamlib')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["dreamlib"]
