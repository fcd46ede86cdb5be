"""Time and peak memory of a dream's phases: what ``--profile`` prints.

The program marks where a phase begins, which costs nothing until somebody records. Memory is this
process's resident memory; where Linux cannot forget its peak, peaks are those since the
start. On a GPU it is what PyTorch has allocated. Worker processes (``--devices``) are not counted.
"""

from __future__ import annotations

import contextlib
import sys
import time

from dreamlib.util import progress
from dreamlib.util.memory import forget_peak, peak_memory


@contextlib.contextmanager
def recording():
    """Record phases within the block.

    Yields
    ------
    Recorder
        Complete once the block has ended.
    """
    recorder, before = Recorder(), progress.on_phase
    progress.on_phase = recorder.begin
    try:
        recorder.begin("start")
        yield recorder
    finally:
        recorder.end()
        progress.on_phase = before


class Recorder:
    """Phases, in the order in which they first began.

    Attributes
    ----------
    seconds : dict of str -> float
    peaks : dict of str -> int
        Most resident memory in bytes.
    gpu_peaks : dict of str -> int
        Most memory allocated by PyTorch on GPUs; 0 for all without one.
    exact : bool
        Whether peaks are those of the phases; else of all until then.
    """

    def __init__(self):
        self.seconds, self.peaks, self.gpu_peaks = {}, {}, {}
        self.exact = True
        self._name = None

    def begin(self, name):
        """End the phase that is under way, and begin one: see `phase`.

        Parameters
        ----------
        name : str
        """
        self.end()
        self._name, self._since = name, time.perf_counter()
        self.exact = forget_peak() and self.exact
        for cuda, gpu in _gpus():
            cuda.reset_peak_memory_stats(gpu)

    def end(self):
        """End the phase that is under way, if there is one."""
        if self._name is None:
            return
        on_gpu = 0
        for cuda, gpu in _gpus():
            cuda.synchronize(gpu)  # what was asked of it belongs to the phase that asked
            on_gpu += cuda.max_memory_allocated(gpu)
        name, self._name = self._name, None
        taken = time.perf_counter() - self._since
        self.seconds[name] = self.seconds.get(name, 0) + taken
        self.peaks[name] = max(self.peaks.get(name, 0), peak_memory())
        self.gpu_peaks[name] = max(self.gpu_peaks.get(name, 0), on_gpu)

    def table(self):
        """Write the phases as aligned columns, with a line for all of them."""
        on_gpu = any(self.gpu_peaks.values())
        rows = [(name, self.seconds[name], self.peaks[name], self.gpu_peaks[name])
                for name in self.seconds]  # fmt: skip
        rows.append(
            ("all", sum(self.seconds.values()), max(self.peaks.values()),
             max(self.gpu_peaks.values()))
        )  # fmt: skip
        width = max(len(row[0]) for row in rows)
        peak = "peak, MiB" if self.exact else "peak since the start, MiB"
        lines = [f"{'phase':{width}}  {'seconds':>8}  {peak}" + "  GPU peak, MiB" * on_gpu]
        for name, seconds, most, gpu in rows:
            line = f"{name:{width}}  {seconds:8.2f}  {most / 2**20:{len(peak)}.0f}"
            lines.append(line + f"  {gpu / 2**20:13.0f}" * on_gpu)
        return "\n".join(lines)


def _gpus():
    """List the GPUs in use, as (PyTorch's module for them, number)."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    cuda = torch.cuda
    return [(cuda, gpu) for gpu in range(cuda.device_count()) if cuda.memory_reserved(gpu)]
