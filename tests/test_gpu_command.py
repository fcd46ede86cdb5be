"""dream.py on a GPU makes the CPU's pictures, but for rounding."""

import numpy as np
import pytest
from PIL import Image

from dreamlib import pycaffe
from dreamlib.jobs.prepare import prepare
from dreamlib.settings import Settings
from tests.command import pixels, run
from tests.nets import picture, write_random_net

#: What is asked for, and what the CPU is asked for instead.
DEVICES = {
    "one": (["--gpu"], []),
    "two workers on it": (["--devices", "cuda:0,cuda:0"], ["--devices", "cpu,cpu"]),
    "bfloat16": (["--gpu", "--precision", "bfloat16"], ["--precision", "bfloat16"]),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small model and a picture."""
    folder = tmp_path_factory.mktemp("gpu")
    write_random_net(folder)
    Image.fromarray(picture(150, 220)).save(folder / "sky.png")
    return folder


def dream(place, output, *more):
    """Dream the picture by tiles for a step; return the pixels."""
    assert run(place / "sky.png", place / output, "--model", place, "--engine", "torch", "--end",
               "mixed/output", "--octaves", 2, "--iterations", 1, "--schedule", "shift",
               "--tile-size", 96, "--overlap", 16, "--seed", 4, "--quiet", *more) == 0  # fmt: skip
    return pixels(place / output)


def assert_alike(found, expected, undreamt):
    """Few pixels differ, by little, where all of them were dreamt."""
    assert np.abs(expected - undreamt).mean() > 0.5
    difference = np.abs(found - expected)
    assert difference.mean() < 0.1
    assert np.quantile(difference, 0.99) <= 2


@pytest.mark.gpu
@pytest.mark.parametrize("name", DEVICES)
def test_a_dream_on_the_gpu_is_the_cpus(place, name):
    on_gpu, on_cpu = DEVICES[name]
    found = dream(place, "gpu.png", *on_gpu)
    expected = dream(place, "cpu.png", *on_cpu)
    assert_alike(found, expected, pixels(place / "sky.png"))


@pytest.mark.gpu
def test_the_profile_tells_the_gpus_memory(place, capsys):
    dream(place, "told.png", "--gpu", "--profile")
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith("GPU peak, MiB")
    [octave] = [row for row in rows if row.startswith("octave 2/2")]
    assert float(octave.split()[-1]) > 0


@pytest.mark.gpu
@pytest.mark.parametrize("storage", ["uint8", "uint16", "float32"])
def test_canvases_on_the_card_give_the_picture_of_those_in_files(place, storage):
    found = dream(place, "there.png", "--gpu", "--storage", storage)
    more = ["--storage", storage, "--work-dir", place / "work"]
    expected = dream(place, "files.png", "--gpu", *more)
    assert_alike(found, expected, pixels(place / "sky.png"))


@pytest.mark.gpu
def test_canvases_on_the_card_take_there_what_the_plan_says(place):
    """With the same tiles, nothing else differs."""
    import torch

    source, output = place / "large.png", place / "planned.png"
    Image.fromarray(picture(1500, 2200)).save(source)
    asked = Settings(model=place, engine="torch", end="mixed/output", octaves=1, schedule="shift",
                     tile_size=512, overlap=32, seed=4, gpu=0)  # fmt: skip
    planned = prepare(source, output, asked, planning=True).demand.on_gpu
    pycaffe.set_mode_cpu()
    assert planned == 2 * 1500 * 2200 * 3
    peaks, in_files = [], ["--work-dir", place / "large"]
    for more in (in_files, [], in_files):  # in the first cuDNN tries what it chooses from
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        assert run(source, output, "--model", place, "--engine", "torch", "--end", "mixed/output",
                   "--octaves", 1, "--iterations", 1, "--schedule", "shift", "--tile-size", 512,
                   "--overlap", 32, "--seed", 4, "--quiet", "--gpu", "--overwrite",
                   *more) == 0  # fmt: skip
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] - peaks[2] == pytest.approx(planned, rel=0.1)


def test_the_same_comparison_passes_on_the_cpu_and_fails_where_it_should(place):
    expected, undreamt = dream(place, "a.png"), pixels(place / "sky.png")
    assert_alike(dream(place, "b.png", "--devices", "cpu"), expected, undreamt)
    with pytest.raises(AssertionError):
        assert_alike(dream(place, "c.png", "--seed", 5), expected, undreamt)
