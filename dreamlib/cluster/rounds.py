"""The tiles of a phase: which are left, which a worker is given next, which it is late with."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass

#: Small tiles are given several at a time, so that a task lasts some seconds; but where pixels
#: travel not more bytes.
LEAST_SECONDS, MOST_BYTES = 0.3, 8 << 20

#: A worker is late where another would have a tile done so many times over, and some seconds.
LATE, LATE_SECONDS = 1.5, 0.2


@dataclass(eq=False)
class Task:
    """Tiles that a worker was given at once."""

    round: Round
    keys: list
    future: object = None

    @property
    def pixels(self):
        """Pixels under the windows of its tiles."""
        return self.round.pixels(*self.keys)


class Round:
    """Tiles to step on, or to measure; named by (phase, index).

    Parameters
    ----------
    octave, pass_ : int
    tiles : dict of (int, int) -> Tile
    scale : Scale or None
        What they are measured against; None where they are only measured.
    canvas, base, target : Canvas
        The last two may be None.

    Attributes
    ----------
    left : collections.deque
        Names of those that nobody was given.
    done : set
        Names of those that are done.
    doubled : bool
        Whether any was given to two workers.
    crashes : collections.Counter
        Workers that died while they stepped on each.
    """

    def __init__(self, octave, pass_, tiles, scale, canvas, base=None, target=None):
        self.octave, self.pass_, self._tiles = octave, pass_, tiles
        self.scale, self.canvas, self._base = scale and tuple(scale), canvas, base
        self._target = None if target is canvas else target
        # The largest first, so that all end at about the same time.
        self.left = deque(sorted(tiles, key=lambda key: -self.pixels(key)))
        self.done, self.crashes, self.doubled = set(), Counter(), False

    @property
    def is_done(self):
        """Whether all tiles are."""
        return len(self.done) == len(self._tiles)

    def name(self, keys):
        """Say in words which tiles are meant."""
        names = " and ".join(f"{index} of phase {phase}" for phase, index in keys)
        return f"tile {names} of octave {self.octave}, pass {self.pass_}"

    def pixels(self, *keys):
        """Count the pixels under the windows of tiles."""
        windows = [self._tiles[key].window for key in keys]
        return sum(window.height * window.width for window in windows)

    def open(self, keys):
        """List those of some tiles that are not done."""
        return [key for key in keys if key not in self.done]

    def pixels_for(self, keys, member):
        """Return where a worker has tiles' pixels from, and puts them: see `task.perform`.

        Parameters
        ----------
        keys : list
        member : dreamlib.cluster.members.Member

        Returns
        -------
        (canvas, base, target)
        """

        def source(canvas):
            if canvas is None:
                return None
            if member.sees and canvas.path:
                return os.path.abspath(canvas.path)  # a worker may be in another folder
            return [canvas.read(self._tiles[key].window) for key in keys]

        target = self._target if member.writes and self._target and self._target.path else None
        return source(self.canvas), source(self._base), source(target)

    def next_tiles(self, member, workers):
        """Take as many of the tiles that are left as make a task that is worth its way.

        Parameters
        ----------
        member : dreamlib.cluster.members.Member
        workers : int
            Among whom what is left is to be shared.

        Returns
        -------
        list
        """
        pixel = 3 * self.canvas.dtype.itemsize
        most, keys = max(1, len(self.left) // (2 * workers)), []
        while self.left and len(keys) < most:
            keys.append(self.left.popleft())
            pixels = self.pixels(*keys)
            if member.pace is None or pixels * member.pace >= LEAST_SECONDS:
                break
            if not member.sees and pixels * pixel >= MOST_BYTES:
                break
        return keys

    def late_tiles(self, idle, members):
        """Choose what an idle worker does too, because another is late with it.

        Parameters
        ----------
        idle : dreamlib.cluster.members.Member
        members : list of dreamlib.cluster.members.Member
            All that are ready.

        Returns
        -------
        list
            Of one tile, or none.
        """
        paces = [member.pace for member in members if member.pace]
        if not paces:
            return []
        now, usual, ends = time.monotonic(), statistics.median(paces), {}
        for member in members:
            end = member.since
            for task in member.tasks:
                end += task.pixels * (member.pace or usual)
                # One that should have ended is given as long again as it has been late.
                expected = end if end > now else 2 * now - end
                if task.round is self:
                    for key in self.open(task.keys):
                        ends[key] = min(expected, ends.get(key, float("inf")))
        for key in sorted(ends, key=ends.get, reverse=True):
            own = self.pixels(key) * (idle.pace or usual)
            if now + LATE * own + LATE_SECONDS < ends[key]:
                self.doubled = True
                return [key]
        return []
