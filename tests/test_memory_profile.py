"""benchmarks/memory_profile.py reads memory_profiler's output, samples processes and draws."""

import subprocess
import sys

import numpy as np
import pytest

from dreamlib.util.subprocesses import environment
from tests.embedded import REPOSITORY
from tests.nets import write_random_net

PROFILED = """
from dreamlib.util.progress import profile

@profile
def inner():
    held = bytearray(40 << 20)
    for _ in range(3):
        small = bytearray(100)
    return held

@profile
def outer():
    for _ in range(1):
        one = inner()
    other = bytearray(20 << 20)
    del one
    return other

outer()
"""


@pytest.fixture(scope="module")
def memory_profile():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import memory_profile

        yield memory_profile


@pytest.fixture(scope="module")
def lines(memory_profile, tmp_path_factory):
    """What is read of a small program of known appetite, under memory_profiler."""
    script = tmp_path_factory.mktemp("profiled") / "script.py"
    script.write_text(PROFILED)
    command = [sys.executable, "-m", "memory_profiler", str(script)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return memory_profile.parse(memory_profile.function_names(done.stdout))


def test_increments_of_lines_are_what_they_allocate(lines):
    found = {(line.function, line.text): line.increment for line in lines}
    assert found["inner", "held = bytearray(40 << 20)"] == pytest.approx(40, abs=1)
    assert found["outer", "other = bytearray(20 << 20)"] == pytest.approx(20, abs=1)
    assert found["outer", "del one"] == pytest.approx(-40, abs=1)


def test_a_call_of_a_profiled_function_counts_what_it_left_not_all_there_is(lines):
    [call] = [line.increment for line in lines if line.text == "one = inner()"]
    assert call == pytest.approx(40, abs=1)


def test_the_table_has_the_lines_that_matter_by_pixel(memory_profile):
    lines = [memory_profile.Line("f", "a | b", 24.0), memory_profile.Line("f", "small()", 0.5)]
    text = memory_profile.table(lines, 1 << 20)
    assert "| `f` | `a \\| b` | 24 | 24 |" in text
    assert "small" not in text


def test_another_processs_memory_is_seen_over_time(memory_profile):
    code = "import time; time.sleep(0.3); held = bytearray(60 << 20); time.sleep(0.4)"
    found = memory_profile.sampled(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    seconds, memory = np.array(found).T
    assert (np.diff(seconds) > 0).all()
    middle = (memory.min() + memory.max()) / 2
    before = np.median(memory[memory < middle])
    assert memory.max() - before == pytest.approx(60 << 20, rel=0.2)


def test_a_dream_under_memory_profiler_tells_of_the_network(memory_profile, tmp_path):
    write_random_net(tmp_path)
    command = [sys.executable, "-m", "memory_profiler", "dream.py", "noise:640x480",
               str(tmp_path / "out.bmp"), "--model", str(tmp_path), "--end", "mixed/output",
               "--engine", "torch", "--schedule", "whole", "--octaves", "1", "--iterations", "1",
               "--quiet"]  # fmt: skip
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True
    )
    found = memory_profile.parse(memory_profile.function_names(done.stdout))
    per_pixel = {line.text: line.increment * 2**20 / (640 * 480) for line in found}
    assert per_pixel["self._net.forward_range(0, layer)"] > 10
    assert per_pixel["canvas, quantizer = drained(dreaming(job, store, progress))"] > 10


def test_a_plot_shows_each_line_in_its_colour_and_is_small(memory_profile, tmp_path):
    draw = memory_profile.line_plot.draw
    series = {name: [(t / 50, np.sin(t / 40 + k) + 1 + k) for t in range(500)]
              for k, name in enumerate(["one", "two"])}  # fmt: skip
    path = tmp_path / "plot.png"
    draw(series, "seconds", "GiB").save(path, optimize=True)
    assert path.stat().st_size < 40_000
    pixels = np.array(draw(series, "seconds", "GiB").convert("RGB")).astype(int)
    for colour in memory_profile.line_plot.COLOURS[:2]:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (abs(pixels - rgb).sum(axis=2) < 30).sum() > 800


@pytest.mark.parametrize(("most", "step"), [(7.4, 1), (0.9, 0.2), (60, 10), (4200, 1000)])
def test_grid_lines_are_round(memory_profile, most, step):
    assert memory_profile.line_plot.step_of(most) == pytest.approx(step)
