"""A few hostile inputs of each kind end in a picture or in words; `make test-faults` tries all."""

import random

import pytest

from tests.faults import hostile
from tests.faults.trial import HANG, REFUSED, RIGHT, SILENT, TRACEBACK, Case, attempt
from tests.nets import write_random_net

#: Cases of each kind that are tried here.
FEW = 16


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_random_net(folder)
    hostile.import_all()
    return hostile.all_cases(folder, few=True)


@pytest.mark.parametrize("kind", ["pictures", "models", "flags and texts", "configs"])
def test_hostile_input_ends_in_a_picture_or_in_words(cases, kind):
    tried = random.Random(1).sample(cases[kind], FEW)
    faults = {case.name: ending for case in tried if (ending := attempt(case)).kind not in RIGHT}
    assert faults == {}


@pytest.mark.parametrize(
    "name",
    ["picture fifo.png", "picture claims.jpg", "picture page.eps", "picture nul\0.png",
     "picture noise:" + "9" * 5000 + "x2", "config json list", "config fifo.toml",
     "config picture cluster", "model all nan", "model outputs", "model mean nan",
     "model model.toml scale 3", "flag layers own 5", "flag vary own 0", "flag vary own 5"],
)  # fmt: skip
def test_what_hung_or_failed_is_refused(cases, name):
    found = {case.name: case for kind in cases.values() for case in kind}
    assert attempt(found[name]).kind == REFUSED


@pytest.mark.parametrize(
    ("ends", "write"),
    [
        (HANG, lambda: __import__("time").sleep(60)),
        (TRACEBACK, lambda: 1 / 0),
        (SILENT, lambda: _black("out.png")),
    ],
)
def test_a_fault_is_seen(ends, write):
    case = Case("a fault", ["--list-presets"], write)
    assert attempt(case, seconds=2 if ends == HANG else 30).kind == ends


def _black(path):
    from PIL import Image

    Image.new("RGB", (40, 40)).save(path)
