"""Scores of classes as an objective, on either engine's arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dreamlib.errors import DreamError
from dreamlib.objectives import class_objective

make = pytest.mark.parametrize("make", [np.ones, torch.ones])


@make
def test_a_class_score_has_its_weight_for_gradient(make):
    diff = make((1, 4))
    class_objective([(2, 1.0), (0, -0.5)])(SimpleNamespace(diff=diff))
    assert np.array_equal(np.asarray(diff), [[-0.5, 0, 1, 0]])


@make
def test_a_map_of_scores_counts_as_its_mean(make):
    diff = make((1, 3, 2, 4))
    class_objective([(1, 2.0)])(SimpleNamespace(diff=diff))
    assert np.array_equal(np.asarray(diff)[0, 1], np.full((2, 4), 0.25))
    assert float(diff.sum()) == 2


def test_a_class_that_the_layer_does_not_have_is_refused():
    with pytest.raises(DreamError, match=r"class 4 was asked for, the layer has 4.*0 to 3"):
        class_objective([(4, 1.0)])(SimpleNamespace(diff=np.ones((1, 4))))
