"""The notebook's step and dream: the same pictures, in less memory."""

import inspect

import numpy as np
import pytest

from dreamlib import dream
from dreamlib.imaging import resample as octaves
from tests import notebook
from tests.memory import traced_peak
from tests.nets import MEAN, picture, small_classifier

END = "mixed/output"


def both(net, image, **settings):
    """The same dream by the notebook's code and by ours, from the same random stream."""
    np.random.seed(0)
    theirs = notebook.deepdream(net, np.float32(image), end=END, **settings)
    np.random.seed(0)
    return theirs, dream.deepdream(net, image, end=END, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"iter_n": 3, "octave_n": 4},
        {"iter_n": 4, "octave_n": 3, "octave_scale": 1.3, "step_size": 3.0, "jitter": 8},
        {"iter_n": 3, "octave_n": 2, "clip": False},
        {"iter_n": 2, "octave_n": 1, "jitter": 0},
        {"iter_n": 1, "octave_n": 6, "octave_scale": 1.1, "jitter": 100},
    ],
)
@pytest.mark.parametrize("size", [(150, 201), (97, 128)])
def test_a_dream_has_the_bits_of_the_notebooks(net, settings, size):
    theirs, ours = both(net, picture(*size), **settings)
    assert ours.dtype == theirs.dtype == np.float32
    assert np.array_equal(ours, theirs)
    assert np.abs(ours - picture(*size)).mean() > 0.5  # it is a dream, not the picture


def test_a_step_has_the_bits_of_the_notebooks(net):
    image = dream.preprocess(net, picture(120, 160))
    results = []
    for module in (notebook, dream):
        np.random.seed(3)
        net.blobs["data"].reshape(1, 3, 120, 160)
        net.blobs["data"].data[0] = image
        module.make_step(net, end=END, step_size=2.0)
        results.append(net.blobs["data"].data.copy())
    assert np.array_equal(*results)


@pytest.mark.parametrize("name", ["make_step", "deepdream", "preprocess", "deprocess"])
def test_signatures_begin_with_the_notebooks(name):
    theirs = inspect.signature(getattr(notebook, name)).parameters
    ours = inspect.signature(getattr(dream, name)).parameters
    common = [key for key in ours if key in theirs]
    assert common == list(theirs)
    for key in common:
        if key != "objective":
            assert ours[key].default == theirs[key].default
            assert ours[key].kind == theirs[key].kind


def test_float_and_uint8_pictures_dream_alike(net):
    image = picture(80, 90)
    settings = {"iter_n": 2, "octave_n": 2, "end": END}
    np.random.seed(1)
    from_bytes = dream.deepdream(net, image, **settings)
    np.random.seed(1)
    assert np.array_equal(dream.deepdream(net, np.float32(image), **settings), from_bytes)


def test_the_picture_given_is_not_changed(net):
    image = picture(80, 90)
    kept = image.copy()
    dream.deepdream(net, image, iter_n=2, octave_n=2, end=END)
    assert np.array_equal(image, kept)


def test_pixels_stay_within_colours_when_clipping(net):
    result = dream.deepdream(net, picture(70, 70), iter_n=4, octave_n=1, end=END, step_size=40)
    assert result.min() >= -1e-4
    assert result.max() <= 255 + 1e-4


def test_another_objective_is_what_is_climbed(net):
    def first_channel(dst):
        dst.diff[:] = 0
        dst.diff[0, 0] = 1

    def response(image):
        net.blobs["data"].reshape(1, 3, 100, 100)
        net.blobs["data"].data[0] = dream.preprocess(net, image)
        return net.forward(end=END)[END][0, 0].mean()

    image = picture(100, 100)
    result = dream.deepdream(net, image, iter_n=8, octave_n=1, end=END, objective=first_channel)
    assert response(result) > response(image)


def test_where_nothing_is_active_the_picture_stays(net):
    def nothing(dst):
        dst.diff[:] = 0

    image = picture(64, 64)
    result = dream.deepdream(net, image, iter_n=2, octave_n=1, end=END, objective=nothing)
    assert np.allclose(result, image, atol=1e-4)


def test_on_step_is_told_every_step(net):
    steps = []
    dream.deepdream(net, picture(60, 84), iter_n=2, octave_n=2, end=END, on_step=steps.append)
    assert steps == [
        dream.Step(octave, iteration, END, size, size[0] * size[1])
        for octave, size in enumerate([(43, 60), (60, 84)])
        for iteration in (0, 1)
    ]


def test_stopping_early_carries_the_detail_to_full_size(net):
    steps = []

    def stop_at_third(step):
        steps.append(step)
        return len(steps) == 3

    image = picture(120, 140)
    result = dream.deepdream(
        net, image, iter_n=10, octave_n=3, end=END, on_step=stop_at_third, jitter=4
    )
    assert len(steps) == 3
    assert result.shape == image.shape
    # What was dreamt on the smallest octave is there, enlarged, and so smooth.
    change = result - image
    assert np.abs(change).mean() > 0.5
    assert np.abs(np.diff(change, axis=1)).mean() < np.abs(change).mean()


@pytest.mark.parametrize(("order", "scale"), [((2, 1, 0), None), ((0, 1, 2), 0.0078125)])
def test_deprocess_undoes_preprocess(tmp_path, order, scale):
    net = small_classifier(tmp_path, channel_swap=order, input_scale=scale)
    image = picture(40, 50)
    inside = dream.preprocess(net, image)
    expected = (np.float32(image)[..., order] - MEAN) * (scale or 1)
    assert np.allclose(inside.transpose(1, 2, 0), expected, atol=1e-5)
    assert np.allclose(dream.deprocess(net, inside), image, atol=1e-4)


def test_step_size_counts_grey_levels_whatever_the_scale(tmp_path):
    net = small_classifier(tmp_path, input_scale=1 / 64)
    image = picture(64, 64)
    np.random.seed(0)
    result = dream.deepdream(net, image, iter_n=1, octave_n=1, end=END, clip=False, step_size=5)
    assert np.abs(result - image).mean() == pytest.approx(5, rel=0.01)


#: Strips of the resampling and blocks of the arithmetic: fixed, whatever the picture.
SCRATCH = 5_000_000


def test_a_step_holds_the_jitters_margin_and_no_picture(net):
    height, width = 900, 1000
    net.blobs["data"].reshape(1, 3, height, width)
    net.blobs["data"].data[0] = dream.preprocess(net, picture(height, width))
    dream.make_step(net, end=END)  # makes the arrays of the network's own blobs
    margin = 4 * 3 * octaves.BLOCK + 4 * 3 * 64 * (height + width)
    assert traced_peak(lambda: dream.make_step(net, end=END)) < margin < 12 * height * width


@pytest.mark.parametrize("octave_scale", [1.4, 1.02])
def test_a_dream_holds_data_diff_base_and_detail_and_no_more(tmp_path, octave_scale):
    net = small_classifier(tmp_path)
    height, width = 1000, 1100
    image = picture(height, width)
    blobs = 2 * 12  # data and diff of the network's input, bytes per pixel
    end = 2 * 4 * 36 / 16  # data and diff of the dreamt layer: 36 channels at a sixteenth
    buffers = 2 * 12  # base (the result lies in it) and detail
    allowed = (blobs + end + buffers) * height * width + SCRATCH
    peak = traced_peak(
        lambda: dream.deepdream(
            net, image, iter_n=1, octave_n=4, octave_scale=octave_scale, end=END
        )
    )
    assert peak < allowed
