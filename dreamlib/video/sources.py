"""Whatever moves, opened as a clip: what ffmpeg reads, an animation, a folder of frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dreamlib.imaging.animated import frames_of
from dreamlib.video.animation import Animation
from dreamlib.video.clip import open_clip
from dreamlib.video.encode import read_frame
from dreamlib.video.frame_folder import check_sizes, find_frames

#: Frames in a second, where nothing else is said.
FPS = 12.5

#: Bytes for each pixel that reading a picture takes.
DECODING = 28


class FramesClip:
    """A folder of frames as a clip; its attributes are those of `dreamlib.video.clip.Clip`.

    Parameters
    ----------
    folder : str or Path
        See `dreamlib.video.frame_folder.find_frames`.
    fps : float, optional
        `FPS` where it is left out.
    """

    aspect, sounds, stays, loop, notes, own_time = Fraction(1), (), None, 0, (), False

    def __init__(self, folder, fps=None):
        self.path, self.fps = Path(folder), Fraction(fps or FPS).limit_denominator(1000)
        self.files = find_frames(folder)
        self.frames, self.size = len(self.files), check_sizes(self.files[:1])

    @property
    def decoding_memory(self):
        """Bytes that are taken while a frame is read."""
        return DECODING * self.size[0] * self.size[1]

    def frames_from(self, start=0):
        """Read the frames one by one: see `dreamlib.video.clip.Clip.frames_from`.

        Parameters
        ----------
        start : int

        Yields
        ------
        (H, W, 3) ndarray of uint8
        """
        for path in self.files[start:]:
            yield read_frame(path, self.size)


def open_source(path, fps=None):
    """Open a clip of any kind.

    Parameters
    ----------
    path : str or Path
    fps : float, optional
        Frames in a second. A clip is sampled anew, an animation plays evenly; by default their own,
        and 12.5 for a folder.

    Returns
    -------
    Clip, Animation or FramesClip

    Raises
    ------
    DreamError
        There is none.
    """
    if Path(path).is_dir():
        return FramesClip(path, fps)
    if Path(path).is_file() and frames_of(path) > 1:
        return Animation(path, fps)
    clip = open_clip(path)
    if fps:
        clip.fps = Fraction(fps).limit_denominator(1000)
    return clip
