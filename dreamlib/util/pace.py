"""How long work still takes, from how long the last of it took."""

from __future__ import annotations

import bisect

#: Seconds of steps from which the rest is estimated, at least. The first step does not count: what
#: is compiled, loaded and allocated for it is not done again, and may take as long as many.
LEAST = 2

#: Seconds between two marks.
APART = 0.2


class Pace:
    """Estimates what is left by the later half of what has been done: octaves differ in their pace.

    Attributes
    ----------
    known : bool
        Whether enough has been done for an estimate.
    """

    def __init__(self):
        self._times, self._done = [], []
        self._now = 0, 0.0

    @property
    def known(self):
        return bool(self._times) and self._now[1] - self._times[0] >= LEAST

    def mark(self, done, now):
        """Note how much is done after a step.

        Parameters
        ----------
        done : int
        now : float
            Seconds on any clock.
        """
        self._now = done, now
        if not self._times or now - self._times[-1] >= APART:
            self._times.append(now)
            self._done.append(done)

    def seconds_for(self, left):
        """Estimate how long the rest takes.

        Parameters
        ----------
        left : int

        Returns
        -------
        float
            NaN where it is not `known`.
        """
        if not self.known:
            return float("nan")
        done, now = self._now
        since = now - max(LEAST, (now - self._times[0]) / 2)
        mark = bisect.bisect_right(self._times, since) - 1
        made = done - self._done[mark]
        return (now - self._times[mark]) * left / made if made else float("nan")
