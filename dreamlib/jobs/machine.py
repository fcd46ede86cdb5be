"""What there is to dream with: devices and memory, of this process and of its workers."""

from __future__ import annotations

import sys

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Picture
from dreamlib.models import engines
from dreamlib.tiling import memory_plan
from dreamlib.util.devices import gpu_of, kind_of, parse_devices
from dreamlib.util.memory import own_memory, resident_memory

#: Bytes that our engine's compiled kernels and their compiler take in a process; of these, what
#: workers do not share.
KERNELS, OWN_KERNELS = 84 << 20, 58 << 20

#: Bytes that Dask takes in a process.
DASK = 40 << 20


def machine_of(net, settings, picture, film=None):
    """Return what there is to dream with.

    Parameters
    ----------
    net : caffe.Classifier
    settings : Settings
        With engine and end.
    picture : picture
        See `dreamlib.imaging.picture`.
    film : dreamlib.tiling.memory_plan.Besides, optional
        What the film takes that the picture is a frame of.

    Returns
    -------
    dreamlib.tiling.memory_plan.Machine
    """
    devices, resident = workers_of(settings), film and film.resident
    if resident is None:
        resident = resident_memory()
    if settings.cluster:  # of its machines no more is known than of what kind they are
        on_gpu = kind_of(devices[0]) == "cuda"
        return memory_plan.Machine(resident, on_gpu, elsewhere=True)
    gpus = [gpu for gpu in [*map(gpu_of, devices), settings.gpu] if gpu is not None]
    free = [engines.free_gpu_memory(settings.engine, gpu) for gpu in gpus]
    known = [count for count in free if count is not None]
    kernels = own_kernels = worker = 0
    if settings.engine == "torch" and not gpus:
        kernels = own_kernels = _laid_out(net, settings.end)
        if "numba" not in sys.modules:
            kernels, own_kernels = kernels + KERNELS, kernels + OWN_KERNELS
    if devices:  # a worker is as this process is now, but for the picture
        pixels = picture.pixels.nbytes if isinstance(picture, Picture) else 0
        worker, resident = own_memory() - pixels + own_kernels + DASK, resident + DASK
    else:
        resident += kernels
    return memory_plan.Machine(resident, bool(gpus), len(devices), worker, min(known, default=None))


def _laid_out(net, end):
    """Return the bytes that parameters up to a layer take besides."""
    return sum(layer.laid_out for layer in net.layers[: net.layer_index(end) + 1])


def workers_of(settings):
    """List the devices of the workers that settings ask for; none where this process does all.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of str

    Raises
    ------
    DreamError
        They are unknown, or not there, or of two kinds.
    """
    if settings.cluster and settings.devices:
        raise DreamError(
            "--devices and --cluster both say who shares the picture; leave one of them out"
        )
    if settings.cluster:
        from dreamlib.cluster.connection import survey

        return survey(settings.cluster)
    return parse_devices(settings.devices) if settings.devices else []
