"""The devices that workers have described."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.dreams import probe
from studio.dreams.models import Device


def describe(name, worker):
    """Record the state of a device, and that its worker is alive.

    Parameters
    ----------
    name : str
        The device's queue: ``cpu``, ``cuda:0`` ...
    worker : str
        Names the worker among all that share the database.
    """
    number = name.rpartition("cuda:")[2] if "cuda:" in name else None
    if name.endswith(probe.CLUSTER):
        state = {"model": f"all workers of {settings.CLUSTER}"}
    else:
        state = probe.gpu(number) if number is not None else probe.cpu()
    Device.objects.update_or_create(
        worker=worker, defaults={"name": name, "seen": timezone.now(), **state}
    )
    Device.objects.filter(seen__lt=timezone.now() - timedelta(days=1)).delete()


def alive():
    """Return the devices whose workers are alive: a queryset."""
    return Device.objects.filter(seen__gt=timezone.now() - timedelta(seconds=3 * settings.LEASE))
