"""The queues of dreams, one for each device, and claims that no two workers can hold.

Messages may be lost, doubled or late; all that counts is here, in the database. A worker takes a
dream by one UPDATE that only succeeds on a queued one, and keeps it by renewing its lease. A dream
whose lease has expired is queued again by whoever notices first; the lock of its folder keeps out a
worker that may still be alive, and the journal in it has the place to resume from.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, F, Max, Q
from django.db.models.functions import Cast
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from studio.celery import app, make_folders
from studio.dreams.models import ANY, ENDED, Dream, Event, State
from studio.dreams.probe import CLUSTER

log = logging.getLogger("studio.queue")

#: Name of the workers' one task: `studio.dreams.tasks.look`.
LOOK = "studio.look"

#: Workers in a row that may crash on a dream, without progress, before it fails.
MOST_CRASHES = 3

#: How long events are kept, for browsers that were disconnected.
MEMORY = timedelta(hours=1)


def publish(dream, **more):
    """Tell those who watch a dream its state.

    Parameters
    ----------
    dream : Dream
    **more
        Further plain values of the event.
    """
    Event.objects.create(dream=dream, owner_id=dream.owner_id, data={**dream.as_event(), **more})


def send(queue):
    """Have the workers of a queue look at it; without a broker they do so by themselves, later.

    Parameters
    ----------
    queue : str
    """
    make_folders()
    try:
        app.send_task(LOOK, queue=queue)
    except BrokerError as error:
        log.warning("the broker does not answer (%s); idle workers look by themselves", error)


def announce(dream):
    """Send word of a queued dream once the database has it.

    Parameters
    ----------
    dream : Dream
    """
    transaction.on_commit(lambda: send(dream.queue))


def enqueue(dream):
    """Put a dream at the end of its queue.

    Parameters
    ----------
    dream : Dream
        Saved or not; saved afterwards.
    """
    last = Dream.objects.aggregate(last=Max("position"))["last"] or 0
    dream.state, dream.position, dream.request, dream.message = State.QUEUED, last + 1, "", ""
    dream.phase, dream.seconds_left, dream.ended = "", None, None
    dream.save()
    publish(dream)
    announce(dream)


def kind_of(device):
    """Return the kind of a device, because a work folder is for one kind.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda:0``, ``attic-cuda:1``, ``cluster`` ...

    Returns
    -------
    {'cpu', 'cuda', 'cluster'}
    """
    if device.endswith(CLUSTER):
        return CLUSTER
    return "cuda" if "cuda" in device else "cpu"


def waiting(device):
    """Return the queued dreams that a device may take, in the order of the queue.

    Parameters
    ----------
    device : str

    Returns
    -------
    DreamQuerySet
    """
    kind = kind_of(device)
    anybodys = Q(queue=ANY)
    if settings.CLUSTER:  # it takes large pictures, and no device does, unless one is named
        large = Q(area__gte=settings.CLUSTER_MEGAPIXELS * 1e6) & ~Q(settings__has_key="frames")
        begun = Q(kind=kind)
        anybodys &= (large if kind == CLUSTER else ~large | Q(picture=None)) | begun
    return (
        Dream.objects.annotate(
            area=Cast("picture__width", BigIntegerField()) * F("picture__height")
        )
        .filter(Q(queue=device) | anybodys, Q(kind="") | Q(kind=kind), state=State.QUEUED)
        .order_by("position")
    )


def claim_next(device):
    """Claim the first dream that waits for a device.

    Parameters
    ----------
    device : str

    Returns
    -------
    Dream or None
        With a fresh claim.
    """
    for pk in waiting(device).values_list("pk", flat=True)[:20]:
        claim, now = uuid.uuid4(), timezone.now()
        taken = Dream.objects.filter(pk=pk, state=State.QUEUED).update(
            state=State.RUNNING, claim=claim, lease=_lease(), device=device, kind=kind_of(device),
            phase="starting", request="",
        )  # fmt: skip
        if taken:
            Dream.objects.filter(pk=pk, begun=None).update(begun=now)
            dream = Dream.objects.select_related("picture").get(pk=pk)
            publish(dream)
            return dream
    return None


def _lease():
    return timezone.now() + timedelta(seconds=settings.LEASE)


def _claimed(dream):
    """Return the row of a dream as long as the claim on it holds: a queryset."""
    return Dream.objects.filter(pk=dream.pk, claim=dream.claim, state=State.RUNNING)


def renew_lease(dream, **changes):
    """Keep a claimed dream for another lease, and change it.

    Parameters
    ----------
    dream : Dream
        Changed, too.
    **changes
        Values of its fields.

    Returns
    -------
    bool
        False where somebody else has claimed it by now: hands off.
    """
    for name, value in changes.items():
        setattr(dream, name, value)
    return bool(_claimed(dream).update(lease=_lease(), **changes))


def release(dream, state, **changes):
    """Give up the claim on a dream: it is done, failed, paused, or to be queued again.

    Parameters
    ----------
    dream : Dream
        Read anew from the database.
    state : State
    **changes
        Values of its fields.

    Returns
    -------
    bool
        False where the claim did not hold any more.
    """
    return _release(_claimed(dream), dream, state, **changes)


def _release(row, dream, state, **changes):
    """Release what is left of a queryset of one dream."""
    changed = row.update(
        state=state, request="", phase="", seconds_left=None, claim=None, lease=None,
        ended=timezone.now() if state in ENDED else None, **changes,
    )  # fmt: skip
    if not changed:
        return False
    dream.refresh_from_db()
    publish(dream)
    if state == State.QUEUED:
        announce(dream)
    return True


def request_of(dream):
    """Return the request to who dreams it, as the database has it now.

    Parameters
    ----------
    dream : Dream

    Returns
    -------
    {'', 'pause', 'cancel'}
    """
    return Dream.objects.filter(pk=dream.pk).values_list("request", flat=True).first() or ""


def requeue_expired():
    """Queue dreams again whose leases have expired, because their workers are lost.

    Returns
    -------
    list of Dream
        That were queued again.
    """
    requeued = []
    for dream in Dream.objects.filter(state=State.RUNNING, lease__lt=timezone.now()):
        message = ""
        if dream.request == "cancel":
            state = State.CANCELLED
        elif dream.request == "pause":
            state = State.PAUSED
        elif dream.crashes + 1 >= MOST_CRASHES:
            state, message = State.FAILED, (
                f"{MOST_CRASHES} workers in a row died of it without getting on; take smaller "
                "tiles or less memory, then retry"
            )  # fmt: skip
        else:
            state = State.QUEUED
        expired = _claimed(dream).filter(lease__lt=timezone.now())
        released = _release(expired, dream, state, message=message, crashes=F("crashes") + 1)
        if released and state == State.QUEUED:
            requeued.append(dream)
    return requeued


def forget_events():
    """Delete the events that are older than `MEMORY`."""
    Event.objects.filter(at__lt=timezone.now() - MEMORY).delete()
