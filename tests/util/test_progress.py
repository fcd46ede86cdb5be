"""One count of work: percentages, lines, and Ctrl-C."""

import io
import os
import signal

import pytest

from dreamlib.dream import Step
from dreamlib.util.progress import LEAVE, Progress

SIZES = [(10, 20), (20, 40)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def steps(iterations):
    for octave, size in enumerate(SIZES):
        for iteration in range(iterations):
            yield Step(octave, iteration, "end", size, size[0] * size[1])


def test_work_is_counted_in_pixel_steps():
    progress = Progress(SIZES, 3, stream=io.StringIO())
    assert progress.total == 3 * (200 + 800)
    with progress:
        for step in steps(3):
            progress(step)
            if step == Step(0, 2, "end", (10, 20), 200):
                assert progress.done == 600
    assert progress.done == progress.total


def test_without_a_terminal_there_is_a_line_an_octave():
    stream = io.StringIO()
    with Progress(SIZES, 5, stream=stream) as progress:
        for step in steps(5):
            assert not progress(step)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "4%" in lines[0]  # the first step: 200 of 5000 pixel-steps
    assert "octave 1/2 (20 x 10)" in lines[0]
    assert "36%" in lines[1]
    assert "octave 2/2" in lines[1]


def test_long_octaves_say_more_than_once(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("dreamlib.util.progress.LOG_INTERVAL", 0)
    with Progress(SIZES, 5, stream=stream) as progress:
        for step in steps(5):
            progress(step)
    assert len(stream.getvalue().splitlines()) == 10


def test_a_terminal_gets_a_bar_with_the_overall_percentage():
    stream = Terminal()
    with Progress(SIZES, 2, stream=stream) as progress:
        for step in steps(2):
            progress(step)
    assert "octave 2/2 100%" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream):
    with Progress(SIZES, 2, quiet=True, stream=stream) as progress:
        for step in steps(2):
            progress(step)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_the_first_interrupt_ends_the_dream_after_its_step(stream):
    with Progress(SIZES, 2, stream=stream) as progress:
        assert not progress(Step(0, 0, "end", (10, 20), 200))
        os.kill(os.getpid(), signal.SIGINT)
        assert progress(Step(0, 1, "end", (10, 20), 200))
        assert progress.interrupted
    assert "Ctrl-C again" in stream.getvalue()


class InterruptedWrite(io.StringIO):
    """A stream on which Ctrl-C is pressed while it is written to; as Python's, not reentrant."""

    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal
        self._writing = self.armed = False

    def write(self, text):
        if self._writing:
            raise RuntimeError("reentrant call")
        self._writing = True
        if "%" in text and self.armed:
            self.armed = False
            os.kill(os.getpid(), signal.SIGINT)
        self._writing = False
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True])
def test_an_interrupt_while_a_line_is_written_is_told_after_it(terminal):
    stream = InterruptedWrite(terminal)
    with Progress(SIZES, 2, stream=stream) as progress:
        stream.armed = True
        if terminal:
            progress._bar.mininterval = 0  # so that it is drawn at once
        assert progress(Step(0, 0, "end", (10, 20), 200))
        assert progress.interrupted
    assert "Ctrl-C again" in stream.getvalue()


def test_the_second_interrupt_leaves_at_once():
    with Progress(SIZES, 2, quiet=True):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGINT)
    with Progress(SIZES, 2, quiet=True):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_listener_is_told_the_first_step_the_last_and_no_more_than_two_a_second():
    told = []
    with Progress(SIZES, 100, quiet=True, listener=told.append) as progress:
        for step in steps(100):
            assert not progress(step)
    assert told[0].share == pytest.approx(200 / progress.total)
    assert told[0][1:6] == (1, 2, (10, 20), 1, 100)
    assert told[-1].share == 1
    assert told[-1].seconds_left == 0
    assert 2 <= len(told) <= 4


def test_a_listener_may_ask_for_the_dream_to_be_left():
    with Progress(SIZES, 2, quiet=True, listener=lambda report: True) as progress:
        assert progress(next(steps(2))) == LEAVE
