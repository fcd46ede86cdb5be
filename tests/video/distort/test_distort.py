"""Distortions: each one's law, and that they work in the buffer they are given."""

import warnings

import numpy as np
import pytest
import scipy.ndimage as nd
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.imaging.color import luminance_of
from dreamlib.video.distort import parse_chain
from tests.memory import traced_peak

sides = st.integers(1, 40)
shares = st.floats(0, 0.9)
functions = st.sampled_from(
    [
        "3", "-7", "25%", "1000000", "linear(1)", "linear(-0.7,5)", "sine(12,8)", "sine(9,30,90)",
        "random(-30,30)", "linear(2)+sine(5,7)",
    ]
)  # fmt: skip
roll_texts = st.builds(
    "roll:{}:{}:group={}:from={}:to={}:speed={}".format,
    st.sampled_from(["rows", "cols", "alternate"]),
    functions,
    st.integers(1, 5),
    functions,
    functions,
    st.integers(-3, 3),
)

EVERY_KIND = [
    "zoom:0.05", "zoom:-0.1:0.2:0.7", "stretch:x:0.1", "rotate:7", "shift:2.5,-3",
    "affine:1,0.1,2,-0.1,0.9,1", "regions:2x3", "regions:2x3:steady", "roll:rows:sine(4,9)",
    "roll:cols:random(-9,9)", "roll:alternate:linear(1)", "pixelsort:rows:0..255",
    "pixelsort:cols:falling", "blur:1.5", "sobel", "sobel:colour:0.5", "prewitt", "hue:70",
    "palette:5",
]  # fmt: skip


def noise(height, width, seed=0):
    levels = np.random.RandomState(seed).uniform(0, 255, (height, width, 3))
    return levels.astype(np.float32)


def smooth(height, width):
    """Waves of some 60 pixels, from 28 to 228."""
    row, column, channel = np.indices((height, width, 3))
    return np.float32(128 + 50 * np.sin(row / 9 + channel) + 50 * np.cos(column / 11 - channel))


def distorted(picture, text, frame=0, seed=0):
    out = picture.copy()
    parse_chain(text, seed).apply(out, frame)
    return out


def pixels_of(lines):
    """The pixels of each line, as rows of bytes in an order that does not depend on theirs."""
    whole = np.ascontiguousarray(lines).view("V12")[..., 0]
    return [sorted(line.tolist()) for line in whole]


# Every distortion.


@pytest.mark.parametrize("text", EVERY_KIND)
def test_a_distortion_changes_the_picture_in_its_own_buffer(text):
    picture = noise(30, 40)
    address = picture.ctypes.data
    parse_chain(text).apply(picture, 0)
    assert picture.ctypes.data == address
    assert not np.array_equal(picture, noise(30, 40))


@pytest.mark.parametrize("text", EVERY_KIND)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (2, 3)])
def test_a_distortion_leaves_finite_levels_in_the_smallest_pictures(text, size):
    out = distorted(noise(*size), text)
    assert np.isfinite(out).all()
    assert -0.01 <= out.min() <= out.max() <= 255.01


@pytest.mark.parametrize("text", EVERY_KIND)
def test_a_distortion_depends_on_seed_and_frame_alone(text):
    chain = parse_chain(text, seed=5)
    for frame in range(3):  # what was drawn before must not matter
        chain.apply(noise(30, 40), frame)
    again = noise(30, 40)
    chain.apply(again, 7)
    assert np.array_equal(again, distorted(noise(30, 40), text, frame=7, seed=5))


@pytest.mark.parametrize("text", ["roll:rows:random(-20,20)", "regions:2x2"])
def test_random_distortions_differ_by_frame_and_by_seed(text):
    ways = [distorted(noise(30, 40), text, frame, seed) for frame, seed in [(0, 0), (1, 0), (0, 1)]]
    assert not any(np.array_equal(ways[one], ways[two]) for one, two in [(0, 1), (0, 2), (1, 2)])


def test_the_same_random_distortion_twice_draws_twice():
    once = distorted(noise(30, 40), "roll:rows:random(-20,20)")
    assert not np.array_equal(
        distorted(once, "roll:rows:random(-20,20)"),
        distorted(noise(30, 40), "roll:rows:random(-20,20), roll:rows:random(-20,20)"),
    )


@pytest.mark.parametrize("text", [text for text in EVERY_KIND if text != "palette:5"])
def test_scratch_is_a_plane_and_some_blocks(text):
    picture, chain = noise(1000, 1200), parse_chain(text)
    assert traced_peak(lambda: chain.apply(picture, 0)) < 4 * 1000 * 1200 + 4_500_000


# Affine maps.


# Of 2 pixels or less the notebook's code can see what is beyond the border, where all is black.
@given(st.integers(3, 40), st.integers(3, 40), shares)
def test_zoom_has_the_bits_of_the_notebook(height, width, s):
    frame = noise(height, width)
    h, w = frame.shape[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = nd.affine_transform(frame, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)
    assert np.array_equal(distorted(frame, f"zoom:{s!r}"), expected)


@given(st.integers(1, 20), st.integers(1, 20), shares)
def test_zoom_keeps_the_middle(half_height, half_width, s):
    frame = noise(2 * half_height, 2 * half_width)
    np.testing.assert_allclose(
        distorted(frame, f"zoom:{s!r}")[half_height, half_width],
        frame[half_height, half_width],
        atol=1e-3,
    )


@given(shares)
def test_zoom_keeps_its_focus(s):
    frame = noise(20, 30)
    zoomed = distorted(frame, f"zoom:{s!r}:0.1:0.75")
    np.testing.assert_allclose(zoomed[15, 3], frame[15, 3], atol=1e-3)


@given(sides, sides, shares)
def test_stretching_along_both_axes_is_a_zoom(height, width, s):
    frame = noise(height, width)
    np.testing.assert_allclose(
        distorted(frame, f"stretch:x:{s!r}, stretch:y:{s!r}"),
        distorted(frame, f"zoom:{s!r}"),
        atol=1e-3,
    )


def test_stretching_changes_one_axis_alone():
    rows = np.repeat(noise(1, 30), 20, axis=0)
    assert np.array_equal(distorted(rows, "stretch:y:0.3"), rows)
    assert not np.allclose(distorted(rows, "stretch:x:0.3"), rows)


@given(sides, sides, st.integers(-3, 3))
def test_whole_turns_change_nothing(height, width, turns):
    frame = noise(height, width)
    assert np.array_equal(distorted(frame, f"rotate:{360 * turns}"), frame)


@given(st.integers(1, 40))
def test_a_quarter_turn_is_clockwise(side):
    frame = noise(side, side)
    np.testing.assert_allclose(distorted(frame, "rotate:90"), np.rot90(frame, -1), atol=1e-3)


@given(sides, sides)
def test_half_a_turn_turns_the_picture_round(height, width):
    frame = noise(height, width)
    np.testing.assert_allclose(distorted(frame, "rotate:180"), frame[::-1, ::-1], atol=1e-3)


@given(st.floats(-360, 360), st.floats(-360, 360))
def test_rotations_in_a_chain_add_up(one, two):
    frame = smooth(20, 20)
    np.testing.assert_allclose(
        distorted(frame, f"rotate:{one!r}, rotate:{two!r}"),
        distorted(frame, f"rotate:{one + two!r}"),
        atol=0.01,
    )


@given(sides, sides, st.integers(-9, 9), st.integers(-9, 9))
def test_a_shift_moves_pixels_and_mirrors_what_comes_into_sight(height, width, dx, dy):
    frame = noise(height, width)
    around = np.pad(frame, ((9, 9), (9, 9), (0, 0)), mode="reflect")
    expected = around[9 - dy : 9 - dy + height, 9 - dx : 9 - dx + width]
    assert np.array_equal(distorted(frame, f"shift:{dx},{dy}"), expected)


@given(sides, sides)
@pytest.mark.parametrize("text", ["affine:1,0,0,0,1,0", "shift:0,0", "zoom:0", "rotate:0"])
def test_maps_onto_itself_change_nothing(text, height, width):
    frame = noise(height, width)
    assert np.array_equal(distorted(frame, text), frame)


def test_affine_takes_pixels_from_where_its_numbers_say():
    frame = noise(21, 31)  # the middle is the pixel 15, 10
    out = distorted(frame, "affine:2,1,3,0,1,-2")
    # 2 to the right of and 1 above the middle: from 2*2 - 1 + 3 to the right, and 1 + 2 above.
    np.testing.assert_allclose(out[10 - 1, 15 + 2], frame[10 - 3, 15 + 6], atol=1e-3)


@given(st.floats(0.01, 0.3), st.floats(-20, 20))
def test_a_chain_of_maps_does_the_first_one_first(s, degrees):
    frame = smooth(60, 60)
    together = distorted(frame, f"shift:5,0, rotate:{degrees!r}, zoom:{s!r}")
    stepwise = distorted(
        distorted(distorted(frame, "shift:5,0"), f"rotate:{degrees!r}"), f"zoom:{s!r}"
    )
    inner = slice(15, 45)
    np.testing.assert_allclose(together[inner, inner], stepwise[inner, inner], atol=0.5)
    assert np.abs(together - frame).mean() > 5


def test_maps_together_are_sharper_than_one_after_the_other():
    frame = noise(60, 60)
    together = distorted(frame, "rotate:3, rotate:4, rotate:5")
    stepwise = distorted(distorted(distorted(frame, "rotate:3"), "rotate:4"), "rotate:5")
    assert together.std() > 1.2 * stepwise.std()


def test_another_distortion_stays_between_two_maps():
    frame = noise(30, 40)
    chain = distorted(frame, "shift:5,0, roll:rows:linear(1), shift:3,0")
    stepwise = distorted(distorted(frame, "shift:5,0"), "roll:rows:linear(1)")
    assert np.array_equal(chain, distorted(stepwise, "shift:3,0"))


def test_one_region_is_one_map_of_the_picture():
    drawn = np.random.RandomState((0, 0, 3)).uniform(-0.1, 0.1, 6)
    a, b, c, d = drawn[:4] + [1, 0, 0, 1]
    numbers = [d, c, 30 * drawn[5], b, a, 20 * drawn[4]]
    np.testing.assert_allclose(
        distorted(smooth(20, 30), "regions:1x1:0.1", frame=3),
        distorted(smooth(20, 30), f"affine:{','.join(map(repr, map(float, numbers)))}"),
        atol=1e-2,
    )


def test_a_region_is_made_of_itself_alone():
    frame = noise(20, 30)
    other = frame.copy()
    other[:, 15:] = 0
    one, two = distorted(frame, "regions:1x2:0.3"), distorted(other, "regions:1x2:0.3")
    assert np.array_equal(one[:, :15], two[:, :15])
    assert not two[:, 15:].any()


def test_regions_without_strength_change_nothing():
    assert np.array_equal(distorted(noise(20, 30), "regions:3x4:0"), noise(20, 30))


def test_steady_regions_are_the_same_in_all_frames():
    ways = [distorted(noise(20, 30), "regions:2x2:steady", frame) for frame in (0, 1)]
    assert np.array_equal(*ways)


# Lines.


@given(sides, sides, roll_texts, st.integers(0, 9))
def test_roll_keeps_the_pixels_of_each_line(height, width, text, frame):
    picture = noise(height, width)
    rolled = distorted(picture, text, frame)
    columns = text.startswith("roll:cols") or (text.startswith("roll:alternate") and frame % 2)
    if columns:
        picture, rolled = picture.transpose(1, 0, 2), rolled.transpose(1, 0, 2)
    assert pixels_of(rolled) == pixels_of(picture)


@given(sides, sides, st.integers(-100, 100))
def test_rolling_all_rows_alike_is_np_roll(height, width, shift):
    frame = noise(height, width)
    assert np.array_equal(distorted(frame, f"roll:rows:{shift}"), np.roll(frame, shift, 1))
    assert np.array_equal(distorted(frame, f"roll:cols:{shift}"), np.roll(frame, shift, 0))


@given(roll_texts)
def test_rolling_columns_is_rolling_rows_of_the_transposed_picture(text):
    text = text.replace("alternate", "rows").replace("cols", "rows")
    frame = noise(30, 40)
    turned = np.ascontiguousarray(frame.transpose(1, 0, 2))
    rolled = distorted(turned, text.replace("rows", "cols"))
    assert np.array_equal(distorted(frame, text), rolled.transpose(1, 0, 2))


def test_columns_beyond_one_strip_are_rolled_by_their_own_number():
    frame = noise(300, 700)
    rolled = distorted(frame, "roll:cols:linear(1)")
    for column in (0, 217, 218, 219, 436, 699):
        assert np.array_equal(rolled[:, column], np.roll(frame[:, column], column, 0))


@pytest.mark.parametrize(
    ("function", "shift"),
    [
        ("-4", lambda row: -4),
        ("50%", lambda row: 15),
        ("linear(-0.5)", lambda row: -0.5 * row),
        ("linear(2,7)", lambda row: 2 * row + 7),
        ("sine(12,8)", lambda row: 12 * np.sin(np.pi * row / 4)),
        ("sine(12,8,90)", lambda row: 12 * np.cos(np.pi * row / 4)),
        ("1e1+sine(12,8)+linear(1)", lambda row: 10 + 12 * np.sin(np.pi * row / 4) + row),
    ],
)
def test_each_row_rolls_as_far_as_its_function_says(function, shift):
    frame = noise(20, 30)
    rolled = distorted(frame, f"roll:rows:{function}")
    for row in range(20):
        expected = np.roll(frame[row], int(np.rint(shift(row))), 0)
        assert np.array_equal(rolled[row], expected)


def test_random_rolls_are_drawn_between_their_ends():
    frame = np.arange(200 * 30 * 3, dtype=np.float32).reshape(200, 30, 3)
    rolled = distorted(frame, "roll:rows:random(2,5)")
    shifts = (rolled[:, :, 0] == frame[:, :1, 0]).argmax(axis=1)
    assert set(shifts.tolist()) == {2, 3, 4, 5}


def test_groups_roll_alike_by_the_number_of_their_first_line():
    frame = noise(8, 30)
    rolled = distorted(frame, "roll:rows:linear(1):group=3")
    for row, shift in enumerate([0, 0, 0, 3, 3, 3, 6, 6]):
        assert np.array_equal(rolled[row], np.roll(frame[row], shift, 0))


def test_only_what_is_between_the_bounds_rolls():
    frame = noise(20, 30)
    rolled = distorted(frame, "roll:rows:1:from=linear(1):to=50%+linear(0.5)")
    for row in range(20):
        start, stop = row, int(np.rint(15 + 0.5 * row))
        expected = frame[row].copy()
        expected[start:stop] = np.roll(expected[start:stop], 1, 0)
        assert np.array_equal(rolled[row], expected)


def test_alternating_rolls_rows_and_columns_by_turns():
    frame = noise(20, 30)
    for number, axis in enumerate(["rows", "cols", "rows"]):
        assert np.array_equal(
            distorted(frame, "roll:alternate:3", number), distorted(frame, f"roll:{axis}:3")
        )


def test_alternating_counts_turns_where_not_every_frame_distorts():
    frame = noise(20, 30)
    text = "roll:alternate:3:every=2"
    assert np.array_equal(distorted(frame, text, 4), distorted(frame, "roll:rows:3"))
    assert np.array_equal(distorted(frame, text, 6), distorted(frame, "roll:cols:3"))


def test_speed_moves_the_function_down_the_lines():
    frame = np.repeat(noise(1, 30), 20, axis=0)
    still, moved = (distorted(frame, f"roll:rows:sine(9,7):speed={speed}", 2) for speed in (0, 1.5))
    assert np.array_equal(moved[3:], still[:-3])


@given(sides, sides, st.sampled_from(["", ":falling"]), st.integers(0, 255), st.integers(0, 255))
def test_pixelsort_keeps_the_pixels_of_each_line(height, width, falling, one, two):
    picture = noise(height, width)
    within = f"{min(one, two)}..{max(one, two)}"
    by_row = distorted(picture, f"pixelsort:rows:{within}{falling}")
    assert pixels_of(by_row) == pixels_of(picture)
    by_column = distorted(picture, f"pixelsort:cols:{within}{falling}")
    assert pixels_of(by_column.transpose(1, 0, 2)) == pixels_of(picture.transpose(1, 0, 2))


def test_pixelsort_sorts_runs_within_the_thresholds_and_leaves_the_others():
    greys = [90, 70, 80, 10, 199, 61, 250, 100, 60, 5, 77]
    picture = np.repeat(np.float32(greys)[None, :, None], 3, axis=2)
    rising, falling = (
        distorted(picture, text)[0, :, 0].round().tolist()
        for text in ("pixelsort:rows:60..200", "pixelsort:rows:60..200:falling")
    )
    assert rising == [70, 80, 90, 10, 61, 199, 250, 60, 100, 5, 77]
    assert falling == [90, 80, 70, 10, 199, 61, 250, 100, 60, 5, 77]


# Filters and colours.


@given(sides, sides, st.floats(0, 20))
@settings(max_examples=40)
def test_blur_keeps_the_mean(height, width, sigma):
    frame = noise(height, width)
    blurred = distorted(frame, f"blur:{sigma!r}")
    np.testing.assert_allclose(
        blurred.mean((0, 1), np.float64), frame.mean((0, 1), np.float64), atol=0.01
    )


def test_blur_is_a_gaussian():
    frame = noise(50, 60)
    expected = nd.gaussian_filter(frame, (2, 2, 0), mode="reflect")
    np.testing.assert_allclose(distorted(frame, "blur:2"), expected, atol=0.01)


@pytest.mark.parametrize(
    ("name", "raw", "total"), [("sobel", nd.sobel, 8), ("prewitt", nd.prewitt, 6)]
)
def test_edges_are_scipys_in_levels_a_pixel_times_four(name, raw, total):
    frame = noise(200, 300) / 4  # more than one strip
    for text, channels in ((name, luminance_of(frame)[..., None]), (f"{name}:colour", frame)):
        down, across = (
            np.dstack([raw(plane, axis, mode="nearest") for plane in np.rollaxis(channels, 2)])
            for axis in (0, 1)
        )
        expected = np.minimum(np.hypot(down, across) * 4 / total, 255)
        out = distorted(frame, text)
        np.testing.assert_allclose(out, np.broadcast_to(expected, out.shape), atol=0.01)


def test_a_share_of_edges_leaves_the_rest_of_the_picture():
    frame = noise(20, 30)
    np.testing.assert_allclose(
        distorted(frame, "sobel:0.25"),
        0.75 * frame + 0.25 * distorted(frame, "sobel"),
        atol=1e-3,
    )


@given(st.integers(-3, 3))
def test_hues_turned_by_whole_turns_stay(turns):
    assert np.array_equal(distorted(noise(20, 30), f"hue:{360 * turns}"), noise(20, 30))


@given(st.floats(-720, 720))
def test_hues_turn_at_the_same_luminance_within_the_colours_that_there_are(degrees):
    frame = noise(20, 30)
    turned = distorted(frame, f"hue:{degrees!r}")
    np.testing.assert_allclose(luminance_of(turned), luminance_of(frame), atol=0.05)
    assert turned.min() > -0.01
    assert turned.max() < 255.01


@given(st.floats(0, 360), st.floats(0, 360))
def test_hues_that_have_room_add_up(one, two):
    pale = 128 + (noise(20, 30) - 128) / 16
    np.testing.assert_allclose(
        distorted(pale, f"hue:{one!r}, hue:{two!r}"),
        distorted(pale, f"hue:{one + two!r}"),
        atol=0.01,
    )


@given(sides, sides, st.integers(2, 256))
@settings(max_examples=40)
def test_a_palette_has_at_most_its_colours(height, width, count):
    out = distorted(noise(height, width), f"palette:{count}")
    assert len(np.unique(out.reshape(-1, 3), axis=0)) <= count


def test_a_palette_keeps_colours_that_are_few_enough():
    colours = np.float32([[255, 0, 0], [0, 128, 0], [10, 20, 30], [250, 250, 250]])
    frame = colours[np.random.RandomState(0).randint(0, 4, (200, 300))]
    assert np.array_equal(distorted(frame, "palette:4"), frame)


def test_a_larger_palette_comes_nearer_to_the_picture():
    frame = smooth(100, 120)
    errors = [np.abs(distorted(frame, f"palette:{n}") - frame).mean() for n in (4, 16, 64, 256)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 4
