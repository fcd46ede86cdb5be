"""How far a dream is: its phase, and one count of work, pixel-steps over all octaves."""

from __future__ import annotations

import builtins
import contextlib
import signal
import sys
import threading
import time
from typing import NamedTuple

from dreamlib.util.pace import Pace

#: Seconds between log lines where the output is not a terminal.
LOG_INTERVAL = 10

#: Seconds between two reports to a listener.
REPORT_INTERVAL = 0.5

#: What `Progress` answers where its listener wants the dream left: its state is kept, and nothing
#: is made of what there is.
LEAVE = "leave"


class Left(Exception):
    """A dream was left on the way; its work folder, if it has one, can be resumed."""


class Report(NamedTuple):
    """How far a dream is, for who listens."""

    share: float  #: of all pixel-steps, 0 to 1
    octave: int  #: counted from 1
    octaves: int
    shape: tuple  #: (height, width) of the octave
    iteration: int  #: within the octave, counted from 1
    iterations: int
    seconds_left: float  #: a guess until steps have been taken for a while


#: Called with the name of each phase that begins, where somebody records: see `profiling`.
on_phase = None


def phase(name):
    """Begin a phase, and so end the one before; one that was ended before is resumed.

    Parameters
    ----------
    name : str
    """
    if on_phase is not None:
        on_phase(name)


def profile(function):
    """Mark a function for memory_profiler, if that runs the program; else return it as it is.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
    """
    return getattr(builtins, "profile", lambda same: same)(function)


#: What the first Ctrl-C is told.
STOPPING = "stopping after this step to save the picture; Ctrl-C again to leave at once"


class Progress:
    """Show how far a dream is, and end it early on Ctrl-C.

    A context around `dreamlib.dream.deepdream`, and its ``on_step``. On a terminal it is a bar;
    elsewhere log lines, one an octave and one every `LOG_INTERVAL` seconds. A step counts by its
    pixels, so that the percentage moves evenly.

    Within the context the first SIGINT, or SIGTERM, lets the current step finish and ends the
    dream; the second raises KeyboardInterrupt.

    Parameters
    ----------
    sizes : list of (height, width)
        What a step is taken on: the octaves.
    iterations : int or list of int
        Steps on each.
    quiet : bool
        Show nothing.
    stream : file, optional
        stderr by default.
    parts : (str, int), optional
        Where many dreams are made, not one: what each is called, and how many there are. Steps then
        tell their part for their octave, and there is no log line for each of them.
    listener : callable, optional
        Given a `Report` after the first step, the last, and those between at most every
        `REPORT_INTERVAL` seconds. Where it returns True the dream is to be left.

    Attributes
    ----------
    done, total : int
        Pixel-steps.
    interrupted : bool
        Whether Ctrl-C was pressed.
    left : bool
        Whether the listener wanted the dream to be left.
    """

    def __init__(self, sizes, iterations, quiet=False, stream=None, parts=None, listener=None):
        self._iterations = [iterations] * len(sizes) if isinstance(iterations, int) else iterations
        steps = zip(sizes, self._iterations)
        self.total = sum(height * width * count for (height, width), count in steps)
        self.done = self._skipped = 0
        self._pace, self._estimated = Pace(), False
        self.interrupted = self.left = False
        self._part, self._parts = parts or ("octave", len(sizes))
        self._many = bool(parts)
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._on_terminal = self._stream.isatty()
        self._bar = None
        self._old_handlers = []
        self._writing, self._unsaid = False, None
        self._listener, self._last_report = listener, float("-inf")

    def __enter__(self):
        self._begin = time.monotonic()
        self._last_line, self._last_octave = self._begin, None
        if self._on_terminal and not self._quiet:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total,
                file=self._stream,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} gone{postfix}",
            )
        if threading.current_thread() is threading.main_thread():
            self._old_handlers = [(number, signal.signal(number, self._interrupt))
                                  for number in (signal.SIGINT, signal.SIGTERM)]  # fmt: skip
        return self

    def __exit__(self, *exception):
        for number, handler in self._old_handlers:
            signal.signal(number, handler)
        if self._bar is not None:
            self._bar.close()

    def skip(self, pixels):
        """Count pixel-steps that an earlier run has made.

        Parameters
        ----------
        pixels : int
        """
        self.done += pixels
        self._skipped += pixels
        if self._bar is not None:
            self._bar.initial = pixels
            self._bar.update(pixels)

    def __call__(self, step):
        """Count a step; tell `deepdream` whether to stop.

        Parameters
        ----------
        step : dreamlib.dream.Step

        Returns
        -------
        bool, or `LEAVE`
        """
        self.done += step.pixels
        self._pace.mark(self.done, time.monotonic())
        if not self._quiet:
            self._show(step)
        self._report(step)
        return LEAVE if self.left else self.interrupted

    def _report(self, step):
        """Tell the listener, if there is one and it is time, and hear what it wants."""
        now = time.monotonic()
        early = now - self._last_report < REPORT_INTERVAL
        if not self._listener or (early and self.done < self.total):
            return
        self._last_report = now
        self.left = bool(self._listener(
            Report(
                self.done / self.total, step.octave + 1, self._parts, tuple(step.shape),
                step.iteration + 1, self._count(step), self._seconds_left(now),
            )
        ))  # fmt: skip

    def _count(self, step):
        """Return how many steps there are where one was taken."""
        return self._iterations[step.octave if not self._many else 0]

    def _seconds_left(self, now):
        """Estimate the rest; by all that there was where that is little."""
        left = self.total - self.done
        if self._pace.known:
            return self._pace.seconds_for(left)
        return (now - self._begin) * left / (self.done - self._skipped)

    def _show(self, step):
        label = f"{self._part} {step.octave + 1}/{self._parts}"
        if self._bar is not None:
            with self._alone():
                self._bar.set_description_str(label, refresh=False)
                if self._pace.known:
                    seconds = self._pace.seconds_for(self.total - self.done)
                    left = self._bar.format_interval(seconds)
                    self._bar.set_postfix_str(f"{left} left", refresh=False)
                self._bar.update(step.pixels)
            return
        now = time.monotonic()
        before = self._last_octave
        told = before is not None if self._many else step.octave == before
        told = told and self._estimated == self._pace.known  # the first estimate comes at once
        if told and now - self._last_line < LOG_INTERVAL:
            return
        self._last_line, self._last_octave = now, step.octave
        left = ""
        if self._pace.known:
            left, self._estimated = f"  {self._seconds_left(now):.0f} s left", True
        height, width = step.shape
        if not self._many:
            label += f" ({width} x {height})  step {step.iteration + 1}/{self._count(step)}"
        self.say(f"{100 * self.done / self.total:3.0f}%  {label}{left}")

    def _interrupt(self, number, frame):
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        if self._writing:  # a stream that is being written to cannot be written to
            self._unsaid = STOPPING
        else:
            self.say(STOPPING)

    def say(self, line):
        """Print a line that does not disturb the bar, unless nothing is to be shown.

        Parameters
        ----------
        line : str
        """
        if self._quiet:
            return
        with self._alone():
            if self._bar is not None:
                self._bar.write(line, file=self._stream)
            else:
                print(line, file=self._stream, flush=True)

    @contextlib.contextmanager
    def _alone(self):
        """Keep what an interruption has to say until a write has ended."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._unsaid:
            line, self._unsaid = self._unsaid, None
            self.say(line)
