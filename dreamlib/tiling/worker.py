"""A worker of a crew: one net on one device, told what to paint line by line.

Started by `dreamlib.tiling.worker_handle` as ``python -m dreamlib.tiling.worker``. The first line
of its input says what to load, each further one is a task; every line is answered by one, all of
them JSON objects. Pixels never travel: the worker reads and writes the canvases' files itself.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import ExitStack, closing
from types import SimpleNamespace

from dreamlib.ascent.objective_builder import network_of, objective_of
from dreamlib.ascent.regularizers import Looks
from dreamlib.errors import DreamError
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import load_model
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.octave_loop import octave_schedule
from dreamlib.tiling.stepper import make_painter


class Worker:
    """What a worker holds.

    Parameters
    ----------
    model : str
        Folder of the model.
    engine, gpu, precision
        As for `dreamlib.models.engines.load_net`.
    sizes : list of [height, width]
        Of the octaves' canvases.
    settings : dict
        Those that `dreamlib.tiling.worker_handle.NEEDED` names.
    """

    def __init__(self, model, engine, gpu, precision, sizes, settings):
        self._settings, self._sizes = SimpleNamespace(**settings), sizes
        model = load_model(model)
        network = network_of(model, self._settings, engine)
        net = load_net(network, engine, gpu, precision)
        self._painter = make_painter(
            net, self._settings.storage, self._settings.end, self._settings.step_size,
            self._settings.clip, objective_of(net, model, self._settings),
            self._settings.tile_steps, Looks.of(self._settings),
        )  # fmt: skip
        self._octave = self._schedule = None
        self._pass = self._phases = None

    def perform(self, place, index, canvas, target, mean, turn, deviations, base):
        """Paint a tile, or measure it where there is no target.

        Parameters
        ----------
        place : (octave, turn, phase)
        index : int
            Of the visit in its phase.
        canvas, target, base : str
            Paths; `target` and `base` may be None.
        mean, turn, deviations
            As for `Painter.paint`.

        Returns
        -------
        tuple of float
            What the painter returned.
        """
        octave, _, phase = place
        visit = self._phases_of(*place[:2])[phase][index]
        # Opened for every tile, which takes microseconds: a file may be another one by then.
        with ExitStack() as stack:
            source, painted, undreamt = (
                path and stack.enter_context(closing(self._open(path, octave)))
                for path in (canvas, target, base)
            )
            if target is None:
                return self._painter.measure(visit, source)
            return self._painter.paint(visit, source, painted, mean, turn, deviations, undreamt)

    def _open(self, path, octave):
        return Canvas(*self._sizes[octave], self._settings.storage, self._settings.wrap, path)

    def _phases_of(self, octave, turn):
        """Return a pass as `Schedule.phases` does; its tiles come one after the other."""
        if octave != self._octave:
            self._schedule = octave_schedule(self._settings, tuple(self._sizes[octave]), octave)
            self._octave = octave
        if (octave, turn) != self._pass:
            self._phases, self._pass = self._schedule.phases(turn), (octave, turn)
        return self._phases


def main():
    """Work until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and decides
    answers = _take_stdout()
    first = sys.stdin.readline()
    if not first:
        return
    worker, failure = _attempt(Worker, **json.loads(first))
    print(json.dumps(failure or {"ready": True}), file=answers)
    if failure:
        return
    tasks = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    while True:
        sums, failure = _attempt(worker.perform, **tasks.get())
        print(json.dumps(failure or {"sums": sums}), file=answers)


def _take_stdout():
    """Return a stream of our own on stdout, which becomes stderr: native libraries print there."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # flushed at the end of each line
    os.dup2(2, 1)
    return answers


def _listen(tasks):
    """Queue the tasks as they come, and end the process as soon as the input ends.

    The parent may have been killed. A tile that is being painted is given up, because another
    process may be going on with the dream in these files soon.
    """
    for line in sys.stdin:
        tasks.put(json.loads(line))
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
