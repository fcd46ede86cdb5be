"""Real Caffe takes the repository's networks, and computes what ours does."""

import json

import numpy as np
import pytest

from dreamlib import pycaffe
from dreamlib.models.model import REPOSITORY, load_model
from tests.real_caffe import root, zoo_answers

MODELS = (
    "bvlc_reference_caffenet",
    "googlenet_places205",
    "googlenet_places365",
    "squeezenet_v1.1",
)


@pytest.fixture(scope="module")
def answers(real_caffe, tmp_path_factory):
    """By real Caffe, and by ours."""
    folder = tmp_path_factory.mktemp("zoo")
    models = [load_model(REPOSITORY / "models" / name) for name in MODELS]
    for model in models:
        text = "force_backward: true\n" + model.prototxt.read_text()
        (folder / f"{model.name}.prototxt").write_text(text)
    (folder / "ends.json").write_text(json.dumps({model.name: model.end for model in models}))
    root.ask(["-m", zoo_answers.__name__, "caffe"], folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ours = zoo_answers.answers(pycaffe)
    with np.load(folder / "caffe.npz") as theirs:
        return dict(theirs), ours


def errors(answers, name):
    """The relative error of every picture's answer."""
    theirs, ours = (found[name] for found in answers)
    assert theirs.shape == ours.shape
    norm = [np.linalg.norm(one) for one in theirs]
    assert min(norm) > 0
    return [np.linalg.norm(one) / n for one, n in zip(ours - theirs, norm)]


@pytest.mark.parametrize("what", ["prob", "end"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_forward_what_it_does_on_caffe(answers, name, what):
    assert max(errors(answers, f"{name} {what}")) <= 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_gradient_that_it_has_on_caffe(answers, name):
    found = errors(answers, f"{name} gradient")
    # Not in every picture: where two values of a maximum are equal to rounding, the engines may let
    # the gradient through another of them. Found: 1e-6, and 1e-2 where that happens.
    assert np.median(found) <= 1e-4
    assert max(found) <= 0.1
