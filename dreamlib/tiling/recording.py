"""Passes that a GPU is asked for once and then repeats: CUDA graphs.

A pass through GoogLeNet asks a GPU for some 300 operators, one after the other, which takes the
processor milliseconds: longer than the card needs for a small tile. A recorded pass is one.
"""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict

from dreamlib.errors import DreamError
from dreamlib.pycaffe.device import PLAIN

#: Times that a pass runs as it is before it is recorded. Libraries choose their ways at the first,
#: tiles at a picture's borders have sizes that hardly come again, and to record takes as long as
#: some passes: ten steps on a small octave, or a film's frame, end before that pays.
UNRECORDED = 10

#: Passes that are remembered, the last ones; a recorded one keeps its gradient's memory.
REMEMBERED = 8


class Recordings:
    """Runs passes, and records those that come again.

    Parameters
    ----------
    record : callable
        Given a pass, records it and returns what repeats it, and what the pass returned. After each
        repetition that has the new values.
    """

    def __init__(self, record):
        self._record = record
        self._known = OrderedDict()  # key -> how often it ran, or what repeats it and its result

    def run(self, key, action):
        """Make a pass.

        Parameters
        ----------
        key : hashable
            All that passes differ by: of two with the same key the second is the first, repeated.
        action : callable
            Makes the pass: asks the device alone, and reads what lies at the same place each time.

        Returns
        -------
        object
            What `action` does. Of a recorded pass it is the same object every time: the caller may
            change it, but has to be done with it before the next run.
        """
        known = self._known.pop(key, 0)
        if known == UNRECORDED:
            known = self._record(action)
        if isinstance(known, int):
            result, known = action(), known + 1
        else:
            repeat, result = known
            repeat()
        self._known[key] = known
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return result

    def forget(self):
        """Give up all recorded passes, and their memory."""
        self._known.clear()


class CudaRecorder:
    """Records what a GPU is asked for as a CUDA graph; to be called as `Recordings` says.

    All graphs share their memory: one is run at a time, and only its result is looked at.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device):
        import torch

        self._torch, self._device, self._pool = torch, device, None
        self._graphs = weakref.WeakSet()  # those that somebody still has

    def __call__(self, action):
        cuda = self._torch.cuda
        with cuda.device(self._device):
            if not self._graphs:  # PyTorch refuses a pool whose graphs are all gone
                self._pool = cuda.graph_pool_handle()
            graph, where = cuda.CUDAGraph(), {"pool": self._pool, "stream": _stream(self._device)}
            try:
                with cuda.graph(graph, capture_error_mode="thread_local", **where):
                    result = action()
            except cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise DreamError(
                    f"the network's pass could not be recorded as a CUDA graph ({error}); set "
                    f"{PLAIN}=1 in the environment, and it is made operator by operator"
                ) from error
        self._graphs.add(graph)
        return graph.replay, result


@functools.cache
def _stream(device):
    """Return the stream that all graphs of a device are recorded on.

    PyTorch's own is the first device's, and what another is asked for it would not record. cuBLAS
    keeps memory for every stream.
    """
    import torch

    return torch.cuda.Stream(device)
