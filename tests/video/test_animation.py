"""Animated GIF, WebP and PNG, folders and parts of clips: whatever moves is a clip."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.animated import frames_of
from dreamlib.video.animation import Animation, timing
from dreamlib.video.clip import Clip, mux, open_clip
from dreamlib.video.encode import assemble
from dreamlib.video.part import Part
from dreamlib.video.sources import FramesClip, open_source
from tests.command import film_frames
from tests.nets import picture
from tests.video.test_clip import PICTURES, SOUND, make_clip

SUFFIXES = [".gif", ".webp", ".png"]
STAYS = [100, 300, 70, 500]


def frame(number, height=48, width=64):
    """A frame of one colour, which a GIF's palette keeps."""
    return np.full((height, width, 3), (40 * number + 20, 200 - 30 * number, 90), np.uint8)


def animated(path, stays=STAYS, **options):
    """Save an animation by Pillow."""
    frames = [Image.fromarray(frame(number)) for number in range(len(stays))]
    exact = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=stays, **exact, **options
    )
    return path


def numbered(folder, names):
    """Save frames under these names, the first of them darkest."""
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(frame(number)).save(folder / name, compress_level=1)
    return folder


def reds(clip, start=0):
    return [int(pixels[0, 0, 0]) for pixels in clip.frames_from(start)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_animation_is_a_clip_of_its_frames(tmp_path, suffix):
    clip = open_source(animated(tmp_path / f"a{suffix}"))
    assert isinstance(clip, Animation)
    assert (clip.frames, clip.size, clip.sounds) == (4, (48, 64), ())
    assert reds(clip) == [20, 60, 100, 140]
    assert reds(clip, 2) == [100, 140]
    assert [stay / clip.fps for stay in clip.stays] == [Fraction(one, 1000) for one in STAYS]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("plays", "gifs"), [(0, 0), (3, 2)])
def test_an_animation_knows_how_often_it_plays(tmp_path, suffix, plays, gifs):
    loop = gifs if suffix == ".gif" else plays  # a GIF counts repetitions
    assert open_source(animated(tmp_path / f"a{suffix}", loop=loop)).loop == plays


def test_a_gif_that_says_nothing_of_a_loop_plays_once(tmp_path):
    assert open_source(animated(tmp_path / "a.gif")).loop == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [1, 5])
def test_frames_are_counted_by_the_header(tmp_path, suffix, count):
    path = animated(tmp_path / f"a{suffix}", [100] * count)
    assert frames_of(path) == count


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"RIFF\1\0\0\0WEBP", b"\x89PNG", b"other"])
def test_what_is_no_picture_has_one_frame(tmp_path, data):
    (tmp_path / "none").write_bytes(data)
    assert frames_of(tmp_path / "none") == 1


def test_transparent_frames_are_laid_on_white(tmp_path):
    pixels = np.dstack([frame(0), np.zeros((48, 64), np.uint8)])
    pixels[:10, :, 3] = 255
    other = pixels.copy()
    other[:20, :, 3] = 255
    frames = [Image.fromarray(one) for one in (pixels, other)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True,
                   duration=100)  # fmt: skip
    first = next(open_source(tmp_path / "a.webp").frames_from())
    assert first[5, 5].tolist() == frame(0)[0, 0].tolist()
    assert first[30, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_times_and_loop_come_back(tmp_path, suffix, order):
    clip = open_source(animated(tmp_path / f"a{suffix}", loop=2))
    frames = sorted(numbered(tmp_path / "f", ["0.png", "1.png", "2.png", "3.png"]).iterdir())
    seen = []
    mux(frames, tmp_path / f"out{suffix}", clip, on_frame=lambda *one: seen.append(one) and None,
        order=order)  # fmt: skip
    pictures, stays = film_frames(tmp_path / f"out{suffix}")
    assert stays == (STAYS if order == "forward" else STAYS[::-1])
    assert (np.diff(pictures[:, 0, 0, 0]) > 0).all() == (order == "forward")
    assert open_source(tmp_path / f"out{suffix}").loop == clip.loop
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_times_come_back_in_a_film_of_constant_rate(tmp_path):
    clip = open_source(animated(tmp_path / "a.gif"))
    frames = sorted(numbered(tmp_path / "f", ["0.png", "1.png", "2.png", "3.png"]).iterdir())
    mux(frames, tmp_path / "out.mp4", clip)
    film = open_clip(tmp_path / "out.mp4")
    assert film.duration == pytest.approx(0.97)
    shown = [round((red - 20) / 40) for red in reds(film)]
    assert [shown.count(number) for number in range(4)] == [10, 30, 7, 50]


@pytest.mark.parametrize(
    ("durations", "fps", "stays"),
    [
        ([100, 100], 10, None),
        ([33, 33, 34], 30, None),
        ([100, 200, 1000], 10, [1, 2, 10]),
        ([45, 91, 44], 100, [4, 10, 4]),
        ([70], Fraction(100, 7), None),
    ],
)
def test_a_rate_is_found_of_which_all_times_are_multiples(durations, fps, stays):
    assert timing(durations) == (fps, stays)


@given(st.lists(st.integers(11, 3000), min_size=1, max_size=30))
def test_whatever_the_times_are_the_whole_is_as_long(durations):
    fps, stays = timing(durations)
    shown = sum(stays) if stays else len(durations)
    assert abs(1000 * shown / fps - sum(durations)) <= 5 + 1e-6
    assert min(stays or [1]) >= 1


def test_frames_that_would_flash_by_stay_as_long_as_browsers_show_them(tmp_path):
    assert open_source(animated(tmp_path / "a.gif", [0, 0, 10])).fps == 10


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_animation_that_is_cut_off_is_refused(tmp_path, suffix):
    frames = [Image.fromarray(picture(48, 64, seed)) for seed in range(3)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)
    path.write_bytes(path.read_bytes()[:-2500])
    with pytest.raises(DreamError, match=rf"a{suffix} cannot be read"):
        list(Animation(path).frames_from())


# -- folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [None, 5])
def test_a_folder_of_frames_is_a_clip(tmp_path, fps):
    clip = open_source(numbered(tmp_path / "f", ["a9.png", "a10.png", "a11.png"]), fps)
    assert isinstance(clip, FramesClip)
    assert (clip.frames, clip.size, clip.fps) == (3, (48, 64), fps or 12.5)
    assert reds(clip) == [20, 60, 100]
    assert reds(clip, 1) == [60, 100]


# -- parts ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return open_clip(make_clip(path, PICTURES + SOUND + "-c:a aac"))


@given(st.integers(0, 29), st.integers(0, 29), st.integers(1, 40))
def test_a_part_is_the_clips_frames_and_as_long_as_what_it_is_of(first, last, every):
    whole = Clip(None, (1, 1), Fraction(10), Fraction(1), ())
    whole.__dict__["frames"] = 30
    whole.frames_from = lambda start: iter(range(start, 30))
    if last < first:
        with pytest.raises(DreamError, match="--from"):
            Part(whole, first, last, every)
        return
    part = Part(whole, first, last, every)
    expected = list(range(30))[first : last + 1 : every]
    assert list(part.frames_from()) == expected
    assert list(part.frames_from(1)) == expected[1:]
    assert part.frames == len(expected)
    shown = sum(part.stays) if part.stays else part.frames
    assert shown / part.fps == Fraction(last + 1 - first, 10)
    assert part.span == pytest.approx((first / 10, (last + 1 - first) / 10))


def test_frames_of_a_folder_have_no_time_that_a_part_could_keep(tmp_path):
    folder = numbered(tmp_path / "f", [f"{number}.png" for number in range(6)])
    part = Part(open_source(folder, 10), every=2)
    assert (part.frames, part.fps, part.stays) == (3, 10, None)


def test_a_part_of_a_clip_has_its_part_of_the_sound(clip, tmp_path):
    part = Part(clip, 10, 19)
    frames = numbered(tmp_path / "f", [f"{number}.png" for number in range(10)])
    mux(sorted(frames.iterdir()), tmp_path / "out.mp4", part)
    film = open_clip(tmp_path / "out.mp4")
    assert (film.frames, film.fps, len(film.sounds)) == (10, clip.fps, 1)
    assert open_clip(make_clip(tmp_path / "s.mkv", f"-i {film.path} -c copy")).duration < 0.5


def test_a_frame_that_a_clip_does_not_have_is_named(clip):
    with pytest.raises(DreamError, match=r"--from 0 --to 30: .*clip\.mp4 has frames 0 to 29"):
        Part(clip, 0, 30)


def test_a_last_frame_that_nobody_named_is_not_told(clip):
    with pytest.raises(DreamError, match=r"^--from 90: .*clip\.mp4 has frames 0 to 29"):
        Part(clip, 90)


def test_a_gif_of_uneven_times_is_refused_by_its_shortest(tmp_path):
    frames = numbered(tmp_path / "f", ["0.png", "1.png"])
    with pytest.raises(DreamError, match="100 frames per second"):
        assemble(sorted(frames.iterdir()), tmp_path / "out.gif", fps=100, stays=[1, 50])
    assemble(sorted(frames.iterdir()), tmp_path / "out.gif", fps=100, stays=[2, 50])
    assert film_frames(tmp_path / "out.gif")[1] == [20, 500]


def test_an_animation_that_claims_a_size_which_no_file_holds_is_refused(tmp_path):
    path = animated(tmp_path / "claims.gif")
    data = bytearray(path.read_bytes())
    data[6:10] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert frames_of(path) == 4
    with pytest.raises(DreamError, match=r"claims\.gif"):
        Animation(path)
