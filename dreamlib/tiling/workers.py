"""Worker processes that step on a phase's tiles.

The picture does not depend on the number of workers, nor on which of them steps on what. In its
last bits it does depend on what computes a tile's gradient: the CPU or a GPU, and on the CPU the
number of threads, by which PyTorch and its libraries choose among algorithms. So workers are all of
one kind of device, and each has one thread unless told otherwise, however many cores there are.
"""

from __future__ import annotations

import os
import selectors
from collections import deque

from dreamlib.errors import DreamError
from dreamlib.tiling.gradient_scale import OWN_SCALE

#: Number of times in a row that a worker may crash without finishing a tile.
MOST_CRASHES = 3


class WorkerError(RuntimeError):
    """A defect that showed in a worker; ends with the worker's own traceback."""


class Workers:
    """Worker processes, each with a net of its own, which share canvases in files.

    A worker that crashes gives its tiles back and is replaced. Whoever leaves the generator of
    `steps` or `measure` early, by ``close()`` or an error, ends all workers at once; the tiles that
    were under way count as not done. Workers are started again when they are next needed.

    Parameters
    ----------
    devices : str
        One for each worker, as `dreamlib.util.devices.parse_devices` takes them.
    dream : dreamlib.tiling.octaves.Dream
    threads : int
        Of the CPU, for each worker. The picture depends on it: see above.
    program : list of str, optional
        See `WorkerHandle`.

    Attributes
    ----------
    pids : list of int
        The processes.

    Raises
    ------
    DreamError
        A device is unknown, or not there; or the network cannot be loaded.
    """

    def __init__(self, devices, dream, threads=1, **program):
        from dreamlib.util.devices import parse_devices

        self._gpus = parse_devices(devices)
        self._dream, self._threads, self._program = dream.to_json(), threads, program
        self._sizes = [octave.window[2:] for octave in dream.octaves]
        self._handles = []
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def pids(self):
        return [handle.pid for handle in self._handles]

    def close(self):
        """End the workers."""
        for handle in self._handles:
            handle.dismiss()
        for handle in self._handles:
            handle.end()
        self._handles = []

    def steps(self, place, scale, tiles, indices, canvas, target, base=None):
        """Step on some tiles of a phase, in any order: see `InProcess.steps`.

        The canvases must lie in files, and `tiles` be those of the dream's schedule.
        """
        wanted = [(place, index, tiles[index].window) for index in indices]
        paths = {"target": target.path, "base": base and base.path}
        return self._perform(wanted, scale, canvas, paths, lambda task: task["index"])

    def measure(self, octave, pass_, phases, places, canvas):
        """Measure some tiles of a pass, in any order: see `InProcess.measure`."""
        wanted = [
            ((octave, pass_, phase), index, phases[phase][index].window) for phase, index in places
        ]
        paths = {"target": None, "base": None}
        return self._perform(
            wanted, OWN_SCALE, canvas, paths, lambda task: (task["place"][2], task["index"])
        )

    def _perform(self, wanted, scale, canvas, paths, name):
        """Have tiles seen to; yields (name, sums).

        Parameters
        ----------
        wanted : list of (place, index, window)
        scale : Scale
        canvas : Canvas
        paths : dict
            Of `target` and `base`.
        name : callable
            The caller's name of a task.
        """
        if wanted and tuple(canvas.shape[:2]) != tuple(self._sizes[wanted[0][0][0]]):
            raise ValueError(f"the workers know another size of this octave than {canvas}")
        paths = {"canvas": canvas.path, **paths}
        common = {what: path and os.path.abspath(path) for what, path in paths.items()}
        # The largest first, so that all end at about the same time.
        wanted.sort(key=lambda tile: -tile[2].height * tile[2].width)
        left = deque(
            {"place": place, "index": index, "scale": scale, **common} for place, index, _ in wanted
        )
        self._start()
        try:
            self._hand_out(left)
            while left or any(handle.tasks for handle in self._handles):
                finished = self._hear(left)
                self._hand_out(left)
                for task, sums in finished:
                    yield name(task), sums
        except BaseException:
            self.close()
            raise

    def _start(self):
        """Start the workers unless they run, and wait until all are ready."""
        if self._handles:
            return
        try:
            for gpu in self._gpus:
                self._handles.append(self._new_handle(gpu))
            while not all(handle.ready for handle in self._handles):
                self._hear(deque())
        except BaseException:
            self.close()
            raise

    def _new_handle(self, gpu, crashes=0):
        from dreamlib.tiling.worker_handle import WorkerHandle

        return WorkerHandle(gpu, self._dream, self._threads, crashes, **self._program)

    def _hand_out(self, left):
        """Give tasks to those who have none, and a second one in advance while there are many.

        The last ones are kept for the first who is free.
        """
        for handle in self._handles:
            if left and handle.ready and not handle.tasks:
                handle.give(left.popleft())
        for handle in self._handles:
            if len(left) >= len(self._handles) and handle.ready and len(handle.tasks) == 1:
                handle.give(left.popleft())

    def _hear(self, left):
        """Wait for news, and return the tasks finished: a list of (task, sums).

        The tasks of crashed workers go back to `left`.
        """
        finished = []
        with selectors.DefaultSelector() as selector:
            for handle in self._handles:
                selector.register(handle, selectors.EVENT_READ)
            heard = [key.fileobj for key, _ in selector.select()]
        for handle in heard:
            answers = handle.hear()
            if answers is None:
                left.extendleft(reversed(handle.tasks))
                self._replace(handle)
                continue
            for answer in answers:
                _raise_failure(handle, answer)
                if "ready" in answer:
                    handle.ready = True
                else:
                    handle.crashes = 0
                    finished.append((handle.tasks.popleft(), tuple(answer["sums"])))
        return finished

    def _replace(self, crashed):
        """Start a worker in the place of one that crashed."""
        self._handles.remove(crashed)
        words = crashed.end()
        if crashed.crashes + 1 >= MOST_CRASHES:
            raise DreamError(
                f"a worker on {crashed.device} died {MOST_CRASHES} times in a row; the last time "
                f"{words}\nTake fewer workers or smaller tiles if memory ran out, or dream without "
                "workers"
            )
        self._handles.append(self._new_handle(crashed.gpu, crashed.crashes + 1))


def _raise_failure(handle, answer):
    """Raise what a worker could not do, if that is its answer."""
    if "refused" in answer:
        raise DreamError(answer["refused"])
    if "failed" in answer:
        what = "a worker could not load its network"
        if handle.ready:
            task = handle.tasks[0]
            octave, pass_, phase = task["place"]
            what = f"tile {task['index']} of octave {octave}, pass {pass_}, phase {phase} failed"
        raise WorkerError(f"{what}, on {handle.device}:\n\n{answer['failed']}")
