"""Whole dreams on canvases of the device that computes: files and arrays as of canvases in RAM.

The device is the CPU here, so that the pictures are the same to the last bit.
"""

import numpy as np
import pytest
from PIL import Image

import dreamlib
from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.jobs.plan import _memory
from dreamlib.jobs.prepare import prepare
from dreamlib.jobs.run import memory_of
from dreamlib.settings import Settings
from dreamlib.tiling import memory_plan
from dreamlib.tiling.tensor_canvas import TensorCanvas
from tests.command import ctrl_c_at, film_frames, pixels, run
from tests.nets import picture

END = "mixed/output"
WHOLE = ["--schedule", "whole"]
TILES = ["--schedule", "shift", "--tile-size", 48, "--overlap", 16]


@pytest.fixture
def workplace(workplace):
    """A picture of 16 bits, and a mask, beside the other one."""
    deep = picture(60, 70).astype(np.uint16) * 257 + np.uint16(90)
    save_picture("deep.tif", deep.astype(np.float32) / 257, deep=True)
    Image.fromarray(np.uint8(np.arange(99 * 120).reshape(99, 120) % 255)).save("mask.png")
    return workplace


@pytest.fixture
def on_gpu(monkeypatch):
    """Call it, and what would lie in RAM lies on the device; it returns a list of what does."""

    def begin():
        choose, make, made = memory_plan.choose, TensorCanvas.__init__, []

        def chosen(*given):
            found, demand = choose(*given)
            return found, demand._replace(on_gpu=int(demand.in_ram))

        def noted(canvas, *given, **values):
            make(canvas, *given, **values)
            made.append(str(canvas))

        monkeypatch.setattr(memory_plan, "choose", chosen)
        monkeypatch.setattr(TensorCanvas, "__init__", noted)
        return made

    return begin


def flags(model, *more):
    given = ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
             "--seed", 4, "--quiet", *more]  # fmt: skip
    return [str(flag) for flag in given]


@pytest.mark.parametrize("more", [
    WHOLE, TILES, [*TILES, "--storage", "float32"], [*WHOLE, "--no-clip"],
    [*TILES, "--strength", 0.6, "--keep-colour"], [*WHOLE, "--strength", 0.6],
    [*TILES, "--mask", "mask.png", "--mask-on", "both"], [*TILES, "--anchor", 1],
    [*TILES, "--region", "10,20,60,50"], [*WHOLE, "--region", "10,20,60,50"],
    [*TILES, "--optimiser", "adam"],
], ids=lambda more: " ".join(map(str, more)))  # fmt: skip
def test_a_file_is_dreamt_into_the_same_file(workplace, model, on_gpu, more):
    assert run("sky.png", "ram.png", *flags(model, *more)) == 0
    made = on_gpu()
    assert run("sky.png", "there.png", *flags(model, *more)) == 0
    assert made
    assert (pixels("there.png") == pixels("ram.png")).all()


@pytest.mark.parametrize("more", [WHOLE, TILES], ids=["whole", "tiles"])
def test_sixteen_bits_are(workplace, model, on_gpu, more):
    assert run("deep.tif", "ram.tif", *flags(model, *more)) == 0
    made = on_gpu()
    assert run("deep.tif", "there.tif", *flags(model, *more)) == 0
    assert made
    found, expected = (open_picture(name, 0, "") for name in ("there.tif", "ram.tif"))
    assert found.dtype == np.uint16
    for (_, one), (_, other) in zip(found.strips(1000), expected.strips(1000)):
        assert np.array_equal(one, other)


def test_a_dream_ended_early_is_carried_to_the_same_picture(workplace, model, on_gpu):
    with ctrl_c_at(2):
        run("sky.png", "ram.png", *flags(model, *TILES))
    made = on_gpu()
    with ctrl_c_at(2):
        run("sky.png", "there.png", *flags(model, *TILES))
    assert made
    assert pixels("there.png").shape == pixels("sky.png").shape
    assert (pixels("there.png") == pixels("ram.png")).all()


def test_previews_and_films_of_growth_show_it(workplace, model, on_gpu):
    more = [*TILES, "--preview", 0.0001, "--growth"]
    assert run("sky.png", "ram.png", *flags(model, *more, "ram.gif")) == 0
    on_gpu()
    assert run("sky.png", "there.png", *flags(model, *more, "there.gif")) == 0
    assert (pixels("there.png.preview.jpg") == pixels("ram.png.preview.jpg")).all()
    assert np.array_equal(film_frames("there.gif")[0], film_frames("ram.gif")[0])


def test_a_dream_in_python_shows_every_step(workplace, model, on_gpu):
    settings = {"engine": "torch", "model": model, "end": END, "octaves": 2, "iterations": 2,
                "seed": 1, "quiet": True}  # fmt: skip
    expected = dreamlib.Dream("sky.png", **settings)
    seen = [step.array for step in expected]
    made = on_gpu()
    found = dreamlib.Dream("sky.png", **settings)
    for step, other in zip(found, seen):
        assert np.array_equal(step.array, other)
    assert made
    assert np.array_equal(found.array, expected.array)


def test_an_array_is_dreamt_into_the_same_array(workplace, model, on_gpu):
    settings = {"engine": "torch", "model": model, "end": END, "octaves": 2, "iterations": 2,
                "seed": 1, "quiet": True}  # fmt: skip
    expected = dreamlib.run(picture(60, 70), **settings)
    made = on_gpu()
    assert np.array_equal(dreamlib.run(picture(60, 70), **settings), expected)
    assert made


def test_the_plans_time_is_taken_on_such_a_canvas(workplace, model, on_gpu, capsys):
    made = on_gpu()
    assert run("sky.png", "out.png", *flags(model, *TILES, "--plan")) == 0
    assert made
    assert "time         about" in capsys.readouterr().out


def test_with_a_work_folder_they_are_files(workplace, model, on_gpu):
    assert run("sky.png", "ram.png", *flags(model, *TILES)) == 0
    made = on_gpu()
    assert run("sky.png", "there.png", *flags(model, *TILES, "--work-dir", "work")) == 0
    assert not made
    assert (pixels("there.png") == pixels("ram.png")).all()


def planned(model):
    asked = Settings(engine="torch", model=model, end=END, seed=1, schedule="shift", tile_size=64)
    return prepare("sky.png", "out.png", asked, planning=True)


def test_the_plan_tells_what_of_the_gpus_memory_they_take(workplace, model):
    def line(job):
        [found] = [line for line in _memory(job, 96 * 96) if line.startswith("GPU memory")]
        return found.removeprefix("GPU memory").strip()

    job = planned(model)
    assert line(job) == "none"
    job = job._replace(settings=job.settings.replace(gpu=0))
    network = line(job)
    there = line(job._replace(demand=job.demand._replace(on_gpu=2_500_000_000)))
    assert there.endswith(" GB, 2.50 GB of it the canvases")
    gigabytes = [float(text.split()[1]) for text in (network, there)]
    assert gigabytes[1] - gigabytes[0] == pytest.approx(2.5, abs=0.01)


def test_a_job_without_room_on_the_gpu_has_its_canvases_in_ram(workplace, model):
    job = planned(model)
    for count in (0, 1):
        store = memory_of(job._replace(demand=job.demand._replace(on_gpu=count)))
        assert (store.new_canvas("octave-0", (4, 5)).device is not None) == bool(count)
