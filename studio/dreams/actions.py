"""The actions of people on their dreams: pause, cancel, resume, move."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from studio.dreams.models import Dream, State
from studio.dreams.queue import enqueue, publish


class NotNow(Exception):
    """A dream is in a state in which this cannot be done."""


def pause(dream):
    """Pause a dream; a running one is left after its current step.

    Parameters
    ----------
    dream : Dream
        Read anew from the database; so it is below.

    Raises
    ------
    NotNow
    """
    _ask(dream, "pause", State.PAUSED, (State.QUEUED,))


def cancel(dream):
    """Cancel a dream; its work is removed.

    Parameters
    ----------
    dream : Dream

    Raises
    ------
    NotNow
    """
    _ask(dream, "cancel", State.CANCELLED, (State.QUEUED, State.PAUSED))
    if dream.state == State.CANCELLED:
        dream.discard_work()


def _ask(dream, request, state, at_once):
    """Change the state of an idle dream; leave a request to the worker of a running one."""
    ended = timezone.now() if state == State.CANCELLED else None
    idle = Dream.objects.filter(pk=dream.pk, state__in=at_once)
    running = Dream.objects.filter(pk=dream.pk, state=State.RUNNING)
    if not idle.update(state=state, ended=ended) and not running.update(request=request):
        dream.refresh_from_db()
        raise NotNow(f"this dream is {dream.state}")
    dream.refresh_from_db()
    publish(dream, request=dream.request)


def resume(dream):
    """Resume a paused dream; try one again that failed or was cancelled.

    Parameters
    ----------
    dream : Dream

    Raises
    ------
    NotNow
    """
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
    """Swap a dream with its owner's nearest other one in the queue.

    Parameters
    ----------
    dream : Dream
    direction : {-1, 1}
        The one before or behind it.
    """
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
