"""A worker process: one net on one device, told which tiles to step on.

Started by `dreamlib.tiling.worker_handle` as ``python -m dreamlib.tiling.worker``. The first line
of its input is the dream, each further one a task; every line is answered by one, all of them JSON
objects. Pixels never travel: the worker reads and writes the canvases' files itself.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import ExitStack, closing

from dreamlib.errors import DreamError
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.gradient_scale import Scale
from dreamlib.tiling.octaves import Dream, Place
from dreamlib.tiling.stepper import load_stepper
from dreamlib.util import json_lines


class Worker:
    """The net and the tiles that a worker holds.

    Parameters
    ----------
    dream : str
        As `Dream.to_json` writes it.
    gpu : int or None
        CUDA device; None is the CPU.
    load : callable
        Makes the stepper of a `Dream`, on `gpu`.
    """

    def __init__(self, dream, gpu, load=load_stepper):
        self._dream = Dream.from_json(dream)
        self._stepper = load(self._dream, gpu)
        self._octave = self._schedule = None
        self._pass, self._phases = None, None

    def perform(self, place, index, canvas, target, base, scale):
        """Step on a tile, or measure it where there is no target.

        Parameters
        ----------
        place : (octave, pass, phase)
        index : int
            Of the tile in its phase.
        canvas, target, base : str
            Paths; `target` and `base` may be None.
        scale : (float or None, list of float or None)
            See `Scale`.

        Returns
        -------
        tuple of float
            The tile's sums.
        """
        place = Place(*place)
        tile = self._phases_of(place.octave, place.pass_)[place.phase][index]
        # Opened for every tile, which takes microseconds: a file may be another one by then.
        with ExitStack() as stack:
            canvas, target, base = (
                path and stack.enter_context(closing(self._open(path, place.octave)))
                for path in (canvas, target, base)
            )
            if target is None:
                return self._stepper.measure(place.octave, tile, canvas)
            stepping = self._stepper.steps(place, Scale(*scale), [tile], canvas, target, base)
            [(_, sums)] = stepping
            return sums

    def _open(self, path, octave):
        size = self._dream.octaves[octave].window[2:]
        return Canvas(*size, self._dream.storage, self._dream.wrap, path)

    def _phases_of(self, octave, pass_):
        """Return a pass as `Schedule.phases` does; its tiles come one after the other."""
        if octave != self._octave:
            self._schedule, self._octave = self._dream.schedule(octave), octave
        if (octave, pass_) != self._pass:
            self._phases, self._pass = self._schedule.phases(pass_), (octave, pass_)
        return self._phases


def main(make=Worker):
    """Work until the input ends.

    Parameters
    ----------
    make : callable
        Given what the first line holds, makes what has `Worker.perform`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and decides
    answers, messages = json_lines.own_stdout(), iter(json_lines.Reader(sys.stdin.buffer))
    first = next(messages, None)
    if first is None:
        return
    worker, failure = _attempt(make, **first)
    json_lines.send(answers, failure or {"ready": True})
    if failure:
        return
    tasks = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages, tasks), daemon=True).start()
    while True:
        sums, failure = _attempt(worker.perform, **tasks.get())
        json_lines.send(answers, failure or {"sums": sums})


def _listen(messages, tasks):
    """Queue the tasks as they come, and end the process as soon as the input ends.

    The parent may have been killed. A tile that is under way is given up, because another process
    may be resuming the dream in these files soon.
    """
    for task in messages:
        tasks.put(task)
    os._exit(0)


def _attempt(call, **arguments):
    """Return what `call` returns, and None; or None, and an answer that says why it failed."""
    try:
        return call(**arguments), None
    except DreamError as error:
        return None, {"refused": str(error)}
    except Exception:
        return None, {"failed": traceback.format_exc()}


if __name__ == "__main__":
    main()
