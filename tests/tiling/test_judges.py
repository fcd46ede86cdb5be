"""Direct ascent's gradient: what one or several networks make of views of a picture."""

import numpy as np
import pytest

from dreamlib.ascent.direct import Direct, to_values
from dreamlib.ascent.objectives import class_scores, mean
from dreamlib.ascent.views import Viewing
from dreamlib.dream import climb
from dreamlib.tiling import judges as module
from dreamlib.tiling.judges import Judges, judge_of
from dreamlib.tiling.network import ArrayNetwork, TensorNetwork
from tests.nets import picture, small_classifier

KINDS = (ArrayNetwork, TensorNetwork)
STRAIGHT = Viewing(1, 1, 0, 0, 0)


@pytest.fixture
def net(tmp_path):
    return small_classifier(tmp_path)


def judge(net, objective, kind=TensorNetwork, end="classifier"):
    return judge_of(net, kind(net), end, objective)


def image_of(judge, height, width):
    image = judge.network.empty(3 * height * width).reshape(3, height, width)
    order, average = list(judge.rule.order), judge.rule.mean[:, None, None]
    levels = 10 + 0.9 * np.float32(picture(height, width)).transpose(2, 0, 1)[order]
    image[:] = judge.network.on_device((levels - average) * judge.rule.scale)
    return image


def found(judges, image, direct, seed=0):
    return np.asarray(judges.gradient(image, direct, np.random.RandomState(seed), None))


@pytest.mark.parametrize("kind", KINDS)
def test_one_straight_view_of_it_all_gives_the_networks_gradient(net, kind, monkeypatch):
    side = int(net.crop_dims[0])
    objective = class_scores("classifier", [(1, 1.0)])
    one = judge(net, objective, kind)
    image = image_of(one, side, side)
    monkeypatch.setattr(module, "naturalise", lambda *rules: None)
    gradient = found(Judges([one]), image, Direct(1, STRAIGHT, 0.0))
    net.blobs["data"].reshape(1, 3, side, side)
    net.blobs["data"].data[...] = np.asarray(image)
    climb(net, "classifier", objective)
    expected = net.blobs["data"].diff[0].copy()
    to_values(expected, np.asarray(image), one.rule)
    expected *= np.abs(gradient).mean() / np.abs(expected).mean()
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


def test_views_follow_the_random_numbers_alone(net):
    judges = Judges([judge(net, class_scores("classifier", [(1, 1.0)]))])
    image = image_of(judges._main, 90, 100)
    direct = Direct(3, Viewing(0.8, 1.4, 10, 25, 50), 1.0)
    first = found(judges, image, direct)
    assert np.array_equal(first, found(judges, image, direct))
    assert not np.array_equal(first, found(judges, image, direct, seed=1))


def test_a_step_leaves_the_picture_to_the_caller(net):
    judges = Judges([judge(net, class_scores("classifier", [(1, 1.0)]))])
    image = image_of(judges._main, 90, 100)
    before = np.asarray(image).copy()
    found(judges, image, Direct(2, Viewing(0.8, 1.4, 10, 25, 50), 1.0))
    assert np.array_equal(before, np.asarray(image))


def strengths_of(net, goals, monkeypatch):
    """The mean |gradient| that each goal adds, before filters."""
    added = []
    one = judge(net, goals)
    network, original = one.network, one.network.ascend

    def ascend(image, gradient, change, scale):
        before = np.asarray(image).copy()
        original(image, gradient, change, scale)
        added.append(float(np.abs(np.asarray(image) - before).mean()))

    monkeypatch.setattr(network, "ascend", ascend)
    found(Judges([one]), image_of(one, 90, 100), Direct(4, Viewing(0.8, 1.4, 0, 0, 0), 1.0))
    return added


def test_each_goal_counts_by_its_weight_however_strong_it_is(net, monkeypatch):
    goals = 50 * mean("classifier", [0]) + 25 * mean("pool1", [1])
    first, second = strengths_of(net, goals, monkeypatch)
    assert first / second == pytest.approx(2, rel=1e-3)


def test_a_weight_below_0_leads_away(net, monkeypatch):
    monkeypatch.setattr(module, "naturalise", lambda *rules: None)
    towards, away = (
        Judges([judge(net, class_scores("classifier", [(1, weight)]))]) for weight in (1.0, -1.0)
    )
    image, direct = image_of(towards._main, 80, 80), Direct(2, STRAIGHT, 1.0)
    np.testing.assert_allclose(
        found(towards, image, direct), -found(away, image, direct), atol=1e-6
    )


def test_a_judge_in_other_units_and_another_order_sees_the_same(net, tmp_path):
    """A network given RGB with a scale is its own twin with BGR and none: they agree."""
    objective = class_scores("classifier", [(1, 1.0)])
    alone = judge(net, objective)
    twin = small_classifier(tmp_path, input_scale=0.5)
    twin.layers[list(twin._layer_names).index("conv1")].blobs[0].data[...] *= 2
    both = Judges([alone, judge(twin, objective)])
    image, direct = image_of(alone, 90, 90), Direct(2, Viewing(0.8, 1.4, 10, 25, 50), 1.0)
    once, twice = found(Judges([alone]), image, direct), found(both, image, direct)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-3, atol=1e-3 * np.abs(once).max())
