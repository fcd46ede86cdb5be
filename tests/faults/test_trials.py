"""A few of the kills and power cuts that `make test-faults` tries many of."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dream", ["tiles", "deep zoom", "film", "clip"])
def test_a_dream_that_is_killed_or_cut_off_from_power_becomes_the_same(dream):
    tried = subprocess.run(
        [sys.executable, "-m", "tests.faults.trials", "--only", dream, "--kills", "2",
         "--cuts", "2"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    columns = tried.stdout.splitlines()[-1].split("|")
    assert [int(columns[number]) for number in (3, 6)] == [2, 3], tried.stderr
