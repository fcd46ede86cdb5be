"""Classes drawn: where, how much, how large, and that the score climbs."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dreamlib.ascent.objectives import class_scores
from dreamlib.ascent.octave_script import Octave
from dreamlib.errors import DreamError
from dreamlib.models.classify import class_probabilities
from dreamlib.models.engines import load_net
from dreamlib.models.fully_convolutional import fully_convolutional
from dreamlib.models.zoo import Model
from dreamlib.tiling.deepdraw import blur, deepdraw, drawing_sizes, grey_noise
from tests.nets import INCEPTION, picture, small_classifier, write_random_net

OCTAVE = Octave(iter_n=2, start_step_size=4, end_step_size=4, start_sigma=0.5, end_sigma=0.5)


def class_3(layer):
    return class_scores(layer, [(3, 1.0)])


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return small_classifier(tmp_path_factory.mktemp("net"))


def draw(net, image, *octaves, **options):
    np.random.seed(0)
    return deepdraw(net, image, list(octaves), class_3, "classifier", **options)


def grey(height, width):
    ((_, pixels),) = grey_noise(height, width, seed=1).strips(height)
    return pixels


def test_the_score_of_the_class_climbs(net):
    base = grey(64, 64)
    drawn = draw(net, base, dataclasses.replace(OCTAVE, iter_n=20, jitter=4))
    assert class_probabilities(net, drawn)[3] > class_probabilities(net, base)[3]


def test_weights_below_zero_avoid_a_class(net):
    base = grey(64, 64)
    np.random.seed(0)
    script = [dataclasses.replace(OCTAVE, iter_n=20)]
    drawn = deepdraw(net, base, script, lambda layer: -1 * class_3(layer), "classifier")
    assert class_probabilities(net, drawn)[3] < class_probabilities(net, base)[3]


def test_the_same_seed_is_the_same_drawing(net):
    octave = dataclasses.replace(OCTAVE, jitter=9)
    first, second = (draw(net, picture(64, 90), octave) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_source_stays_and_the_drawing_is_of_its_size_and_of_colours(net):
    image = picture(100, 120)
    before = image.copy()
    drawn = draw(net, image, OCTAVE, dataclasses.replace(OCTAVE, scale=1.3))
    assert np.array_equal(image, before)
    assert drawn.shape == image.shape
    assert drawn.min() >= 0
    assert drawn.max() <= 255


def test_every_part_of_a_larger_picture_is_drawn(net):
    octave = dataclasses.replace(OCTAVE, iter_n=10, start_sigma=0, end_sigma=0)
    image = np.full((110, 120, 3), 128, np.float32)
    changed = np.abs(draw(net, image, octave) - image).sum(2)
    assert all((row > 0).any() for row in changed)
    assert all((column > 0).any() for column in changed.T)


def test_a_pixel_takes_its_steps_on_average_whatever_the_size(net):
    steps = []
    draw(net, grey(128, 96), OCTAVE, on_step=steps.append)
    assert len(steps) == 2 * 3
    assert sum(step.pixels for step in steps) == 2 * 128 * 96


def test_a_photograph_that_is_kept_stays_sharp(net):
    image = np.uint8(np.indices((80, 90)).sum(0) % 2 * 100 + 50)[..., None].repeat(3, 2)
    octaves = [
        dataclasses.replace(OCTAVE, start_step_size=0, end_step_size=0, start_sigma=2, end_sigma=2),
        dataclasses.replace(OCTAVE, scale=1.2, start_step_size=0, end_step_size=0),
    ]
    assert np.abs(draw(net, image, *octaves, keep=True) - image).max() < 0.01
    assert np.abs(draw(net, image, *octaves) - image).mean() > 20


def test_what_is_drawn_on_a_kept_photograph_is_blurred(net):
    image = picture(64, 64)
    sharp, soft = (
        draw(net, image, dataclasses.replace(OCTAVE, start_sigma=sigma), keep=True, clip=False)
        - image
        for sigma in (0, 3)
    )
    assert np.abs(np.diff(soft, axis=0)).mean() < np.abs(np.diff(sharp, axis=0)).mean()


def test_steps_tell_octave_layer_and_size(net):
    steps = []
    draw(
        net, grey(64, 80), OCTAVE, dataclasses.replace(OCTAVE, layer="mixed/output"),
        on_step=steps.append,
    )  # fmt: skip
    assert {(step.octave, step.end, step.shape) for step in steps} == {
        (0, "classifier", (64, 80)), (1, "mixed/output", (64, 80)),
    }  # fmt: skip


def test_a_stop_still_gives_the_full_size(net):
    steps = []
    drawn = draw(
        net, grey(90, 100), OCTAVE, dataclasses.replace(OCTAVE, scale=1.2),
        on_step=lambda step: steps.append(step) or True,
    )  # fmt: skip
    assert len(steps) == 1
    assert drawn.shape == (90, 100, 3)


def test_the_whole_of_a_larger_picture_is_seen_by_a_fully_convolutional_net(tmp_path):
    write_random_net(tmp_path, INCEPTION)
    files = tmp_path / "deploy.prototxt", tmp_path / "random.caffemodel"
    (tmp_path / "made").mkdir()
    model = fully_convolutional(Model("net", tmp_path, *files), "torch", tmp_path / "made")
    net, steps = load_net(model, "torch"), []
    base = np.full((96, 112, 3), 128, np.float32)
    drawn = draw(net, base, OCTAVE, whole=True, on_step=steps.append)
    assert [step.pixels for step in steps] == [96 * 112] * 2
    assert (drawn != base).any(2).all()


def test_sizes_end_at_the_pictures_and_never_fall_below_the_window():
    script = [OCTAVE, dataclasses.replace(OCTAVE, scale=1.5), dataclasses.replace(OCTAVE, scale=2)]
    assert drawing_sizes((300, 240), script, (100, 100)) == [(100, 100), (150, 120), (300, 240)]


def test_a_picture_smaller_than_the_input_is_refused(net):
    with pytest.raises(DreamError, match="90 x 60 and the network looks at windows of 64 x 64"):
        draw(net, grey(60, 90), OCTAVE)


def test_an_unknown_layer_is_refused_before_the_first_step(net):
    with pytest.raises(DreamError, match=r"no layer 'clasifier' to draw.*mean 'classifier'"):
        draw(net, grey(64, 64), OCTAVE, dataclasses.replace(OCTAVE, layer="clasifier"))


@pytest.mark.parametrize("sigma", [0.4, 2.5])
def test_blur_is_scipys_in_place(sigma):
    image = np.float32(picture(50, 70).transpose(2, 0, 1))
    expected = [gaussian_filter(plane, sigma) for plane in image]
    blur(image, sigma)
    np.testing.assert_allclose(image, expected, atol=1e-3)


def test_blur_of_zero_changes_nothing():
    image = np.float32(picture(20, 30).transpose(2, 0, 1))
    before = image.copy()
    blur(image, 0)
    assert np.array_equal(image, before)
