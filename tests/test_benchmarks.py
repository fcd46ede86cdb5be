"""Scripts that no test runs in full use only what the project still has."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path
    for folder in ("benchmarks", "reproduce", "scripts")
    for path in (PROJECT / folder).glob("*.py")
)
OURS = ("dreamlib", "tests")


def missing(tree):
    """List the names that a program takes from modules of the project, and that are not there."""
    found, modules = [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                source = import_module(node.module)
                if not hasattr(source, alias.name) and find_spec(full) is not None:
                    import_module(full)
                if not hasattr(source, alias.name):
                    found.append(full)
                elif isinstance(getattr(source, alias.name), ModuleType):
                    modules[alias.asname or alias.name] = getattr(source, alias.name)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in OURS and alias.asname:
                    modules[alias.asname] = import_module(alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None and not hasattr(module, node.attr):
                found.append(f"{module.__name__}.{node.attr}")
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_script_takes_from_the_project_what_is_there(path):
    assert missing(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_what_is_not_there_is_found():
    program = "from dreamlib.jobs import run, nothing; run.work; run.none"
    assert missing(ast.parse(program)) == ["dreamlib.jobs.nothing", "dreamlib.jobs.run.none"]
