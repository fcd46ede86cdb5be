"""Adam: its steps against the paper's arithmetic in double precision, on pictures and on tiles."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dreamlib.ascent.objectives import objective_L2
from dreamlib.ascent.regularizers import GradientRules
from dreamlib.config import load_config
from dreamlib.dream import climb
from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window
from dreamlib.jobs.prepare import prepare
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.settings import Settings
from dreamlib.tiling import moments as module
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.canvas_memory import canvas_bytes
from dreamlib.tiling.moments import EPSILON, Moments
from dreamlib.tiling.network import ArrayNetwork, TensorNetwork
from dreamlib.tiling.schedule import Tile
from dreamlib.tiling.stepper import Stepper
from tests import dreams
from tests.command import pixels, run
from tests.nets import picture, small_classifier

HEIGHT, WIDTH, END = 24, 30, "mixed/output"
ARRAYS = SimpleNamespace(on_device=lambda array: array)
TENSORS = SimpleNamespace(on_device=torch.as_tensor)


class Reference:
    """Algorithm 1 of the paper, with its own decays."""

    def __init__(self):
        self.first = self.second = self.time = 0

    def step(self, gradient, mean):
        gradient = np.float64(gradient)
        self.time += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient**2
        first = self.first / (1 - 0.9**self.time)
        return first / (np.sqrt(self.second / (1 - 0.999**self.time)) + EPSILON * mean)


def gradients(count):
    return [np.random.RandomState(seed).randn(3, HEIGHT, WIDTH) * 1e-3 for seed in range(count)]


def canvas_of(wrap="both"):
    return Canvas.of(np.zeros((HEIGHT, WIDTH, 3), np.float32), wrap)


def tile_of(window, interior=None):
    return Tile(window, interior or window, 1)


@pytest.mark.parametrize("network", [ARRAYS, TENSORS])
@pytest.mark.parametrize("rows", [1 << 20, 4 * WIDTH])
def test_steps_are_the_papers_wherever_the_window_lies(network, rows, monkeypatch):
    """Jitter rolls the picture under the window; the moments stay with their pixels."""
    strips = module.strips
    monkeypatch.setattr(module, "strips", lambda h, w, least: strips(h, w, rows, least))
    moments, reference = Moments(network), Reference()
    random = np.random.RandomState(9)
    moments.begin(0, canvas_of())
    for time, gradient in enumerate(gradients(5), 1):
        top, left = (int(number) for number in random.randint(-12, 13, 2))
        rolled = np.roll(gradient, (-top, -left), (1, 2)).astype(np.float32)
        given = network.on_device(rolled)
        moments.advance(given, tile_of(Window(top, left, HEIGHT, WIDTH)), time, 1e-3)
        found = np.roll(np.asarray(given), (top, left), (1, 2))
        np.testing.assert_allclose(found, reference.step(gradient, 1e-3), rtol=2e-4, atol=1e-5)


def test_tiles_take_in_what_is_inside_them_and_see_what_is_around():
    moments, reference = Moments(ARRAYS), Reference()
    moments.begin(0, canvas_of("none"))
    halves = [Window(0, 0, HEIGHT, 14), Window(0, 14, HEIGHT, WIDTH - 14)]
    windows = [Window(0, 0, HEIGHT, 18), Window(0, 10, HEIGHT, WIDTH - 10)]
    for time, gradient in enumerate(gradients(3), 1):
        expected = reference.step(gradient, 1e-3)
        for window, interior in zip(windows, halves):
            columns = slice(window.left, window.left + window.width)
            part = np.ascontiguousarray(gradient[..., columns], np.float32)
            moments.advance(part, tile_of(window, interior), time, 1e-3)
            inside = slice(
                interior.left - window.left, interior.left - window.left + interior.width
            )
            there = slice(interior.left, interior.left + interior.width)
            np.testing.assert_allclose(
                part[..., inside], expected[..., there], rtol=2e-4, atol=1e-5
            )


def test_another_octave_begins_anew():
    moments, (first, second) = Moments(ARRAYS), gradients(2)
    for octave, gradient in enumerate((first, second)):
        moments.begin(octave, canvas_of())
        given = gradient.astype(np.float32)
        moments.advance(given, tile_of(Window(0, 0, HEIGHT, WIDTH)), 1, 1e-3)
        np.testing.assert_allclose(given, np.sign(gradient), rtol=1e-3)


def test_where_there_is_no_gradient_there_is_no_step():
    moments = Moments(ARRAYS)
    moments.begin(0, canvas_of())
    given = np.zeros((3, HEIGHT, WIDTH), np.float32)
    moments.advance(given, tile_of(Window(0, 0, HEIGHT, WIDTH)), 1, 0.0)
    assert not given.any()


@pytest.mark.parametrize("kind", [ArrayNetwork, TensorNetwork])
def test_a_dream_by_adam_is_adam_on_the_notebooks_gradient(tmp_path, kind):
    """Three passes over a whole picture with jitter, on the moments of its own pixels."""
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    how = dreams.options(
        "whole", octaves=1, iterations=3, end=END, storage="float32", wrap="both", jitter=9,
        step_size=(2.0, 2.0), gradient=GradientRules(adam=True),
    )  # fmt: skip
    image = picture(60, 70)
    dream = dreams.dream_of(how, (60, 70))
    stepper = Stepper(net, dream)
    stepper._network = stepper._moments._network = kind(net)
    found = stepper.quantizer.as_levels(dreams.in_memory(how, image, stepper=stepper))

    rule, reference = Preprocessing.of(net), Reference()
    order = list(rule.order)
    levels = np.float64(image).transpose(2, 0, 1)[order]
    expected = levels - rule.mean[:, None, None]
    for pass_ in range(3):
        [[tile]] = dream.schedule(0).phases(pass_)
        offset = (-tile.window.top, -tile.window.left)
        net.blobs["data"].reshape(1, 3, 60, 70)
        net.blobs["data"].data[0] = np.roll(expected, offset, (1, 2))
        climb(net, END, objective_L2)
        back = (tile.window.top, tile.window.left)
        gradient = np.roll(net.blobs["data"].diff[0], back, (1, 2))
        expected += 2 * reference.step(gradient, np.abs(gradient).mean())
        expected = np.clip(expected, *(limit[:, None, None] for limit in rule.limits()))
    expected = (expected + rule.mean[:, None, None])[np.argsort(order)].transpose(1, 2, 0)
    off = np.abs(found - expected)
    assert np.abs(expected - image).mean() > 1
    assert np.median(off) < 1e-3
    assert off.mean() < 0.02  # signs of what is almost no gradient may differ


@pytest.mark.parametrize("kind", [ArrayNetwork, TensorNetwork])
def test_a_mask_on_the_steps_scales_adams(tmp_path, kind, net):
    net.keep_intermediates = False
    changes = []
    for grey in (255, 51):
        Image.fromarray(np.full((4, 4), grey, np.uint8)).save(tmp_path / "mask.png")
        rules = GradientRules(adam=True, mask=str(tmp_path / "mask.png"))
        how = dreams.options("whole", octaves=1, iterations=1, end=END, storage="float32",
                             wrap="both", clip=False, gradient=rules)  # fmt: skip
        stepper = Stepper(net, dreams.dream_of(how, (60, 70)))
        stepper._network = stepper._moments._network = kind(net)
        image = picture(60, 70).astype(np.float32)
        how.iterations = 0
        before = dreams.in_memory(how, image, stepper=stepper)
        how.iterations = 1
        changes.append(dreams.in_memory(how, image, stepper=stepper) - before)
    assert np.abs(changes[0]).mean() == pytest.approx(1.5, rel=0.01)
    np.testing.assert_allclose(changes[1], 0.2 * changes[0], atol=1e-3)


def test_moments_are_reckoned():
    sizes = [(70, 80), (100, 120)]
    plain, adam = (canvas_bytes(sizes, "uint8", 0, adam=adam) for adam in (False, True))
    assert adam - plain == 24 * 100 * 120
    assert canvas_bytes([(99, 119), (100, 120)], "uint8", 0, adam=True) == (
        3 * 100 * 120 + 30 * 99 * 119
    )


# -- the command --------------------------------------------------------------------------------


def flags(model, *more):
    given = ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
             "--seed", 4, "--optimiser", "adam", *more]  # fmt: skip
    return [str(flag) for flag in given]


@pytest.mark.parametrize("more", [(), ("--schedule", "shift", "--tile-size", 48)])
def test_the_command_dreams_by_adam_and_repeats_it(workplace, model, more):
    assert run("sky.png", "out.png", *flags(model, *more)) == 0
    assert load_config("out.png")["optimiser"] == "adam"
    assert run("sky.png", "again.png", "--config", "out.png") == 0
    assert np.array_equal(pixels("again.png"), pixels("out.png"))
    assert run("sky.png", "plain.png", *flags(model, *more, "--optimiser", "ascent")) == 0
    assert np.abs(pixels("plain.png") - pixels("out.png")).mean() > 0.3


def test_frames_are_dreamt_by_adam(workplace, model):
    assert run("sky.png", "film", *flags(model, "--frames", 2)) == 0
    assert run("sky.png", "alone.png", *flags(model)) == 0
    assert np.array_equal(pixels("film/0000.png"), pixels("alone.png"))
    assert load_config("film/0001.png")["optimiser"] == "adam"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--no-normalise"], "--no-normalise means nothing to --optimiser adam"),
        (["--devices", "cpu,cpu"], "--devices needs what lies in files"),
        (["--work-dir", "work"], "--work-dir needs what lies in files"),
        (["--schedule", "random", "--tile-size", "48"], "take --schedule shift"),
        (["--schedule", "spiral", "--tile-size", "48"], "take --schedule shift"),
    ],
)
def test_what_has_no_room_for_moments_is_refused(workplace, model, capsys, more, says):
    assert run("sky.png", "out.png", *flags(model, *more)) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not Path("out.png").exists()
    assert not Path("work").exists()


def test_a_picture_whose_moments_ram_cannot_hold_is_refused_with_what_would_do(workplace, model):
    Image.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("large.png")

    def planned(memory):
        settings = Settings(
            engine="torch", model=str(model), end=END, octaves=1, iterations=1, schedule="shift",
            optimiser="adam", seed=1, memory=memory,
        )  # fmt: skip
        return prepare("large.png", "out.png", settings, planning=True)

    large = planned("20G")
    least = (large.demand.ram - 24 * 12_000_000) >> 20
    assert large.demand.canvases >= (24 + 9) * 12_000_000
    with pytest.raises(DreamError, match=r"the dream takes [\d.]+G; allow --memory (\d+)M"):
        planned(f"{least}M")
