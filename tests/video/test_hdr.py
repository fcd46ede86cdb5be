"""Clips of high dynamic range: their light as a screen shows it."""

import subprocess

import numpy as np
import pytest

from dreamlib.video import ffmpeg
from dreamlib.video.clip import open_clip

#: Candelas of the bars; 203 are the white of a page (ITU-R BT.2408).
LIGHT = np.float64([0, 1, 10, 26, 50, 203, 400, 1000])


def pq(light):
    """The signal of SMPTE ST 2084."""
    power = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light):
    """The signal of ITU-R BT.2100's hybrid log-gamma on a screen of 1000 candelas."""
    scene = (light / 1000) ** (1 / 1.2)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


CURVES = {"smpte2084": pq, "arib-std-b67": hlg, "bt709": lambda light: light / 1000}


def bars(path, curve):
    """Have ffmpeg write grey bars of these candelas."""
    row = np.repeat(np.rint(64 + 876 * CURVES[curve](LIGHT)), 16).astype("<u2")
    planes = np.tile(row, (32, 1)).tobytes() + np.full(2 * 16 * 64, 512, "<u2").tobytes()
    named = f"lossless=1:log-level=none:colorprim=bt2020:transfer={curve}:colormatrix=bt2020nc"
    command = f"-y -loglevel error -f rawvideo -pix_fmt yuv420p10le -s {len(row)}x32 -r 5 -i pipe:0"
    options = ["-c:v", "libx265", "-x265-params", named, "-pix_fmt", "yuv420p10le", str(path)]
    command = [ffmpeg.find_ffmpeg(), *command.split(), *options]
    subprocess.run(command, input=2 * planes, check=True)
    return open_clip(path)


@pytest.fixture
def mapped():
    if not ffmpeg.has_filter("zscale"):
        pytest.skip("this ffmpeg has no zscale")


@pytest.mark.parametrize(("curve", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_light_up_to_a_third_of_white_stays_and_what_is_brighter_is_below_white(
    tmp_path, mapped, curve, name
):
    clip = bars(tmp_path / "hdr.mp4", curve)
    [note] = clip.notes
    assert f"hdr.mp4 is HDR ({name})" in note
    assert "tone mapping" in note
    shown = next(clip.frames_from())[16, 8::16].astype(int)
    assert np.ptp(shown, axis=1).max() <= 2  # grey stays grey
    linear = LIGHT / 203
    expected = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(shown[:5, 0] - 255 * expected[:5]).max() <= 2
    assert (np.diff(shown[:, 0]) > 5).all()
    assert 200 < shown[5, 0] < 235


def test_a_clip_of_usual_range_stays_as_it_is(tmp_path):
    clip = bars(tmp_path / "sdr.mp4", "bt709")
    assert clip.notes == ()
    shown = next(clip.frames_from())[16, 8::16, 0]
    assert np.abs(shown - 255 * LIGHT / 1000).max() <= 2


def test_without_the_filter_it_is_said_that_nothing_is_mapped(tmp_path, monkeypatch):
    clip = bars(tmp_path / "hdr.mp4", "smpte2084")
    monkeypatch.setattr(ffmpeg, "has_filter", lambda name: False)
    assert "no zscale" in clip.notes[0]
    shown = next(clip.frames_from())[16, 8::16, 0]
    assert np.abs(shown - 255 * pq(LIGHT)).max() <= 3
