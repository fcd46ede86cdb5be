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


MODULES = {module_of(path): path for path in FILES}


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


def arrows(key):
    """Return the imports among the studio's modules, or groups of them: {from: {to}}."""
    found = {}
    for path in FILES:
        here = key(module_of(path))
        for module, name in imports_of(path):
            whole = f"{module}.{name}"
            there = key(whole if whole in MODULES else module if module in MODULES else here)
            found.setdefault(here, set()).update({there} - {here})
    return found


def test_the_studios_packages_do_not_import_each_other_in_a_circle():
    left = arrows(lambda name: ".".join(name.split(".")[:2]))
    while leaves := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in leaves:
            del left[name]
    assert not left, f"circles among {sorted(left)}"


def test_the_process_that_dreams_knows_nothing_of_django():
    reached, new = set(), {"studio.child.__main__", *(n for n in MODULES if "studio.child" in n)}
    graph = arrows(str)
    while new:
        reached |= new
        new = set().union(*(graph.get(name, set()) for name in new)) - reached
    outside = {module.split(".")[0] for name in reached for module, _ in imports_of(MODULES[name])}
    assert not outside & {"django", "celery", "kombu"}


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
    # What has to be said before OpenMP is loaded.
    assert set(done.stdout.split()) == {"dreamlib", "dreamlib.util", "dreamlib.util.threads"}
