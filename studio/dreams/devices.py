"""The devices that workers have described."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.dreams import probe
from studio.dreams.models import Device


def describe(name, worker):
    """Write down how a device is, and that its worker lives."""
    number = name.rpartition("cuda:")[2] if "cuda:" in name else None
    told = probe.gpu(number) if number is not None else probe.cpu()
    Device.objects.update_or_create(
        worker=worker, defaults={"name": name, "seen": timezone.now(), **told}
    )
    Device.objects.filter(seen__lt=timezone.now() - timedelta(days=1)).delete()


def alive():
    """Devices whose workers have lately been heard of: a queryset."""
    return Device.objects.filter(seen__gt=timezone.now() - timedelta(seconds=3 * settings.LEASE))
