"""The house: imports run downwards, nothing goes in circles, no module is a warehouse."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("house", ROOT / "benchmarks/house.py")
house = importlib.util.module_from_spec(spec)
spec.loader.exec_module(house)

#: Lines that a module may have: one idea, read from top to bottom.
MOST_LINES = 430


def test_imports_run_downwards_only():
    assert house.upward_arrows(house.imports_of(ROOT, "dreamlib")) == []


@pytest.mark.parametrize("package", ["dreamlib", "studio"])
def test_nothing_imports_itself_however_far_around(package):
    assert house.circles(house.imports_of(ROOT, package)) == []


def test_a_circle_and_an_upward_arrow_are_found():
    ring = {"a.b": {"a.c"}, "a.c": {"a.d"}, "a.d": {"a.b"}, "a.e": {"a.b"}}
    assert house.circles(ring) == [["a.b", "a.c", "a.d"]]
    arrows = {"dreamlib.models.zoo": {"dreamlib.jobs.run"}, "dreamlib.util.x": {"dreamlib.dream"}}
    assert len(house.upward_arrows(arrows)) == 2


def test_no_module_is_a_warehouse():
    long = {
        name: house.lines_of([path])
        for name, path in house.modules_of(ROOT, "dreamlib").items()
        if house.lines_of([path]) > MOST_LINES
    }
    assert long == {}
