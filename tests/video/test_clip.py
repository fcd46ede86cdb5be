"""Clips in and out, against real ffmpeg."""

import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.video import clip as video
from dreamlib.video import ffmpeg
from dreamlib.video.clip import mux, open_clip

PICTURES = "-f lavfi -i testsrc2=size=96x64:rate=30000/1001:duration=1 "
SOUND = "-f lavfi -i sine=frequency=440:duration=1 "


def make_clip(path, arguments):
    """Have ffmpeg make a clip."""
    command = [ffmpeg.find_ffmpeg(), "-y", "-loglevel", "error", *arguments.split(), str(path)]
    subprocess.run(command, check=True)
    return path


def save_frames(pictures, folder):
    folder.mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index:04}.png", compress_level=1)
    return sorted(folder.iterdir())


def sound_of(path):
    """A checksum of a clip's sound as it is encoded, and ffmpeg's name for its codec."""
    arguments = ["-i", ffmpeg.source(path), "-map", "0:a", "-c", "copy", "-f", "md5", "-"]
    output, log = ffmpeg.run(arguments, path)
    return output, re.search(r"Audio: (\w+)", log).group(1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """30 frames of 96 x 64 at television's rate, with a tone."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return open_clip(make_clip(path, PICTURES + SOUND + "-c:a aac"))


def test_a_clip_tells_its_size_rate_frames_and_sound(clip):
    assert (clip.size, clip.fps, clip.frames) == ((64, 96), Fraction(30000, 1001), 30)
    assert clip.sounds
    assert clip.duration == pytest.approx(1.001)


def test_frames_are_the_clips_own(tmp_path):
    path = make_clip(tmp_path / "clip.mkv", PICTURES + "-c:v ffv1 -pix_fmt bgr0")
    pictures = list(open_clip(path).frames_from())
    make_clip(tmp_path / "%d.png", PICTURES)
    for index, picture in enumerate(pictures):
        expected = np.array(Image.open(tmp_path / f"{index + 1}.png").convert("RGB"))
        assert np.array_equal(picture, expected)
    assert len(pictures) == 30


def test_reading_from_a_frame_on_gives_the_same_frames(clip):
    whole, part = list(clip.frames_from()), list(clip.frames_from(17))
    assert len(part) == 13
    assert all(np.array_equal(one, other) for one, other in zip(whole[17:], part))
    assert not list(clip.frames_from(30))


def test_reading_can_be_given_up_without_leaving_a_process(clip):
    frames = clip.frames_from()
    next(frames)
    frames.close()
    children = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    with open(children) as listed:
        for child in listed.read().split():
            with open(f"/proc/{child}/cmdline") as command:
                assert "ffmpeg" not in command.read()


def test_a_turned_clip_is_read_upright(clip, tmp_path):
    turned = f"-display_rotation 90 -i {clip.path} -c copy"
    upright = open_clip(make_clip(tmp_path / "turned.mp4", turned))
    assert upright.size == (96, 64)
    first, expected = next(upright.frames_from()), next(clip.frames_from())
    assert np.abs(first - np.rot90(expected).astype(int)).mean() < 1


def test_a_clip_of_variable_rate_has_a_usable_one_and_keeps_its_length(tmp_path):
    uneven = "-f lavfi -i testsrc2=size=96x64:rate=25:duration=2 "
    uneven += (
        "-vf settb=1/1000,setpts=PTS+mod(N*7\\,11) -fps_mode passthrough -enc_time_base 1/1000"
    )
    film = open_clip(make_clip(tmp_path / "uneven.mkv", uneven))
    assert 20 <= film.fps <= 60
    assert film.duration == pytest.approx(2, abs=0.1)


def test_pixels_that_are_not_square_stay_so(tmp_path):
    wide = open_clip(make_clip(tmp_path / "wide.mp4", PICTURES + "-vf setsar=4/3 -frames:v 2"))
    assert wide.aspect == Fraction(4, 3)
    frames = save_frames(wide.frames_from(), tmp_path / "frames")
    mux(frames, tmp_path / "out.mp4", wide)
    assert open_clip(tmp_path / "out.mp4").aspect == Fraction(4, 3)


def test_a_film_written_from_a_clip_has_its_rate_frames_and_very_sound(clip, tmp_path):
    frames = save_frames(clip.frames_from(), tmp_path / "frames")
    assert mux(frames, tmp_path / "out.mp4", clip, quality=100)
    out = open_clip(tmp_path / "out.mp4")
    assert (out.size, out.fps, out.frames) == (clip.size, clip.fps, clip.frames)
    assert sound_of(out.path) == sound_of(clip.path)
    for one, other in zip(clip.frames_from(), out.frames_from()):
        difference = other - one.astype(int)
        assert np.abs(difference).mean() < 5
        assert np.abs(difference.mean((0, 1))).max() < 2


def test_sound_is_encoded_anew_where_the_container_demands_it(clip, tmp_path):
    frames = save_frames(clip.frames_from(), tmp_path / "frames")
    mux(frames, tmp_path / "out.webm", clip)
    assert sound_of(tmp_path / "out.webm")[1] == "opus"
    assert open_clip(tmp_path / "out.webm").frames == 30


def test_each_of_several_sounds_is_kept(tmp_path):
    maps = "-map 0:v -map 1:a -map 1:a -c:a:0 aac -c:a:1 pcm_s16le"
    film = open_clip(make_clip(tmp_path / "two.mov", PICTURES + SOUND + maps))
    assert film.sounds == ("aac", "pcm_s16le")
    frames = save_frames(film.frames_from(), tmp_path / "frames")
    mux(frames, tmp_path / "out.mp4", film)
    assert open_clip(tmp_path / "out.mp4").sounds == ("aac", "aac")


def test_a_silent_clip_becomes_a_silent_film(tmp_path):
    film = open_clip(make_clip(tmp_path / "silent.mp4", PICTURES))
    assert not film.sounds
    frames = save_frames(film.frames_from(), tmp_path / "frames")
    mux(frames, tmp_path / "out.mp4", film)
    assert open_clip(tmp_path / "out.mp4").frames == 30


def test_a_clip_becomes_a_gif_without_sound(tmp_path):
    film = open_clip(make_clip(tmp_path / "ten.mp4", PICTURES + SOUND + "-r 10"))
    frames = save_frames(film.frames_from(), tmp_path / "frames")
    mux(frames, tmp_path / "out.gif", film)
    with Image.open(tmp_path / "out.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (film.frames, 100)


@pytest.mark.parametrize("kept", [0, 5000])
def test_an_unreadable_clip_is_an_error(clip, tmp_path, kept):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(clip.path.read_bytes()[:kept])
    with pytest.raises(DreamError, match=r"bad.mp4 cannot be read as a clip"):
        open_clip(bad)


def test_sound_alone_is_no_clip(tmp_path):
    path = make_clip(tmp_path / "tone.m4a", SOUND)
    with pytest.raises(DreamError, match=r"tone.m4a cannot be read as a clip"):
        open_clip(path)


@pytest.mark.parametrize(("name", "said"), [("none.mp4", "no such file"), (".", "is a folder")])
def test_a_clip_that_is_not_there_is_an_error(tmp_path, name, said):
    with pytest.raises(DreamError, match=said):
        open_clip(tmp_path / name)


def test_a_clip_needs_ffmpeg(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    with pytest.raises(DreamError, match="there is no ffmpeg"):
        open_clip(clip.path)


@pytest.mark.parametrize(
    ("finest", "mean", "expected"),
    [
        ("30000/1001", "29.97", "30000/1001"),
        ("1000", "29.97", "30000/1001"),
        ("1000", "23.98", "24000/1001"),
        ("1000", "30", "30"),
        ("100", "12.5", "12.5"),
        ("25", "25", "25"),
    ],
)
def test_a_rate_that_only_time_stamps_have_gives_way_to_the_mean(finest, mean, expected):
    described = f"Stream #0:0: Video: vp9, yuv420p(tv), 320x240, {mean} fps, 1k tbr, 1k tbn"
    assert video._rate(Fraction(finest), described) == Fraction(expected)
