"""A few of the damages that `make test-faults` tries many of."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dream", ["tiles", "film"])
def test_a_damaged_work_folder_is_refused_in_words_or_becomes_the_same(dream):
    tried = subprocess.run(
        [sys.executable, "-m", "tests.faults.damage", "--only", dream, "--tries", "10"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    _, _, same, refused, fault, _ = tried.stdout.splitlines()[-1].split("|")
    assert (int(same) + int(refused), int(fault)) == (10, 0)
    assert int(same)
    assert int(refused)
