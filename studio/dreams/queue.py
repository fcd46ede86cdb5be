"""Who dreams what: a queue for each device, and claims that no two workers can hold.

Messages may be lost, doubled or late; all that counts is here, in the database. A worker takes a
dream by one UPDATE that only succeeds on a queued one, and keeps it by moving the lease ahead. A
dream whose lease has run out is queued again by whoever notices first; its work folder's lock keeps
out what might still be alive, its journal tells where to go on.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from studio.celery import app, make_folders
from studio.dreams.models import ANY, Dream, Event, State

log = logging.getLogger("studio.queue")

#: Name of the workers' one task: `studio.dreams.tasks.look`.
LOOK = "studio.look"

#: Workers in a row that may die of a dream, without getting on with it, before it is given up.
MOST_CRASHES = 3

#: How long events are kept for those who have lost touch.
MEMORY = timedelta(hours=1)


def publish(dream, **more):
    """Let those who watch know how a dream is."""
    Event.objects.create(dream=dream, owner_id=dream.owner_id, data={**dream.as_event(), **more})


def send(queue):
    """Tell the workers of a queue to look; what nobody hears they find out by themselves."""
    make_folders()
    try:
        app.send_task(LOOK, queue=queue)
    except BrokerError as error:
        log.warning("the broker does not answer (%s); idle workers look by themselves", error)


def announce(dream):
    """Send word of a queued dream once the database has it."""
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


# Workers


def kind_of(device):
    """Return 'cpu' or 'cuda': the settings in a work folder are for one of them."""
    return "cuda" if "cuda" in device else "cpu"


def waiting(device):
    """Queued dreams that a device may take, the first in the queue first: a queryset."""
    return Dream.objects.filter(
        Q(queue=device) | Q(queue=ANY), Q(kind="") | Q(kind=kind_of(device)), state=State.QUEUED
    ).order_by("position")


def claim_next(device):
    """Take the first dream that waits for a device.

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


def renew_lease(dream, **changes):
    """Change a dream that one has claimed, and keep it for another lease.

    Returns
    -------
    bool
        False where it is another's by now: hands off.
    """
    mine = Dream.objects.filter(pk=dream.pk, claim=dream.claim, state=State.RUNNING)
    for name, value in changes.items():
        setattr(dream, name, value)
    return bool(mine.update(lease=_lease(), **changes))


def release(dream, state, **changes):
    """End the claim on a dream: it is done, failed, paused, or to be queued again.

    Returns
    -------
    bool
        False where it was not one's own any more.
    """
    over = state in (State.DONE, State.FAILED, State.CANCELLED)
    changes = {
        "state": state, "request": "", "phase": "", "seconds_left": None, "claim": None,
        "lease": None, "ended": timezone.now() if over else None, **changes,
    }  # fmt: skip
    mine = Dream.objects.filter(pk=dream.pk, claim=dream.claim, state=State.RUNNING)
    if not mine.update(**changes):
        return False
    dream.refresh_from_db()
    publish(dream)
    if state == State.QUEUED:
        announce(dream)
    return True


def request_of(dream):
    """Return what is wanted of a running dream: '', 'pause' or 'cancel'."""
    return Dream.objects.filter(pk=dream.pk).values_list("request", flat=True).first() or ""


def requeue_expired():
    """Queue again what lost workers were dreaming.

    Returns
    -------
    list of Dream
        That were queued again.
    """
    taken_up = []
    for dream in Dream.objects.filter(state=State.RUNNING, lease__lt=timezone.now()):
        lost = Dream.objects.filter(pk=dream.pk, claim=dream.claim, state=State.RUNNING)
        if dream.request == "cancel":
            state, message = State.CANCELLED, ""
        elif dream.request == "pause":
            state, message = State.PAUSED, ""
        elif dream.crashes + 1 >= MOST_CRASHES:
            state, message = State.FAILED, (
                f"{MOST_CRASHES} workers in a row died of it without getting on; take smaller "
                "tiles or less memory, then retry"
            )  # fmt: skip
        else:
            state, message = State.QUEUED, ""
        changed = lost.filter(lease__lt=timezone.now()).update(
            state=state, claim=None, lease=None, request="", phase="", message=message,
            seconds_left=None, crashes=F("crashes") + 1,
        )  # fmt: skip
        if changed:
            dream.refresh_from_db()
            publish(dream)
            if state == State.QUEUED:
                taken_up.append(dream)
                announce(dream)
    return taken_up


def forget_events():
    """Delete what was told long ago."""
    Event.objects.filter(at__lt=timezone.now() - MEMORY).delete()


# People


class NotNow(Exception):
    """What was asked of a dream cannot be done in its state."""


def pause(dream):
    """Let a dream rest; a running one is left after its current step."""
    _ask(dream, "pause", State.PAUSED, (State.QUEUED,))


def cancel(dream):
    """Give a dream up, with what there is of it."""
    _ask(dream, "cancel", State.CANCELLED, (State.QUEUED, State.PAUSED))
    if dream.state == State.CANCELLED:
        dream.discard_work()


def _ask(dream, request, state, at_once):
    """Change a dream that nobody is dreaming; ask it of who is, else."""
    ended = timezone.now() if state == State.CANCELLED else None
    idle = Dream.objects.filter(pk=dream.pk, state__in=at_once)
    running = Dream.objects.filter(pk=dream.pk, state=State.RUNNING)
    if not idle.update(state=state, ended=ended) and not running.update(request=request):
        dream.refresh_from_db()
        raise NotNow(f"this dream is {dream.state}")
    dream.refresh_from_db()
    publish(dream, request=dream.request)


def resume(dream):
    """Go on with a paused dream, or try one again that failed or was cancelled."""
    if dream.state == State.CANCELLED:  # nothing was kept of it
        dream.share, dream.begun, dream.kind, dream.seconds = 0, None, "", 0
    resting = (State.PAUSED, State.FAILED, State.CANCELLED)
    # So that of two who ask at once only one does it.
    if not Dream.objects.filter(pk=dream.pk, state__in=resting).update(state=State.QUEUED):
        dream.refresh_from_db()
        raise NotNow(f"this dream is {dream.state}")
    dream.crashes = 0
    enqueue(dream)


def move(dream, direction):
    """Change places with the owner's dream before (-1) or behind (1) it in the queue."""
    with transaction.atomic():
        own = Dream.objects.filter(owner=dream.owner_id, state=State.QUEUED)
        others = own.filter(position__lt=dream.position) if direction < 0 else own.filter(
            position__gt=dream.position
        )  # fmt: skip
        other = others.order_by("-position" if direction < 0 else "position").first()
        if dream.state != State.QUEUED or other is None:
            return
        Dream.objects.filter(pk=other.pk).update(position=dream.position)
        Dream.objects.filter(pk=dream.pk).update(position=other.position)
        dream.position, other.position = other.position, dream.position
    publish(dream, moved=True)
