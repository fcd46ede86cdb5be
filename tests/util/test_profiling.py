"""``--profile``: what it measures, and that it measures nothing unless it is asked for."""

import mmap
import re
import sys
from types import SimpleNamespace

import pytest

from dreamlib import cli
from dreamlib.util import profiling as phases
from dreamlib.util.progress import phase
from tests.nets import write_random_net

MIB = 1 << 20


def test_nothing_is_recorded_without_a_recorder(monkeypatch):
    monkeypatch.setattr(phases, "forget_peak", lambda: pytest.fail("somebody measured"))
    phase("writing")


@pytest.fixture
def clock(monkeypatch):
    """A clock that only a test moves: its ``now``, in seconds."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(phases, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def test_time_belongs_to_the_phase_in_which_it_passed(clock):
    with phases.recording() as recorded:
        phase("short")
        clock.now += 1
        phase("long")
        clock.now += 4
    assert recorded.seconds == {"start": 0, "short": 1, "long": 4}


def test_a_phase_that_returns_adds_to_its_time(clock):
    with phases.recording() as recorded:
        for _ in range(3):
            phase("sleep")
            clock.now += 2
            phase("between")
            clock.now += 1
    assert recorded.seconds == {"start": 0, "sleep": 6, "between": 3}


def take_and_give_back(count):
    """Take bytes of memory and give them back to the system, which malloc might not do."""
    with mmap.mmap(-1, count) as memory:
        for start in range(0, count, mmap.PAGESIZE):
            memory[start] = 1


@pytest.mark.skipif(not phases.forget_peak(), reason="this kernel keeps a process's peak for good")
def test_a_peak_belongs_to_the_phase_that_reached_it():
    with phases.recording() as recorded:
        phase("much")
        take_and_give_back(100 * MIB)
        phase("little")
    assert recorded.exact
    assert 95 * MIB < recorded.peaks["much"] - recorded.peaks["start"] < 120 * MIB
    assert recorded.peaks["little"] < recorded.peaks["much"] - 80 * MIB


def test_where_peaks_cannot_be_forgotten_the_table_says_so(monkeypatch):
    monkeypatch.setattr(phases, "forget_peak", lambda: False)
    with phases.recording() as recorded:
        phase("a")
    assert "peak since the start" in recorded.table()


def test_a_gpus_peak_belongs_to_the_phase_that_reached_it(monkeypatch):
    """By a stand-in for PyTorch, which counts what is asked of it."""
    calls = []

    class Cuda:
        peak = 0
        is_initialized = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        memory_reserved = staticmethod(lambda gpu: gpu)  # the second alone is in use
        synchronize = staticmethod(lambda gpu: calls.append(("synchronize", gpu)))

        @classmethod
        def max_memory_allocated(cls, gpu):
            assert gpu == 1
            return cls.peak

        @classmethod
        def reset_peak_memory_stats(cls, gpu):
            assert gpu == 1
            cls.peak = 0

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda))
    with phases.recording() as recorded:
        phase("much")
        Cuda.peak = 3 * MIB
        phase("little")
    assert recorded.gpu_peaks == {"start": 0, "much": 3 * MIB, "little": 0}
    assert calls == [("synchronize", 1)] * 3
    head, *_, total = recorded.table().splitlines()
    assert head.endswith("GPU peak, MiB")
    assert total.split()[-1] == "3"


def test_an_error_ends_the_recording():
    with pytest.raises(ZeroDivisionError), phases.recording():
        raise ZeroDivisionError
    phase("afterwards")
    with phases.recording() as recorded:
        pass
    assert list(recorded.seconds) == ["start"]


def test_the_command_tells_each_phase_and_the_dream_is_the_same(tmp_path, capsys):
    write_random_net(tmp_path)
    words = ["noise:60x50", "--model", str(tmp_path), "--engine", "torch", "--end", "mixed/output",
             "--octaves", "2", "--iterations", "1", "--seed", "1", "--quiet"]  # fmt: skip
    assert cli.main([*words[:1], str(tmp_path / "plain.bmp"), *words[1:]]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main([*words[:1], str(tmp_path / "told.bmp"), *words[1:], "--profile"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [re.fullmatch(r"(\S.*?) +(\d+\.\d\d) +(\d+)", line).groups() for line in lines[1:]]
    assert [name for name, *_ in rows] == [
        "start", "reading", "network", "canvas", "octave 1/2", "octave 2/2", "writing", "all",
    ]  # fmt: skip
    seconds = [float(row[1]) for row in rows]
    assert sum(seconds[:-1]) == pytest.approx(seconds[-1], abs=0.05)
    assert max(int(row[2]) for row in rows[:-1]) == int(rows[-1][2])
    assert (tmp_path / "plain.bmp").read_bytes() == (tmp_path / "told.bmp").read_bytes()
