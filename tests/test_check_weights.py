"""scripts/check_weights.py: whether weights fit a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nets import INCEPTION, write_random_net

SCRIPTS = Path(__file__).parent.parent / "scripts"
WITHOUT_PARAMETERS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
"""


def test_weights_of_the_network_fit(tmp_path):
    command = [sys.executable, str(SCRIPTS / "check_weights.py"), *write_random_net(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def fault(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import check_weights

    return check_weights.fault


@pytest.mark.parametrize(
    ("text", "changed", "says"),
    [
        ("mixed/3x3", "mixed/9x9", "mixed/9x9"),
        ("num_output: 10 ", "num_output: 11 ", r"'classifier' has shape (10,"),
    ],
)
def test_a_layer_that_is_missing_or_of_another_shape_is_named(tmp_path, fault, text, changed, says):
    prototxt, weights = write_random_net(tmp_path)
    Path(prototxt).write_text(INCEPTION.replace(text, changed))
    assert says in fault(prototxt, weights)


def test_weights_cut_short_do_not_fit(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path)
    os.truncate(weights, os.path.getsize(weights) - 1)
    assert "truncated" in fault(prototxt, weights)


def test_every_layer_of_the_network_is_asked_for(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path, WITHOUT_PARAMETERS)
    Path(prototxt).write_text(INCEPTION)
    assert "4 layers are missing: conv1, " in fault(prototxt, weights)
