"""dream.py on a GPU makes the CPU's pictures, but for rounding."""

import numpy as np
import pytest
from PIL import Image

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


def test_the_same_comparison_passes_on_the_cpu_and_fails_where_it_should(place):
    expected, undreamt = dream(place, "a.png"), pixels(place / "sky.png")
    assert_alike(dream(place, "b.png", "--devices", "cpu"), expected, undreamt)
    with pytest.raises(AssertionError):
        assert_alike(dream(place, "c.png", "--seed", 5), expected, undreamt)
