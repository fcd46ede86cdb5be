"""Films of frames: what a player gets to see, what is refused, and what they take."""

import contextlib
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.video import encode, ffmpeg
from dreamlib.video.clip import open_clip
from dreamlib.video.encode import assemble, ordered
from dreamlib.video.frame_folder import find_frames
from tests.command import film_frames

HEIGHT, WIDTH = 24, 30


def make_frames(folder, count=5, size=(HEIGHT, WIDTH)):
    """Frames of a grey that tells their number: 40 levels apart, with a gradient of colour."""
    folder.mkdir(exist_ok=True)
    paths = []
    for index in range(count):
        pixels = np.full((*size, 3), 20 + 40 * index, np.uint8)
        pixels[..., 2] = np.linspace(0, 255, size[1])
        paths.append(folder / f"{index:04}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def shown(path):
    """The numbers of the frames that a GIF or WebP shows, and the milliseconds that each stays."""
    pictures, stays = film_frames(path)
    return [round((picture[..., 0].mean() - 20) / 40) for picture in pictures], stays


@pytest.fixture
def frames(tmp_path):
    return make_frames(tmp_path / "frames")


# -- finding frames -------------------------------------------------------------------------------


def test_frames_are_found_in_the_order_of_their_numbers(tmp_path):
    for name in ("10.png", "9.png", "0011.png", "notes.txt", "cover.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    assert [path.name for path in find_frames(tmp_path)] == ["9.png", "10.png", "0011.png"]


def test_a_gap_in_the_numbers_is_named(tmp_path):
    frames = make_frames(tmp_path / "frames")
    frames[2].unlink()
    with pytest.raises(DreamError, match=r"between 0001.png and 0003.png there is no frame 2"):
        find_frames(tmp_path / "frames")


def test_the_odd_frame_is_named_with_its_size_and_the_expected_one(tmp_path):
    frames = make_frames(tmp_path / "frames")
    Image.new("RGB", (31, 24)).save(frames[3])
    with pytest.raises(DreamError, match=r"0003.png is 31 x 24 pixels, expected 30 x 24 as"):
        find_frames(tmp_path / "frames")


def test_a_number_that_is_there_twice_is_refused(tmp_path):
    make_frames(tmp_path / "frames")
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "frames" / "2.jpg")
    with pytest.raises(DreamError, match=r"two frames of one number, 0002.png and 2.jpg"):
        find_frames(tmp_path / "frames")


@pytest.mark.parametrize(
    "names",
    [
        ["frame-1.png", "frame-2.png", "frame-10.png"],
        ["image-0998.png", "image-0999.png", "image-1000.png"],
        ["a1.png", "a2.png", "a03.PNG"],
        ["shot12-0-left.png", "shot12-1-left.png", "shot12-2-left.png"],
        ["7.png", "8.png", "9.png", "cover1.png", "._7.png"],
    ],
)
def test_frames_of_other_programs_are_found_in_the_order_of_their_numbers(tmp_path, names):
    for name in reversed(names):
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / name, "PNG")
    (tmp_path / "notes1.txt").write_text("no picture")
    if "frame-10.png" in names:
        for number in range(3, 10):
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"frame-{number}.png")
        names = [f"frame-{number}.png" for number in range(1, 11)]
    assert [path.name for path in find_frames(tmp_path)] == names[: 3 if "7.png" in names else None]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["frame-1.png", "frame-3.png"], r"frame-1\.png and frame-3\.png there is no frame 2"),
        (["a1.png", "a01.png"], r"two frames of one number, a01\.png and a1\.png"),
        (["a1.png", "b1.png"], r"frames of two names, a1\.png and b1\.png|b1\.png and a1\.png"),
        (["1-1.png", "1-2.png", "2-3.png"], r"several numbers change from 1-1\.png to 2-3\.png"),
        (["sky.png"], r"has no frames; expected .*frame-1\.png"),
    ],
)
def test_what_other_programs_frames_cannot_be_is_said_by_their_names(tmp_path, names, said):
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / name)
    with pytest.raises(DreamError, match=said):
        find_frames(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "."])
def test_no_frames_are_an_error(tmp_path, name):
    with pytest.raises(DreamError, match=r"no folder|has no frames"):
        find_frames(tmp_path / name)


def test_a_damaged_frame_is_named(tmp_path):
    frames = make_frames(tmp_path / "frames")
    frames[1].write_bytes(b"not a picture")
    with pytest.raises(DreamError, match=r"0001.png cannot be read"):
        find_frames(tmp_path / "frames")


# -- GIF and WebP ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("forward", [0, 1, 2, 3, 4]),
        ("reverse", [4, 3, 2, 1, 0]),
        ("boomerang", [0, 1, 2, 3, 4, 3, 2, 1]),
    ],
)
def test_frames_are_shown_in_their_order(tmp_path, frames, suffix, order, expected):
    out = tmp_path / f"out{suffix}"
    assert assemble(frames, out, order=order)
    assert shown(out)[0] == expected


def test_delays_of_a_gif_keep_the_frame_rate(tmp_path, frames):
    assemble(frames * 3, tmp_path / "out.gif", fps=12)
    stays = shown(tmp_path / "out.gif")[1]
    assert sorted(set(stays)) == [80, 90]
    assert sum(stays) == 1250  # 15 frames


@pytest.mark.parametrize(("times", "repetitions"), [(0, 0), (1, None), (3, 2)])
def test_a_gif_plays_as_often_as_asked(tmp_path, frames, times, repetitions):
    assemble(frames, tmp_path / "out.gif", loop=times)
    with Image.open(tmp_path / "out.gif") as film:
        assert film.info.get("loop") == repetitions


def test_a_webp_plays_as_often_as_asked(tmp_path, frames):
    assemble(frames, tmp_path / "out.webp", loop=3)
    with Image.open(tmp_path / "out.webp") as film:
        assert film.info["loop"] == 3


def test_all_frames_of_a_gif_have_one_palette(tmp_path, frames):
    assemble(frames, tmp_path / "out.gif")
    data = (tmp_path / "out.gif").read_bytes()
    assert data[10] & 0x87 == 0x87  # a palette of 256 for all
    blocks = data.split(b"\x21\xf9\x04")[1:]
    assert len(blocks) == 5
    assert all(block[5] == 0x2C and block[14] & 0x80 == 0 for block in blocks)  # none of its own


def test_a_gif_has_the_colours_of_its_frames(tmp_path):
    random = np.random.RandomState(0)
    pixels = np.uint8(np.clip(128 + random.randn(6, 8, 3) * 40, 0, 255)).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    assemble([tmp_path / "0.png"] * 2, tmp_path / "out.gif")
    got = film_frames(tmp_path / "out.gif")[0][1]
    assert np.abs(got - pixels).max() <= 4
    assert abs((got - pixels).mean()) < 0.5


def test_what_stands_still_does_not_flicker(tmp_path):
    random = np.random.RandomState(1).randint(0, 256, (40, 50, 3)).astype(np.uint8)
    other = random.copy()
    other[:20] = 255 - other[:20]
    for index, pixels in enumerate((random, other, random)):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    assemble(find_frames(tmp_path), tmp_path / "out.gif")
    first, second, third = film_frames(tmp_path / "out.gif")[0]
    assert np.array_equal(first[20:], second[20:])
    assert np.array_equal(first, third)


def test_dither_keeps_the_mean_of_a_ramp_that_has_more_shades_than_the_palette(tmp_path):
    ramp = np.zeros((64, 256, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(256), np.arange(64)[:, None] * 4
    Image.fromarray(ramp).save(tmp_path / "0.png")
    assemble([tmp_path / "0.png"], tmp_path / "out.gif")
    got = np.array(Image.open(tmp_path / "out.gif").convert("RGB")).astype(float)
    blocks = (got - ramp).reshape(8, 8, 32, 8, 3).mean((1, 3))
    assert np.abs(blocks).mean() < 2.5


def test_a_webp_of_quality_100_is_lossless(tmp_path, frames):
    random = np.random.RandomState(2).randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    Image.fromarray(random).save(frames[1])
    assemble(frames, tmp_path / "out.webp", quality=100)
    assert np.array_equal(film_frames(tmp_path / "out.webp")[0][1], random)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_that_differ_in_a_part_are_shown_whole(tmp_path, suffix):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15] = 200
    for index in range(4):
        if index != 2:  # the third is as the second
            pixels[5 + index : 9 + index, 7 + index : 12] = 60 * index
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    frames = find_frames(tmp_path)
    assemble(frames, tmp_path / f"out{suffix}", quality=100)
    shown = zip(*film_frames(tmp_path / f"out{suffix}"))
    got = [pixels for pixels, stays in shown for _ in range(round(stays / 80))]  # equal: maybe one
    assert len(got) == 4
    for pixels, path in zip(got, frames):
        assert np.abs(pixels - np.array(Image.open(path))).max() <= 2


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    """30 and 90 frames of 256 x 256, in processes of their own, by the system's count."""
    ramp = np.arange(256, dtype=np.uint8)
    for index in range(3):
        pixels = np.stack(np.broadcast_arrays(ramp, ramp[:, None], np.uint8(99 * index)), -1)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png", compress_level=1)
    code = (
        "import re, resource, sys\n"
        "from dreamlib.video.encode import assemble\n"
        "from dreamlib.video.frame_folder import find_frames\n"
        "assemble(find_frames(sys.argv[1]) * int(sys.argv[2]), sys.argv[1] + '/o.gif')\n"
        "own = re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read()).group(1)\n"
        "print(int(own) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    peaks = []
    for times in ("10", "30"):
        command = [sys.executable, "-c", code, str(tmp_path), times]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(int(said) << 10)
    assert peaks[1] < 300e6
    assert peaks[1] - peaks[0] < 60 * 256 * 256 / 2  # half a byte for each pixel more


# -- MP4 and WebM ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_film_has_the_rate_the_size_and_the_frames(tmp_path, frames, suffix):
    out = tmp_path / f"out{suffix}"
    assemble(frames, out, fps=12.5, order="boomerang")
    film = open_clip(out)
    assert (film.size, film.fps, film.frames) == ((HEIGHT, WIDTH), Fraction(25, 2), 8)
    reds = [picture[..., 0].mean() for picture in film.frames_from()]
    assert [round((red - 20) / 40) for red in reds] == [0, 1, 2, 3, 4, 3, 2, 1]


def test_odd_sides_get_another_row_and_column_like_the_last(tmp_path):
    frames = make_frames(tmp_path / "frames", size=(23, 29))
    assemble(frames, tmp_path / "out.mp4", quality=100)
    picture = next(iter(open_clip(tmp_path / "out.mp4").frames_from(2))).astype(int)
    assert picture.shape == (24, 30, 3)
    assert np.abs(picture[:, 29] - picture[:, 28]).max() < 40
    assert np.abs(picture[23] - picture[22]).max() < 10


def test_an_mp4_begins_with_its_index(tmp_path, frames):
    assemble(frames, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_without_ffmpeg_the_error_says_what_to_install(tmp_path, frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    with pytest.raises(DreamError, match="pip install imageio-ffmpeg"):
        assemble(frames, tmp_path / "out.mp4")
    assert not list(tmp_path.glob("*.mp4"))


def test_what_ffmpeg_says_is_in_the_error(tmp_path, frames, monkeypatch):
    broken = encode.FORMATS[".mp4"]._replace(options="-c:v no_such_codec")
    monkeypatch.setitem(encode.FORMATS, ".mp4", broken)
    with pytest.raises(DreamError, match="no_such_codec"):
        assemble(frames, tmp_path / "out.mp4")
    assert not list(tmp_path.glob("*.mp4"))


# -- whole or not at all --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_film_that_is_stopped_leaves_what_was_there(tmp_path, frames, suffix):
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"the old one")
    calls = []

    def stop_at_third(done, total):
        calls.append((done, total))
        return done == 3

    assert assemble(frames, out, on_frame=stop_at_third) is False
    assert calls == [(1, 5), (2, 5), (3, 5)]
    assert out.read_bytes() == b"the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", out.name]


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_frame_that_cannot_be_read_leaves_nothing(tmp_path, frames, suffix):
    data = frames[3].read_bytes()
    frames[3].write_bytes(data[: len(data) - 30])  # the header is whole, the pixels are not
    with pytest.raises(DreamError, match=r"0003.png"):
        assemble(frames, tmp_path / f"out{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path, frames, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.fail("needs /dev/full")
    monkeypatch.setattr(encode, "written_whole", lambda out: contextlib.nullcontext("/dev/full"))
    with pytest.raises(DreamError, match=r"ffmpeg could not write the film: .*No space left"):
        assemble(frames, tmp_path / "out.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("out.avi", {}, ".gif, .webp, .mp4, .webm"),
        ("out.gif", {"fps": 60}, "60 frames per second; a .gif has from 0.01 to 50"),
        ("out.webp", {"fps": 91}, "91 frames per second; a .webp has from 0.01 to 90"),
        ("out.mp4", {"fps": float("nan")}, "nan frames per second"),
        ("out.mp4", {"fps": 0}, "from 0.01 to 240"),
        ("out.gif", {"quality": 0}, "expected 1 to 100"),
        ("out.gif", {"order": "sideways"}, "expected forward, reverse, boomerang"),
        ("nowhere/out.gif", {}, "there is no folder"),
    ],
)
def test_what_no_film_can_be_is_refused(tmp_path, frames, name, options, said):
    with pytest.raises(DreamError, match=said):
        assemble(frames, tmp_path / name, **options)


@pytest.mark.parametrize(("suffix", "fps"), [(".gif", 50), (".webp", 90)])
def test_the_highest_rate_is_one_that_viewers_keep(tmp_path, frames, suffix, fps):
    assemble(frames, tmp_path / f"out{suffix}", fps=fps)
    assert set(shown(tmp_path / f"out{suffix}")[1]) <= {1000 // fps, 1000 // fps + 1}


def test_a_webp_that_is_longer_than_its_format_leaves_nothing(tmp_path, frames, monkeypatch):
    monkeypatch.setitem(encode.MOST_BYTES, ".webp", 100)
    with pytest.raises(DreamError, match=r"up to 4 GB, and this one has more; name an \.mp4"):
        assemble(frames, tmp_path / "out.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_unequal_frames_are_refused_before_anything_is_written(tmp_path, frames):
    Image.new("RGB", (HEIGHT, WIDTH)).save(frames[4])
    with pytest.raises(DreamError, match=r"0004.png is 24 x 30 pixels, expected 30 x 24"):
        assemble(frames, tmp_path / "out.gif")


@given(st.integers(1, 9))
def test_a_boomerang_repeats_neither_end(count):
    frames = ordered(list(range(count)), "boomerang")
    assert len(frames) == max(count, 2 * count - 2)
    assert all(abs(one - other) == 1 for one, other in zip(frames, frames[1:]))
