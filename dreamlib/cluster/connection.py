"""A Dask cluster that runs already, and which of its workers name a device."""

from __future__ import annotations

import contextlib
import inspect
import json
import re

from dreamlib.errors import ClusterAway, DreamError
from dreamlib.util.devices import kind_of
from dreamlib.util.input_file import read_text

#: Seconds to wait for a scheduler's answer.
PATIENCE = 10

#: What a worker names its device by: ``dask worker --resources cuda:0=1``.
DEVICE = re.compile(r"cpu|cuda:\d{1,4}")

ADDRESS = re.compile(r"(tcp|tls)://[^/:\s]+(:[^/\s]*:[^/\s]*)?:\d{1,5}")


def import_dask():
    """Import Dask's part that distributes, or say how to get it: a module."""
    try:
        import distributed
    except ImportError as error:
        raise DreamError(
            f"--devices and --cluster need Dask, which is not installed ({error}); run: "
            "pip install 'dreamlib[cluster]'"
        ) from error
    return distributed


def connect(cluster):
    """Connect to a scheduler, encrypted where Dask's own configuration says so.

    Parameters
    ----------
    cluster : str
        Its address, as ``tcp://HEAD:8786``; or the path of its scheduler file.

    Returns
    -------
    distributed.Client
        To be closed.

    Raises
    ------
    DreamError
        There is none.
    """
    client, address = import_dask().Client, _address(cluster)
    try:
        return client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # of many kinds: Dask's, tornado's, the system's
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ClusterAway(
            f"no scheduler answers at {cluster} ({why}); see that it runs and can be reached, and "
            "with tls:// that Dask's configuration names the certificates"
        ) from error


def _address(cluster):
    """Return the address of a scheduler, out of its file if it is one."""
    if ADDRESS.fullmatch(cluster):
        return cluster
    try:
        address = json.loads(read_text(cluster, "a scheduler file"))["address"]
    except (DreamError, ValueError, TypeError, KeyError, RecursionError):
        address = ""
    if not ADDRESS.fullmatch(str(address)):
        raise DreamError(
            f"cluster {cluster!r} is neither an address nor a scheduler file; expected one, as "
            "tcp://HEAD:8786 or tls://HEAD:8786 (dask scheduler prints it)"
        )
    return address


def devices_of(client):
    """List the workers that name a device.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    dict of str -> dict
        For each address what the scheduler knows, and ``device``: ``cpu``, ``cuda:0`` ...
    """
    # Some versions tell of five workers unless asked for all; older ones cannot be asked.
    asks = "n_workers" in inspect.signature(client.scheduler_info).parameters
    known = client.scheduler_info(**({"n_workers": -1} if asks else {}))["workers"]
    found = {}
    for address, worker in known.items():
        devices = [name for name in worker["resources"] if DEVICE.fullmatch(name)]
        if devices:
            found[address] = {**worker, "device": devices[0]}
    return found


def has_page(client):
    """Tell whether a scheduler serves a dashboard."""
    return "dashboard" in client.scheduler_info()["services"]


def survey(cluster):
    """List the devices of a cluster.

    Parameters
    ----------
    cluster : str
        As for `connect`.

    Returns
    -------
    list of str

    Raises
    ------
    DreamError
        There is none, or they are of both kinds.
    """
    with contextlib.closing(connect(cluster)) as client:
        devices = [worker["device"] for worker in devices_of(client).values()]
    if not devices:
        raise ClusterAway(
            f"the cluster {cluster} has no worker that names its device; start them with "
            "dask worker ... --nthreads 1 --resources cpu=1, or cuda:0=1 for a GPU"
        )
    if len(set(map(kind_of, devices))) > 1:
        raise DreamError(
            f"the cluster {cluster} has workers on CPUs and on GPUs ({', '.join(sorted(devices))})"
            ", which round differently; leave --resources away from those of one kind"
        )
    return sorted(devices)
