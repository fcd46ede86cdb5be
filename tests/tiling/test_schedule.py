"""Schedules: what a pass covers, and which tiles may be dreamt at the same time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.imaging.picture import WRAPS
from dreamlib.tiling.axis import touched_cells
from dreamlib.tiling.schedule import SCHEDULES, Schedule

wraps = st.sampled_from(sorted(WRAPS))
sides = st.integers(1, 150)
seeds = st.integers(0, 2**32 - 1)
turns = st.integers(0, 20)


@st.composite
def schedules(draw, kind, wrap=wraps, smallest=2):
    """A schedule, and what it was made of."""
    size = draw(st.tuples(sides, sides))
    tile = draw(st.integers(smallest, 80))
    overlap = draw(st.integers(0, tile // 2))
    jitter = draw(st.integers(0, 120))
    made_of = {"wrap": draw(wrap), "jitter": jitter, "seed": draw(seeds)}
    schedule = Schedule(kind, size, tile, overlap, octave=draw(st.integers(0, 5)), **made_of)
    return schedule, size, tile, overlap, made_of["wrap"]


def tiles_of(phases):
    return [tile for phase in phases for tile in phase]


def places(start, length, side, closed):
    """Which of an axis's pixels a window finds."""
    padded = np.pad(np.arange(side), 500, mode="wrap" if closed else "symmetric")
    return padded[500 + start : 500 + start + length]


def area(window, size, wrap):
    """Where a window lies on the picture, as indices of rows and columns."""
    rows = places(window.top, window.height, size[0], WRAPS[wrap][0])
    columns = places(window.left, window.width, size[1], WRAPS[wrap][1])
    return np.ix_(np.unique(rows), np.unique(columns))


def plain(phases):
    """The phases as something that can be compared."""
    return [
        [
            (tile.window, tile.interior, tile.pixels)
            + tuple(None if w is None else w.tolist() for w in tile[3:])
            for tile in phase
        ]
        for phase in phases
    ]


# -- shift ----------------------------------------------------------------------------------------


@given(schedules("shift"), turns)
def test_shift_covers_every_pixel_once_in_a_pass(made, turn):
    schedule, size, _, _, wrap = made
    covered = np.zeros(size, int)
    for tile in tiles_of(schedule.phases(turn)):
        interior = tile.interior
        rows = places(interior.top, interior.height, size[0], WRAPS[wrap][0])
        columns = places(interior.left, interior.width, size[1], WRAPS[wrap][1])
        np.add.at(covered, np.ix_(rows, columns), 1)
    assert (covered == 1).all()


@given(schedules("shift"), turns)
def test_tiles_of_shift_have_between_half_a_tile_and_a_whole_one(made, turn):
    schedule, size, most, _, _ = made
    for tile in tiles_of(schedule.phases(turn)):
        for length, side in zip(tile.interior[2:], size):
            assert min(most // 2, side) <= length <= min(most, side)


@pytest.mark.parametrize("kind", SCHEDULES)
@given(st.data())
@settings(max_examples=50)
def test_a_window_contains_its_interior(kind, data):
    schedule, *_ = data.draw(schedules(kind, smallest=16 if kind == "random" else 8))
    turn = data.draw(st.integers(0, 2))
    for tile in tiles_of(schedule.phases(turn)):
        for axis in (0, 1):
            start, stop = tile.window[axis], tile.window[axis] + tile.window[axis + 2]
            assert start <= tile.interior[axis]
            assert tile.interior[axis] + tile.interior[axis + 2] <= stop


@given(schedules("shift"), turns)
def test_the_network_sees_the_overlap_on_every_side_within_the_picture(made, turn):
    schedule, size, _, overlap, wrap = made
    for tile in tiles_of(schedule.phases(turn)):
        for axis in (0, 1):
            start, stop = tile.interior[axis], tile.interior[axis] + tile.interior[axis + 2]
            closed, side = WRAPS[wrap][axis], size[axis]
            before = overlap if closed else min(overlap, start)
            after = overlap if closed else min(overlap, side - stop)
            assert tile.window[axis] <= start - before
            assert tile.window[axis] + tile.window[axis + 2] >= stop + after


@given(schedules("shift"))
def test_windows_of_shift_have_two_lengths_at_most(made):
    schedule, *_ = made
    windows = [tile.window for turn in range(4) for tile in tiles_of(schedule.phases(turn))]
    assert len({window.height for window in windows}) <= 2
    assert len({window.width for window in windows}) <= 2


@given(schedules("shift"), turns)
def test_shares_of_shift_are_the_pixels_of_the_cores(made, turn):
    schedule, size, *_ = made
    tiles = tiles_of(schedule.phases(turn))
    assert [tile.pixels for tile in tiles] == [v.interior.height * v.interior.width for v in tiles]
    assert sum(tile.pixels for tile in tiles) == size[0] * size[1]


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_grid_of_shift_moves_from_pass_to_pass(wrap):
    schedule = Schedule("shift", (640, 640), 128, 32, wrap)
    corners = {schedule.phases(turn)[0][1].interior[:2] for turn in range(20)}
    assert len(corners) >= 18


@pytest.mark.parametrize("kind", ["whole", "shift"])
def test_where_a_tile_cannot_move_its_window_does(kind):
    schedule = Schedule(kind, (60, 128), 128, 0, "none", jitter=32)
    windows = {schedule.phases(turn)[0][0].window for turn in range(20)}
    assert len(windows) >= 18
    assert len({window.top for window in windows}) >= 10
    assert len({window.left for window in windows}) >= 10
    for window in windows:
        assert window[2:] == (60 + 32, 128 + 32)
        assert -32 <= window.top <= 0
        assert -32 <= window.left <= 0


# -- whole ----------------------------------------------------------------------------------------


@given(st.tuples(sides, sides), seeds, st.integers(0, 60), st.integers(1, 12))
@settings(max_examples=50)
def test_a_closed_whole_picture_is_rolled_by_the_notebooks_numbers(size, seed, jitter, iterations):
    np.random.seed(seed)
    for octave in range(3):
        schedule = Schedule(
            "whole", size, wrap="both", jitter=jitter, seed=seed, octave=octave,
            steps_before=octave * iterations,
        )  # fmt: skip
        for turn in range(iterations):
            ox, oy = np.random.randint(-jitter, jitter + 1, 2)
            ((tile,),) = schedule.phases(turn)
            assert tile.window == tile.interior == (-oy, -ox, *size)


@given(schedules("whole"), turns)
def test_whole_is_one_tile_that_sees_all_of_the_picture(made, turn):
    schedule, size, _, _, wrap = made
    ((tile,),) = schedule.phases(turn)
    seen = np.zeros(size, bool)
    seen[area(tile.interior, size, wrap)] = True
    assert seen.all()
    assert tile.pixels == size[0] * size[1]


# -- spiral ---------------------------------------------------------------------------------------


@given(schedules("spiral", smallest=8), turns)
def test_weights_of_a_spiral_pass_add_up_to_one_everywhere(made, turn):
    schedule, size, *_ = made
    total = np.zeros(size)
    for tile in tiles_of(schedule.phases(turn)):
        rows = np.arange(tile.interior.top, tile.interior.top + tile.interior.height) % size[0]
        columns = np.arange(tile.interior.left, tile.interior.left + tile.interior.width) % size[1]
        np.add.at(total, np.ix_(rows, columns), np.outer(tile.row_weight, tile.column_weight))
    assert np.allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["spiral", "random"])
@given(st.data())
def test_feathered_tiles_stay_inside_an_open_picture(kind, data):
    schedule, size, *_ = data.draw(schedules(kind, wrap=st.just("none"), smallest=16))
    for tile in tiles_of(schedule.phases(0)):
        assert tile.interior.top >= 0
        assert tile.interior.left >= 0
        assert tile.interior.top + tile.interior.height <= size[0]
        assert tile.interior.left + tile.interior.width <= size[1]


@given(schedules("spiral", wrap=st.just("none"), smallest=8), turns)
def test_overlapping_tiles_of_a_spiral_are_dreamt_from_the_centre_outwards(made, turn):
    schedule, size, *_ = made
    phases = schedule.phases(turn)
    starts = [sorted({tile.interior[axis] for tile in tiles_of(phases)}) for axis in (0, 1)]

    def ring(tile):
        return max(
            abs(2 * axis.index(start) - len(axis) + 1) for axis, start in zip(starts, tile.interior)
        )

    outermost = np.full(size, -1)
    for phase in phases:
        for tile in phase:
            inside = area(tile.interior, size, "none")
            assert outermost[inside].max() <= ring(tile)
            outermost[inside] = ring(tile)


def test_a_spiral_begins_in_the_middle():
    for turn in range(5):
        (first, *_), *_ = Schedule("spiral", (500, 700), 100, 20).phases(turn)
        centre = np.add(first.interior[:2], np.divide(first.interior[2:], 2))
        assert np.abs(centre - (250, 350)).max() <= 60


@pytest.mark.parametrize("kind", ["spiral", "random"])
@given(st.data())
def test_feathered_tiles_of_a_phase_do_not_overlap(kind, data):
    schedule, size, _, _, wrap = data.draw(schedules(kind, smallest=16 if kind == "random" else 8))
    for phase in schedule.phases(0):
        seen = np.zeros(size, int)
        for tile in phase:
            seen[area(tile.interior, size, wrap)] += 1
        assert seen.max() == 1


# -- random ---------------------------------------------------------------------------------------


def coverage(schedule, size, passes):
    """How often each pixel has been dreamt."""
    total = np.zeros(size)
    for turn in range(passes):
        for tile in tiles_of(schedule.phases(turn)):
            rows = np.arange(tile.interior.top, tile.interior.top + tile.interior.height) % size[0]
            columns = (
                np.arange(tile.interior.left, tile.interior.left + tile.interior.width) % size[1]
            )
            np.add.at(total, np.ix_(rows, columns), np.outer(tile.row_weight, tile.column_weight))
    return total


COVERAGES = [
    ((300, 400), 128, 32, "none"),
    ((300, 400), 128, 32, "both"),
    ((517, 333), 96, 48, "horizontal"),
    ((40, 300), 64, 32, "none"),
    ((250, 250), 64, 0, "none"),
    ((100, 130), 32, 16, "none"),
    ((60, 70), 16, 4, "both"),
    ((60, 90), 16, 8, "none"),
    ((31, 200), 64, 32, "both"),
    ((100, 90), 30, 6, "none"),
    ((500, 600), 512, 64, "none"),
]


@pytest.mark.parametrize(("size", "tile", "overlap", "wrap"), COVERAGES)
@pytest.mark.parametrize("seed", [0, 1])
def test_random_crops_dream_all_places_about_equally_often(size, tile, overlap, wrap, seed):
    passes = 10
    total = coverage(Schedule("random", size, tile, overlap, wrap, seed=seed), size, passes)
    share = total / passes
    assert 0.97 <= share.mean() <= 1.03 + tile**2 / (passes * size[0] * size[1])
    assert share.min() >= 0.3
    assert share.max() <= 3.2
    assert share.std() <= 0.35
    assert np.quantile(share, 0.01) >= 0.4
    assert np.quantile(share, 0.99) <= 2.2


def test_a_pass_of_random_crops_makes_up_for_the_ones_before():
    schedule = Schedule("random", (300, 300), 64, 16)
    early, late = (coverage(schedule, (300, 300), passes) / passes for passes in (1, 20))
    assert late.std() < early.std() / 2
    assert late.min() > 0.3


@given(schedules("random", smallest=16))
@settings(max_examples=20)
def test_shares_of_a_pass_add_up_to_the_picture(made):
    schedule, size, *_ = made
    for turn in range(3):
        tiles = tiles_of(schedule.phases(turn))
        assert sum(tile.pixels for tile in tiles) == size[0] * size[1]
        assert min(tile.pixels for tile in tiles) >= 0


# -- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_pass_depends_on_seed_octave_and_number_alone(kind):
    made_of = {"size": (200, 260), "tile_size": 64, "overlap": 16, "seed": 7, "octave": 2}
    forwards, backwards = Schedule(kind, **made_of), Schedule(kind, **made_of)
    there = [plain(forwards.phases(turn)) for turn in range(5)]
    np.random.seed(1)
    back = [plain(backwards.phases(turn)) for turn in reversed(range(5))]
    assert there == back[::-1]
    assert plain(forwards.phases(1)) == there[1]


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("other", [{"seed": 8}, {"octave": 3}])
def test_other_seeds_and_octaves_are_dreamt_elsewhere(kind, other):
    made_of = {"size": (200, 260), "tile_size": 64, "overlap": 16, "seed": 7, "octave": 2}
    assert plain(Schedule(kind, **made_of).phases(0)) != plain(
        Schedule(kind, **{**made_of, **other}).phases(0)
    )


@given(schedules("spiral", smallest=8), turns)
def test_shares_of_a_spiral_add_up_to_the_picture(made, turn):
    schedule, size, *_ = made
    assert sum(tile.pixels for tile in tiles_of(schedule.phases(turn))) == size[0] * size[1]


@pytest.mark.parametrize("kind", ["spiral", "random"])
@given(st.data())
@settings(max_examples=50)
def test_a_tile_comes_after_all_earlier_ones_whose_pixels_it_sees(kind, data):
    schedule, size, _, _, wrap = data.draw(schedules(kind, smallest=16))
    sequence = []
    levels = schedule._levels
    schedule._levels = lambda tiles: levels(sequence.extend(tiles) or tiles)
    phases = schedule.phases(0)
    phase_of = {id(tile): number for number, phase in enumerate(phases) for tile in phase}
    latest = np.full(size, -1)  # phase in which a pixel was changed last
    for tile in sequence:
        inside = tuple(
            np.ix_(*(
                np.unique(places(start, length, side, True) if closed
                          else np.arange(max(start, 0), min(start + length, side)))
                for start, length, side, closed in zip(
                    tile.window[:2], tile.window[2:], size, WRAPS[wrap]
                )
            ))
        )  # fmt: skip
        assert latest[inside].max() < phase_of[id(tile)]
        interior = area(tile.interior, size, wrap)
        latest[interior] = np.maximum(latest[interior], phase_of[id(tile)])


@pytest.mark.parametrize("kind", ["spiral", "random"])
def test_feathered_windows_have_one_shape(kind):
    schedule = Schedule(kind, (200, 260), 64, 16, jitter=10)
    windows = [tile.window for turn in range(3) for tile in tiles_of(schedule.phases(turn))]
    assert {window[2:] for window in windows} == {(74, 74)}


@given(st.integers(1, 40), st.data())
def test_cells_are_all_that_a_stretch_touches_across_a_closed_border_too(cell, data):
    side = data.draw(st.integers(1, 200))
    start, length = data.draw(st.integers(0, side - 1)), data.draw(st.integers(1, side))
    expected = np.unique(np.arange(start, start + length) % side // cell)
    assert np.array_equal(touched_cells(start, length, side, cell), expected)


@given(schedules("spiral", smallest=8), turns)
def test_tiles_of_a_spiral_begin_within_the_picture(made, turn):
    schedule, size, *_ = made
    for tile in tiles_of(schedule.phases(turn)):
        assert 0 <= tile.interior.top < size[0]
        assert 0 <= tile.interior.left < size[1]


# -- windows --------------------------------------------------------------------------------------


@given(schedules("windows", smallest=8), st.integers(1, 6))
def test_windows_take_each_pixel_a_step_further_on_average(made, passes):
    schedule, size, most, _, _ = made
    tiles = [tile for number in range(passes) for tile in tiles_of(schedule.phases(number))]
    sides = [min(most, side) for side in size]
    seen = len(tiles) * sides[0] * sides[1]
    assert 0 <= seen - passes * size[0] * size[1] < sides[0] * sides[1]
    assert sum(tile.pixels for tile in tiles) == passes * size[0] * size[1]


@given(schedules("windows", smallest=8), turns)
def test_windows_are_changed_whole_and_lie_within_the_picture_or_are_rolled(made, turn):
    schedule, size, most, _, wrap = made
    for tile in tiles_of(schedule.phases(turn)):
        assert tile.window == tile.interior
        for start, length, side, closed in zip(tile.window[:2], tile.window[2:], size, WRAPS[wrap]):
            assert length == min(most, side)
            assert 0 <= start <= side - length or (closed and length == side)


def test_windows_see_every_part_of_a_larger_picture():
    schedule, seen = Schedule("windows", (110, 120), 64), np.zeros((110, 120))
    for number in range(20):
        for tile in tiles_of(schedule.phases(number)):
            top, left, height, width = tile.window
            seen[top : top + height, left : left + width] += 1
    assert seen.min() > 0
