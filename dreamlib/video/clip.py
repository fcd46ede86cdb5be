"""Clips: read frame by frame, and written from other frames with the clip's sound.

A clip of variable frame rate is read at a constant one, so that frames stay with the sound.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.video import ffmpeg
from dreamlib.video.encode import assemble

#: Bytes for each pixel that ffmpeg takes to decode H.264 or H.265: frames that others refer to.
DECODING = 52

#: Curves of high dynamic range by ffmpeg's names; and what brings them to a screen: linear light,
#: of which 203 candelas are white (ITU-R BT.2408). Up to a third of that it stays, up to five times
#: as much is compressed below white.
CURVES = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
TONE_MAP = (
    ",zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=mobius:param=0.3:peak=5:desat=0,zscale=t=iec61966-2-1:m=bt709:r=pc"
)

#: Bytes for each pixel that this takes.
TONE_MAPPING = 60

#: Codecs of sound that a container takes as they are, and the one for all others.
SOUND = {
    ".mp4": ({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}, "aac"),
    ".webm": ({"opus", "vorbis"}, "libopus"),
}


@dataclass
class Clip:
    """A clip, as it is shown: turned upright, at a constant frame rate."""

    path: Path
    size: tuple  #: height and width in pixels
    fps: Fraction  #: frames in a second
    aspect: Fraction  #: width of a pixel by its height
    sounds: tuple  #: the codec of each stream of sound
    curve: str = ""  #: of its high dynamic range: a key of `CURVES`; empty for all others

    #: Its frames stay equally long; it plays for ever, where that is asked; it has a time of its
    #: own, which a folder of frames has not.
    stays, loop, own_time = None, 0, True

    @cached_property
    def frames(self):
        """Number of frames, counted by decoding the clip once: headers hold an estimate.

        A `DreamError` where it cannot be decoded, or has none.
        """
        arguments = ["-nostats", "-progress", "pipe:1", "-i", ffmpeg.source(self.path)]
        arguments += ["-map", "0:V:0", "-vf", self._filters, "-f", "null", "-"]
        output, _ = ffmpeg.run(arguments, self.path)
        counts = re.findall(rb"^frame=\s*(\d+)", output, re.MULTILINE)
        if not counts or not int(counts[-1]):
            raise DreamError(f"{self.path} has no frames; is it whole?")
        return int(counts[-1])

    @property
    def decoding_memory(self):
        """Bytes that ffmpeg takes while frames are read."""
        each = DECODING + (TONE_MAPPING if self.curve else 0)
        return ffmpeg.PROGRAM + each * self.size[0] * self.size[1]

    @property
    def notes(self):
        """What there is to say of it, in words: a tuple of str."""
        if not self.curve:
            return ()
        what = f"{self.path} is HDR ({CURVES[self.curve]})"
        if ffmpeg.has_filter("zscale"):
            return (f"{what}: its light is brought to what a screen shows (tone mapping)",)
        return (f"{what}, and this ffmpeg has no zscale to map it: its colours will be pale",)

    @property
    def duration(self):
        """In seconds."""
        return float(self.frames / self.fps)

    @property
    def _filters(self):
        # From time zero on, where the sound begins; a late first frame is shown from there.
        return f"fps={self.fps}:start_time=0"

    @property
    def _colours(self):
        return TONE_MAP if self.curve and ffmpeg.has_filter("zscale") else ""

    def frames_from(self, start=0):
        """Read the frames one by one.

        Parameters
        ----------
        start : int
            Number of the first one, from 0. Those before it are decoded too: so each frame is the
            same wherever reading begins, which seeking does not promise.

        Yields
        ------
        (H, W, 3) ndarray of uint8
            RGB, a new one each time.

        Raises
        ------
        DreamError
            The clip cannot be read to its end.
        """
        filters = self._filters
        if start:
            filters += f",trim=start_frame={start},setpts=PTS-STARTPTS"
        filters += self._colours
        arguments = ["-i", ffmpeg.source(self.path), "-map", "0:V:0", "-vf", filters]
        arguments += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
        with ffmpeg.process(arguments, stdout=subprocess.PIPE) as (running, messages):
            while True:
                picture = np.empty((*self.size, 3), np.uint8)
                got = running.stdout.readinto(picture.reshape(-1))
                if not got:
                    break
                if got < picture.size:
                    raise DreamError(f"{self.path} ends within a frame: {messages()}")
                yield picture
            if running.wait():
                raise DreamError(f"{self.path} cannot be read to its end: {messages()}")


def open_clip(path):
    """Open a clip: anything that ffmpeg reads.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Clip

    Raises
    ------
    DreamError
        There is no clip, or no ffmpeg.
    """
    path = Path(path)
    if not path.is_file():
        raise DreamError(
            f"{path} is a folder; name a clip in it"
            if path.is_dir()
            else f"{path}: there is no such file"
        )
    # One frame in a format whose header says size, rate and shape of the pixels exactly.
    arguments = ["-i", ffmpeg.source(path), "-map", "0:V:0", "-frames:v", "1"]
    arguments += ["-pix_fmt", "yuv444p", "-f", "yuv4mpegpipe", "pipe:1"]
    output, log = ffmpeg.run(arguments, path)
    header = output.split(b"\n", 1)[0].decode("ascii", "replace")
    fields = {field[0]: field[1:] for field in header.split()[1:]}
    if not header.startswith("YUV4MPEG2 ") or not {"H", "W", "F"} <= fields.keys():
        raise DreamError(f"{path} has no frames: {ffmpeg.last_lines(log)}")
    described = log.split("Output #0")[0]
    return Clip(
        path,
        (int(fields["H"]), int(fields["W"])),
        _rate(Fraction(fields["F"].replace(":", "/")), described),
        _aspect(fields.get("A", "1:1")),
        tuple(re.findall(r"Stream #0:\d+.*?: Audio: (\w+)", described)),
        _curve(described),
    )


def _curve(described):
    """Return the curve of a clip of high dynamic range, as ffmpeg calls it; "" of others."""
    found = re.search(rf"Stream #0:\d+.*?: Video: .*?\b({'|'.join(CURVES)})\b", described)
    return found.group(1) if found else ""


def _rate(finest, described):
    """Choose the frame rate: the finest that fits all time stamps, or the mean where it is less.

    Time stamps of variable rate, in milliseconds say, fit only a rate of a thousand.
    """
    match = re.search(r"Stream #0:\d+.*?: Video: .*?, ([\d.]+) fps", described)
    if not match or not float(match.group(1)) or finest < 1.5 * float(match.group(1)):
        return finest
    mean = float(match.group(1))  # to two decimals: television's rates are 1000/1001 of whole ones
    whole = round(mean * 1.001)
    if abs(mean - whole / 1.001) < 0.006 and whole % 6 == 0:
        return Fraction(whole * 1000, 1001)
    return Fraction(match.group(1))


def _aspect(text):
    width, height = (int(part) for part in text.split(":"))
    return Fraction(width, height) if width and height else Fraction(1)


def mux(frames, out, clip, quality=90, on_frame=None, loop=None, order="forward"):
    """Write a film of frames with a clip's times and sound, whole or not at all.

    Sound is copied, or encoded again where the container cannot hold its codec. GIF and WebP are
    silent, and so is what does not run forwards.

    Parameters
    ----------
    frames, out, quality, on_frame, order
        As for `dreamlib.video.encode.assemble`, which says what is returned and raised, too.
    clip : Clip, dreamlib.video.animation.Animation, FramesClip or dreamlib.video.part.Part
        Has the times, the shape of the pixels and the sound.
    loop : int, optional
        By default the clip's.

    Returns
    -------
    bool
    """
    suffix = Path(out).suffix.lower()
    sound = []
    if clip.sounds and suffix in SOUND and order == "forward":
        taken, otherwise = SOUND[suffix]
        span = getattr(clip, "span", None)
        if span:
            sound += ["-ss", str(span[0]), "-t", str(span[1])]
        sound += ["-i", ffmpeg.source(clip.path), "-map", "0:v", "-map", "1:a"]
        for index, codec in enumerate(clip.sounds):
            sound += [f"-c:a:{index}", "copy" if codec in taken else otherwise]
        sound += ["-map_metadata", "1"]
    return assemble(
        frames, out, clip.fps, clip.loop if loop is None else loop, order, quality, on_frame,
        sound, clip.aspect, clip.stays,
    )  # fmt: skip
