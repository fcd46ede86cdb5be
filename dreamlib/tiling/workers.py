"""Who paints a phase's visits: this process alone, or a crew of worker processes.

A crew's picture does not depend on the number of workers, nor on which of them paints what. In its
last bits it does depend on what computes a tile's gradient: the CPU or a GPU, and on the CPU the
number of threads, by which PyTorch and its libraries choose among algorithms. So a crew is of one
kind of device, and each worker has one thread unless told otherwise, however many cores there are.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from collections import deque

from dreamlib.errors import DreamError
from dreamlib.tiling.worker_handle import NEEDED, Hand
from dreamlib.util.devices import parse_devices

#: So often in a row may a worker die without finishing a tile.
MOST_DEATHS = 3


class WorkerError(RuntimeError):
    """A defect that showed in a worker; ends with the worker's own traceback."""


class Alone:
    """One painter, in this process.

    Parameters
    ----------
    painter : dreamlib.tiling.stepper.Painter
    """

    def __init__(self, painter):
        self._painter = painter

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Do nothing: there is nobody to send home."""

    def paint(self, place, visits, indices, *args):
        """Paint some visits of a phase.

        Parameters
        ----------
        place : (octave, turn, phase)
        visits : list of dreamlib.tiling.schedule.Visit
            All of the phase.
        indices : list of int
            Which to paint.
        *args
            What `Painter.paint` takes after the visit: canvas, target, mean, turn, deviations and
            base.

        Yields
        ------
        index : int
        sums : tuple of float
            What `Painter.paint` returned.
        """
        if hasattr(self._painter, "paint_many"):
            chosen = [visits[index] for index in indices]
            with contextlib.closing(self._painter.paint_many(chosen, *args)) as painting:
                for position, sums in painting:
                    yield indices[position], sums
            return
        for index in indices:
            yield index, self._painter.paint(visits[index], *args)

    def measure(self, octave, turn, phases, places, canvas):
        """Measure some visits of a pass, and change nothing.

        Parameters
        ----------
        octave, turn : int
        phases : list of list of dreamlib.tiling.schedule.Visit
            All of the pass.
        places : list of (phase, index)
            Which to measure.
        canvas : dreamlib.tiling.canvas.Canvas

        Yields
        ------
        place : (phase, index)
        sums : tuple of float
            What `Painter.measure` returned.
        """
        for phase, index in places:
            yield (phase, index), self._painter.measure(phases[phase][index], canvas)


class Crew:
    """Several painters, each a process with a net of its own, which share canvases in files.

    A worker that dies gives its tiles back and is replaced. Whoever leaves the generator of `paint`
    or `measure` early, by ``close()`` or an error, ends all workers at once; what they were
    painting counts as not painted. They are started again when they are next needed.

    Parameters
    ----------
    devices : str
        One for each worker, as `dreamlib.util.devices.parse_devices` takes them.
    model : dreamlib.models.zoo.Model
    settings : dreamlib.settings.Settings
        With nothing left open.
    sizes : list of (height, width)
        Of the octaves' canvases.
    threads : int
        Of the CPU, for each worker. The picture depends on it: see above.

    Attributes
    ----------
    pids : list of int
        The processes.

    Raises
    ------
    DreamError
        A device is unknown, or not there; or the network cannot be loaded.
    """

    def __init__(self, devices, model, settings, sizes, threads=1):
        self._gpus = parse_devices(devices)
        self._threads = threads
        self._order = {
            "model": os.path.abspath(model.folder),
            "engine": settings.engine,
            "precision": settings.precision,
            "sizes": [list(size) for size in sizes],
            "settings": {name: getattr(settings, name) for name in NEEDED},
        }
        self._hands = []
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def pids(self):
        return [hand.pid for hand in self._hands]

    def close(self):
        """End the workers."""
        for hand in self._hands:
            hand.dismiss()
        for hand in self._hands:
            hand.end()
        self._hands = []

    def paint(self, place, visits, indices, canvas, target, mean, turn, deviations=None, base=None):
        """Paint some visits of a phase, in any order: see `Alone.paint`.

        The canvases must lie in files, and `visits` be what the schedule of the settings says.
        """
        wanted = [(place, index, visits[index].window) for index in indices]
        work = {
            "target": os.path.abspath(target.path), "mean": mean, "turn": turn,
            "deviations": deviations, "base": base and os.path.abspath(base.path),
        }  # fmt: skip
        return self._perform(place[0], wanted, canvas, work, lambda task: task["index"])

    def measure(self, octave, turn, phases, places, canvas):
        """Measure some visits of a pass, in any order: see `Alone.measure`."""
        wanted = [
            ((octave, turn, phase), index, phases[phase][index].window) for phase, index in places
        ]
        work = dict.fromkeys(("target", "mean", "turn", "deviations", "base"))
        return self._perform(
            octave, wanted, canvas, work, lambda task: (task["place"][2], task["index"])
        )

    def _perform(self, octave, wanted, canvas, work, name):
        """Have tiles seen to; yields (name, sums).

        Parameters
        ----------
        octave : int
        wanted : list of (place, index, window)
        canvas : Canvas
        work : dict
            What else `Worker.perform` takes.
        name : callable
            What the caller calls a task.
        """
        if list(canvas.shape[:2]) != self._order["sizes"][octave]:
            raise ValueError(f"the crew was told another size of octave {octave} than {canvas}")
        # The largest first, so that all end at about the same time.
        wanted.sort(key=lambda tile: -tile[2].height * tile[2].width)
        path = os.path.abspath(canvas.path)
        left = deque(
            {"place": place, "index": index, "canvas": path, **work} for place, index, _ in wanted
        )
        self._start()
        try:
            self._hand_out(left)
            while left or any(hand.tasks for hand in self._hands):
                finished = self._hear(left)
                self._hand_out(left)
                for task, sums in finished:
                    yield name(task), sums
        except BaseException:
            self.close()
            raise

    def _start(self):
        """Start the workers unless they run, and wait until all are ready."""
        if self._hands:
            return
        try:
            for gpu in self._gpus:
                self._hands.append(Hand(gpu, self._order, self._threads))
            while not all(hand.ready for hand in self._hands):
                self._hear(deque())
        except BaseException:
            self.close()
            raise

    def _hand_out(self, left):
        """Give tasks to those who have none, and a second one in advance while there are many.

        The last ones are kept for whoever is free first.
        """
        for hand in self._hands:
            if left and hand.ready and not hand.tasks:
                hand.give(left.popleft())
        for hand in self._hands:
            if len(left) >= len(self._hands) and hand.ready and len(hand.tasks) == 1:
                hand.give(left.popleft())

    def _hear(self, left):
        """Wait for news, and return the tasks finished: a list of (task, sums).

        The tasks of those who died go back to `left`.
        """
        finished = []
        with selectors.DefaultSelector() as selector:
            for hand in self._hands:
                selector.register(hand, selectors.EVENT_READ)
            heard = [key.fileobj for key, _ in selector.select()]
        for hand in heard:
            answers = hand.hear()
            if answers is None:
                left.extendleft(reversed(hand.tasks))
                self._replace(hand)
                continue
            for answer in answers:
                _raise_failure(hand, answer)
                if "ready" in answer:
                    hand.ready = True
                else:
                    hand.deaths = 0
                    finished.append((hand.tasks.popleft(), tuple(answer["sums"])))
        return finished

    def _replace(self, dead):
        """Start a worker in the place of one that died."""
        self._hands.remove(dead)
        words = dead.end()
        if dead.deaths + 1 >= MOST_DEATHS:
            raise DreamError(
                f"a worker on {dead.device} died {MOST_DEATHS} times in a row; the last time "
                f"{words}\nTake fewer workers or smaller tiles if memory ran out, or dream without "
                "workers"
            )
        self._hands.append(Hand(dead.gpu, self._order, self._threads, dead.deaths + 1))


def _raise_failure(hand, answer):
    """Raise what a worker could not do, if that is its answer."""
    if "refused" in answer:
        raise DreamError(answer["refused"])
    if "failed" in answer:
        what = "a worker could not load its network"
        if hand.ready:
            task = hand.tasks[0]
            octave, turn, phase = task["place"]
            what = f"tile {task['index']} of octave {octave}, pass {turn}, phase {phase} failed"
        raise WorkerError(f"{what}, on {hand.device}:\n\n{answer['failed']}")
