"""Every layer, net and call against what real Caffe answered, recorded in tests/golden.

``make golden`` records it anew; tests/real_caffe/test_layers.py asks real Caffe itself.
"""

import inspect
from pathlib import Path

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.pycaffe.layers.registry import MODULES
from tests.real_caffe import cases

GOLDEN = Path(__file__).parent.parent / "golden" / "caffe.npz"
TOLERANCE = 1e-4  # of the norm


@pytest.fixture(scope="module")
def golden():
    """Real Caffe's answers, as {case: {what: array}}."""
    grouped = {}
    with np.load(GOLDEN) as stored:
        for key in stored.files:
            case, what = key.split(": ", 1)
            grouped.setdefault(case, {})[what] = stored[key]
    return grouped


def compare(ours, theirs):
    """Fail where an answer is missing, of another shape, or further off than `TOLERANCE`."""
    assert sorted(ours) == sorted(theirs)
    for what, expected in theirs.items():
        assert ours[what].shape == expected.shape, what
        error = np.linalg.norm(np.float64(ours[what]) - np.float64(expected))
        norm = np.linalg.norm(np.float64(expected))
        assert error <= TOLERANCE * norm, f"{what} is off by {error:.2e} of {norm:.2e}"


@pytest.mark.parametrize("name", cases.CASES)
def test_layers_and_nets_answer_as_caffe_did(golden, name):
    compare(cases.answers(pycaffe, cases.CASES[name]), golden[name])


@pytest.mark.parametrize("name", cases.CALLS)
def test_calls_answer_as_caffe_did(golden, name):
    compare(cases.CALLS[name](pycaffe), golden[f"call {name}"])


def test_every_layer_type_of_caffe_has_a_case():
    text = "".join(cases.prototxt(case) for case in cases.CASES.values())
    text += inspect.getsource(cases.call_memory_data)
    theirs = set(pycaffe.layer_type_list()) - set(MODULES["forks"])
    missing = [kind for kind in sorted(theirs) if f'type: "{kind}"' not in text]
    assert not missing
