"""A part of a clip: from a frame to a frame, every Nth of them."""

from __future__ import annotations

from itertools import islice

from dreamlib.errors import DreamError


class Part:
    """Some frames of a clip, in its own time; attributes are those of the clip.

    Parameters
    ----------
    clip : dreamlib.video.clip.Clip, dreamlib.video.animation.Animation or FramesClip
    first : int
        Number of the first frame, from 0.
    last : int or None
        Number of the last one, which is included; None is the clip's last.
    every : int
        Of that many frames one is taken, and stays as long as all of them; those of a folder, which
        have no time of their own, follow each other as before.

    Attributes
    ----------
    numbers : range
        Of the clip's frames.

    Raises
    ------
    DreamError
        The clip has no such frames.
    """

    def __init__(self, clip, first=0, last=None, every=1):
        count = clip.frames
        asked = f"--from {first}" + (f" --to {last}" if last is not None else "")
        last = count - 1 if last is None else last
        if not 0 <= first <= last < count:
            raise DreamError(
                f"{asked}: {clip.path} has frames 0 to {count - 1}; expected some of these, the "
                "smaller number first"
            )
        self._clip, self.numbers = clip, range(first, last + 1, every)
        self.path, self.size, self.aspect = clip.path, clip.size, clip.aspect
        self.loop, self.notes, self.decoding_memory = clip.loop, clip.notes, clip.decoding_memory
        self.frames, self.sounds = len(self.numbers), clip.sounds
        stays = clip.stays or [1] * count
        if not clip.own_time:
            every = 1
        stays = [sum(stays[one : min(one + every, last + 1)]) for one in self.numbers]
        equal = not clip.stays and len(set(stays)) == 1
        self.fps, self.stays = (clip.fps / stays[0], None) if equal else (clip.fps, stays)
        #: Where the sound begins, and how long it is, in seconds.
        self.span = float(first / clip.fps), float(sum(stays) / clip.fps)

    def frames_from(self, start=0):
        """Read the frames one by one: see `dreamlib.video.clip.Clip.frames_from`.

        Parameters
        ----------
        start : int

        Yields
        ------
        (H, W, 3) ndarray of uint8
        """
        if start < self.frames:
            numbers = self.numbers[start:]
            frames = self._clip.frames_from(numbers[0])
            yield from islice(frames, 0, numbers[-1] - numbers[0] + 1, self.numbers.step)
