"""Which tiles a worker is given next, and which of another's it does too."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.cluster import rounds
from dreamlib.cluster.rounds import Round, Task
from dreamlib.imaging.picture import Window
from dreamlib.tiling.canvas import Canvas

NOW = 1000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(rounds.time, "monotonic", lambda: NOW)


def round_of(*sides, **more):
    """A round of tiles with these sides, named (0, 0), (0, 1) ..."""
    tiles = {
        (0, number): SimpleNamespace(window=Window(0, 0, side, side))
        for number, side in enumerate(sides)
    }
    return Round(0, 0, tiles, None, Canvas(8, 8, "uint8"), **more)


def member(pace=None, since=0.0, **more):
    return SimpleNamespace(pace=pace, since=NOW - since, tasks=[], sees=True, writes=False, **more)


def give(worker, round_, *keys):
    worker.tasks.append(Task(round_, list(keys)))
    for key in keys:
        round_.left.remove(key)


def test_large_tiles_come_first():
    assert list(round_of(10, 30, 20).left) == [(0, 1), (0, 2), (0, 0)]


def test_a_worker_whose_pace_nobody_knows_is_given_one_tile():
    assert round_of(*[10] * 20).next_tiles(member(), 1) == [(0, 0)]


def test_tiles_are_put_together_until_they_last_long_enough():
    tenth = member(pace=rounds.LEAST_SECONDS / 10 / 100)  # seconds for a tile of 10 x 10
    assert len(round_of(*[10] * 40).next_tiles(tenth, 1)) == 10
    slow = member(pace=rounds.LEAST_SECONDS / 100)
    assert len(round_of(*[10] * 40).next_tiles(slow, 1)) == 1


def test_towards_the_end_tiles_are_shared_out():
    fast = member(pace=1e-9)
    assert len(round_of(*[10] * 40).next_tiles(fast, 4)) == 5
    assert len(round_of(*[10] * 3).next_tiles(fast, 4)) == 1


def test_where_pixels_travel_a_task_is_not_too_many_bytes():
    far = member(pace=1e-12)
    far.sees = False
    side = int((rounds.MOST_BYTES / 3 / 2) ** 0.5) + 1
    assert len(round_of(*[side] * 100).next_tiles(far, 1)) == 2


def test_an_idle_worker_does_what_a_slow_one_will_be_late_with():
    round_, slow, idle = round_of(10), member(pace=0.1, since=0), member(pace=0.001)
    give(slow, round_, (0, 0))  # ten seconds there, a tenth here
    assert round_.late_tiles(idle, [slow, idle]) == [(0, 0)]


def test_nobody_does_anew_what_will_be_done_as_soon():
    round_, busy, idle = round_of(10), member(pace=0.01, since=0), member(pace=0.01)
    give(busy, round_, (0, 0))
    assert round_.late_tiles(idle, [busy, idle]) == []


def test_a_worker_that_has_fallen_silent_is_late_by_and_by():
    round_, silent, idle = round_of(10), member(pace=0.01), member(pace=0.01)
    give(silent, round_, (0, 0))
    silent.since = NOW - 2
    assert round_.late_tiles(idle, [silent, idle]) == []  # a second over its time
    silent.since = NOW - 4
    assert round_.late_tiles(idle, [silent, idle]) == [(0, 0)]


def test_what_waits_behind_a_late_task_is_late_too_and_the_latest_goes_first():
    round_, slow, idle = round_of(10, 10), member(pace=0.1, since=0), member(pace=0.001)
    give(slow, round_, (0, 0))
    give(slow, round_, (0, 1))
    assert round_.late_tiles(idle, [slow, idle]) == [(0, 1)]


def test_what_two_have_is_late_only_if_both_are():
    round_, slow, fast, idle = round_of(10), member(pace=1), member(0.001), member(0.001)
    slow.tasks.append(Task(round_, [(0, 0)]))
    fast.tasks.append(Task(round_, [(0, 0)]))
    assert round_.late_tiles(idle, [slow, fast, idle]) == []


def test_what_is_done_is_not_done_again():
    round_, slow, idle = round_of(10), member(pace=1), member(pace=0.001)
    give(slow, round_, (0, 0))
    round_.done.add((0, 0))
    assert round_.late_tiles(idle, [slow, idle]) == []


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 9), st.floats(1e-9, 1))
def test_every_tile_is_given_once(sides, workers, pace):
    round_, given_ = round_of(*sides), []
    while round_.left:
        given_ += round_.next_tiles(member(pace=pace), workers)
    assert sorted(given_) == [(0, number) for number in range(len(sides))]


def test_pixels_travel_to_who_does_not_see_them_and_paths_to_who_does(tmp_path):
    path = tmp_path / "canvas"
    canvas = Canvas(8, 8, "uint8", path=path)
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    canvas.write(Window(0, 0, 8, 8), pixels)
    tiles = {(0, 0): SimpleNamespace(window=Window(2, 2, 4, 4))}
    target = Canvas(8, 8, "uint8", path=tmp_path / "target")
    round_ = Round(0, 0, tiles, None, canvas, target=target)
    near, far, own = member(), member(), member()
    far.sees, own.writes = False, True
    assert round_.pixels_for([(0, 0)], near) == (str(path), None, None)
    assert round_.pixels_for([(0, 0)], own) == (str(path), None, target.path)
    [sent], base, nowhere = round_.pixels_for([(0, 0)], far)
    assert np.array_equal(sent, pixels[2:6, 2:6])
    assert base is nowhere is None
