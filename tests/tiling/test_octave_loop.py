"""The dream on canvases: the notebook's bits as a whole, its picture in tiles and in bytes."""

import numpy as np
import pytest

from dreamlib import dream
from dreamlib.ascent.regularizers import GradientRules
from dreamlib.imaging.picture import WRAPS, Window
from dreamlib.imaging.resample import octave_sizes
from dreamlib.tiling.canvas import Canvas, InMemory
from dreamlib.tiling.gradient_scale import OWN_SCALE, GradientScale, Scale
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.schedule import Schedule, Tile
from dreamlib.tiling.stepper import Stepper
from tests import dreams
from tests.nets import picture

END = "mixed/output"
schedules = pytest.mark.parametrize("schedule", dreams.SCHEDULES)

FIRST, FIRST_PLACE = Window(0, 0, 0, 0), Place(0, 0, 0)
ANCHORED = GradientRules(anchor=1.0)


def dreamt(net, image, schedule, progress=None, step_size=1.5, **values):
    """Dream with the small net; return grey levels."""
    values = {"tile_size": 48, "overlap": 16, "jitter": 8, "end": END, **values}
    values = {"storage": "float32", "step_size": (step_size, step_size), **values}
    how = dreams.options(schedule, **values)
    stepper = Stepper(net, dreams.dream_of(how, image.shape[:2]))
    pixels = dreams.in_memory(how, image, stepper=stepper, progress=progress)
    return stepper.quantizer.as_levels(pixels)


def tiny_steps(net, size, **values):
    """A stepper whose steps are too small to show to later tiles, and its quantizer."""
    how = dreams.options(
        "shift", end=END, storage="float32", wrap="both", octaves=1, step_size=(0.0003, 0.0003),
        **values,
    )  # fmt: skip
    stepper = Stepper(net, dreams.dream_of(how, size))
    return stepper, stepper.quantizer


def aligned_tiles(size):
    """The tiles of a pass of shift that lies on the network's strides."""
    passes = (Schedule("shift", size, 64, 32, "both").phases(number) for number in range(1000))
    phases = next(
        phases
        for phases in passes
        if all(place % 4 == 0 for phase in phases for tile in phase for place in tile.window)
    )
    return [tile for phase in phases for tile in phase]


# -- as a whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "octaves", "iterations", "jitter", "seed"),
    [
        ((80, 97), 1, 3, 8, 0),
        ((97, 120), 3, 2, 32, 1),
        ((64, 64), 2, 4, 0, 2),
        ((70, 101), 2, 2, 100, 3),
    ],
)
def test_a_whole_dream_in_floats_has_the_bits_of_deepdream(
    net, size, octaves, iterations, jitter, seed
):
    image = picture(*size)
    np.random.seed(seed)
    expected = dream.deepdream(
        net, image, iter_n=iterations, octave_n=octaves, jitter=jitter, end=END
    )
    ours = dreamt(
        net, image, "whole", octaves=octaves, iterations=iterations, jitter=jitter, seed=seed,
        wrap="both",
    )  # fmt: skip
    assert np.array_equal(ours, expected)


def test_a_whole_dream_without_wrap_is_another_of_the_same_strength(net):
    image = picture(80, 90)
    closed, mirrored = (dreamt(net, image, "whole", wrap=wrap) for wrap in ("both", "none"))
    change = [np.abs(result - image).mean() for result in (closed, mirrored)]
    assert not np.array_equal(closed, mirrored)
    assert change[1] == pytest.approx(change[0], rel=0.25)


# -- in tiles -------------------------------------------------------------------------------------


def test_a_tiled_pass_is_the_whole_pictures_step(net):
    """With the same mean, tiles on the strides' grid, and too small to show to later tiles."""
    size, margin, scale = (192, 256), 64, Scale(1.0, None)
    stepper, quantizer = tiny_steps(net, size)
    start = quantizer.encode(dream.preprocess(net, picture(*size)), FIRST, 0)
    whole, tiled = (Canvas.of(start.copy(), "both") for _ in range(2))
    around, window = Canvas.of(start, "both"), Window(0, 0, *size)
    seen = Window(-margin, -margin, size[0] + 2 * margin, size[1] + 2 * margin)
    list(stepper.steps(FIRST_PLACE, scale, [Tile(seen, window, 1)], around, whole))
    tiles = aligned_tiles(size)
    assert len(tiles) == 16
    list(stepper.steps(FIRST_PLACE, scale, tiles, tiled, tiled))
    expected, change = (canvas.array() - start for canvas in (whole, tiled))
    difference = np.sqrt(np.square(change - expected).mean() / np.square(expected).mean())
    assert difference < 0.02


@pytest.mark.parametrize(
    ("schedule", "wrap"),
    [("shift", "none"), ("shift", "both"), ("spiral", "none"), ("random", "both")],
)
def test_a_tiled_dream_is_as_strong_as_the_whole_one(net, schedule, wrap):
    image = picture(80, 96)
    whole, tiled = (
        np.abs(dreamt(net, image, kind, wrap=wrap) - image).mean() for kind in ("whole", schedule)
    )
    assert tiled == pytest.approx(whole, rel=0.3)


#: Peak signal to noise ratio, in dB, of a short dream in bytes to the same in floats. Rounding the
#: source alone would leave about 45: the network makes more of any difference in each step.
ALIKE = 38


@pytest.mark.parametrize("schedule", ["whole", "shift", "spiral"])
def test_bytes_dream_what_floats_dream(net, schedule):
    image = picture(90, 110)
    floats, integers = (
        dreamt(net, image, schedule, storage=dtype, octaves=2, iterations=3)
        for dtype in ("float32", "uint8")
    )
    error = np.square(np.clip(floats, 0, 255) - integers).mean()
    assert 10 * np.log10(255**2 / error) >= ALIKE


def test_sixteen_bits_dream_what_floats_dream(net):
    image = picture(80, 96)
    floats, integers = (
        dreamt(net, image, "shift", storage=dtype) for dtype in ("float32", "uint16")
    )
    error = np.square(floats - integers).mean()
    assert 10 * np.log10(255**2 / error) >= 55


def test_several_steps_on_a_tile_are_as_many_passes_fewer(net):
    steps = dreams.Steps()
    image = picture(64, 64)
    result = dreamt(net, image, "shift", octaves=1, iterations=5, tile_steps=2, progress=steps)
    assert sum(step.pixels for step in steps.steps) == 64 * 64 * 3
    assert np.abs(result - image).mean() > 2


class Backwards(InProcess):
    """Steps on a phase's tiles in the other order."""

    def steps(self, place, scale, tiles, indices, *args):
        yield from super().steps(place, scale, tiles, indices[::-1], *args)


@schedules
@pytest.mark.parametrize("wrap", WRAPS)
def test_the_order_within_a_phase_does_not_matter(schedule, wrap):
    image = dreams.picture(40, 50)
    how = dreams.options(schedule, wrap=wrap)
    workers = Backwards(dreams.FakeStepper(dreams.dream_of(how, (40, 50))))
    assert np.array_equal(
        dreams.in_memory(how, image, workers=workers), dreams.in_memory(how, image)
    )


# -- filters and regularizers ---------------------------------------------------------------------


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_a_tiled_pass_with_equal_bands_is_the_whole_pictures_step(net):
    """With the deviations that the tiles' own sums estimate, where tiles can be compared at all."""
    size, margin = (192, 256), 64
    stepper, quantizer = tiny_steps(net, size, gradient=GradientRules(laplacian=2))
    start = quantizer.encode(dream.preprocess(net, picture(*size)), FIRST, 0)
    whole, tiled, around = (Canvas.of(start.copy(), "both") for _ in range(3))
    seen = Window(-margin, -margin, size[0] + 2 * margin, size[1] + 2 * margin)
    all_of_it = Tile(seen, Window(0, 0, *size), 1)
    [(_, sums)] = stepper.steps(FIRST_PLACE, OWN_SCALE, [all_of_it], around, whole)
    tiles, estimate = aligned_tiles(size), GradientScale()
    estimate.take_sample(
        [
            (stepper.measure(0, tile, around), tile.interior.height * tile.interior.width)
            for tile in tiles
        ]
    )
    scale, pixels = estimate.value(size[0] * size[1]), 3 * size[0] * size[1]
    np.testing.assert_allclose(np.square(scale.deviations) * pixels, sums[1:], rtol=0.05)
    assert scale.mean * pixels == pytest.approx(sums[0], rel=0.05)
    list(stepper.steps(FIRST_PLACE, scale, tiles, around, tiled))
    changes = [made.array() - start for made in (whole, tiled)]
    assert correlation(*changes) > 0.98
    assert np.abs(changes[1]).mean() == pytest.approx(np.abs(changes[0]).mean(), rel=0.05)


def test_a_tiled_dream_with_equal_bands_is_as_strong_and_as_coarse_as_the_whole_one(net):
    image = picture(96, 112)
    whole, tiled, plain = (
        dreamt(
            net, image, schedule, octaves=1, iterations=6, gradient=GradientRules(laplacian=levels)
        )
        - image
        for schedule, levels in (("whole", 3), ("shift", 3), ("shift", 0))
    )
    assert np.abs(tiled).mean() == pytest.approx(np.abs(whole).mean(), rel=0.2)
    coarse = [
        np.abs(np.diff(change, axis=1)).mean() / np.abs(change).mean()
        for change in (whole, tiled, plain)
    ]
    assert coarse[1] == pytest.approx(coarse[0], rel=0.1)
    assert coarse[2] > 1.2 * coarse[0]  # the filter makes a difference


@pytest.mark.parametrize("schedule", ["whole", "shift", "spiral"])
def test_the_pull_keeps_a_dream_near_its_undreamt_picture(net, schedule):
    image = picture(80, 96)
    free, pulled = (
        np.abs(
            dreamt(
                net,
                image,
                schedule,
                iterations=6,
                step_size=6,
                gradient=GradientRules(anchor=weight),
            )
            - image
        )
        for weight in (0, 4)
    )
    assert pulled.mean() < 0.8 * free.mean()


@schedules
def test_the_undreamt_pictures_of_octaves_are_given_up_when_they_are_dreamt(schedule):
    """And are what the octaves were made of."""
    how = dreams.options(schedule, gradient=ANCHORED)
    image, store = dreams.picture(40, 50), Watched(np.uint8, how.wrap)
    dreams.loop(store, how, image).run()
    assert [name for name in store.dropped if name.startswith("base")] == ["base-0", "base-1"]
    assert not store.has("base-0")
    assert not store.has("base-1")
    assert np.array_equal(store.dropped["base-1"], image)


class Watched(InMemory):
    """Remembers the pixels of what was dropped."""

    def __init__(self, *args):
        super().__init__(*args)
        self.dropped = {}

    def drop(self, name):
        if self.has(name):
            self.dropped[name] = self.canvas(name, None).array().copy()
        super().drop(name)


@schedules
def test_a_pulled_dream_ended_early_is_resumed_to_the_same_bits(schedule, tmp_path):
    image, how = dreams.picture(26, 30), dreams.options(schedule, gradient=ANCHORED)
    expected = dreams.in_memory(how, image)
    assert not np.array_equal(expected, dreams.in_memory(dreams.options(schedule), image))
    for count in (1, 2, 3):
        dreams.in_folder(
            tmp_path, how, image, resume=count > 1, progress=dreams.Steps(stop_after=count)
        )
    assert np.array_equal(dreams.in_folder(tmp_path, how, image, resume=True), expected)


# -- steps ----------------------------------------------------------------------------------------


@schedules
def test_every_tile_is_told_and_all_pixels_are_counted(schedule):
    steps, image = dreams.Steps(), dreams.picture(40, 50)
    how = dreams.options(schedule, iterations=3, octaves=3)
    dreams.in_memory(how, image, progress=steps)
    for octave, size in enumerate(octave_sizes(40, 50, 3, 1.4)):
        made = [step for step in steps.steps if step.octave == octave]
        assert {step.shape for step in made} == {size}
        assert sorted({step.iteration for step in made}) == [0, 1, 2]
        for turn in range(3):
            pixels = sum(step.pixels for step in made if step.iteration == turn)
            assert pixels == size[0] * size[1]
        tiles = dreams.dream_of(how, (40, 50)).schedule(octave).phases(0)
        assert sum(step.iteration == 0 for step in made) == sum(map(len, tiles))


@schedules
def test_a_dream_ended_after_any_step_is_a_picture_of_full_size(schedule):
    image, how = dreams.picture(26, 30), dreams.options(schedule)
    every = dreams.Steps()
    full = dreams.in_memory(how, image, progress=every)
    for count in range(1, len(every.steps) + 1):
        steps = dreams.Steps(stop_after=count)
        result = dreams.in_memory(how, image, progress=steps)
        assert len(steps.steps) == count
        assert result.shape == full.shape
        assert (result.std(axis=(0, 1)) > 10).all()  # it is a picture


def test_a_dream_ended_early_has_what_was_dreamt_before(net):
    image = picture(80, 96)
    change = [
        np.abs(
            dreamt(net, image, "whole", iterations=3, progress=dreams.Steps(count)) - image
        ).mean()
        for count in (1, 3, None)
    ]
    assert 0.5 < change[0] < change[1] < change[2]


@schedules
def test_a_dream_ended_early_is_resumed_to_the_same_bits(schedule, tmp_path):
    image, how = dreams.picture(26, 30), dreams.options(schedule)
    expected = dreams.in_memory(how, image)
    for count in (1, 2, 3):
        dreams.in_folder(
            tmp_path, how, image, resume=count > 1, progress=dreams.Steps(stop_after=count)
        )
    assert np.array_equal(dreams.in_folder(tmp_path, how, image, resume=True), expected)


@schedules
def test_a_resumed_dream_counts_the_steps_of_the_run_before(schedule, tmp_path):
    image, how = dreams.picture(26, 30), dreams.options(schedule)
    total = dreams.Steps()
    dreams.in_memory(how, image, progress=total)
    pixels = sum(step.pixels for step in total.steps)
    first, second = dreams.Steps(stop_after=len(total.steps) * 2 // 3), dreams.Steps()
    dreams.in_folder(tmp_path, how, image, progress=first)
    dreams.in_folder(tmp_path, how, image, resume=True, progress=second)
    assert first.skipped == 0
    assert 0 < second.skipped < pixels
    again = second.skipped + sum(step.pixels for step in second.steps)
    assert again == pixels
