"""The queue, and the buttons of its dreams.

Views of Django: each takes the request, and the parts of the address that `studio.urls` names.
"""

from __future__ import annotations

import shutil

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from studio.dreams import actions
from studio.dreams.devices import alive
from studio.dreams.models import ENDED, Dream, Event, State

PAGE = 500

#: Order of the list: running, waiting, paused; then those that are over.
RANKS = {State.RUNNING: 0, State.QUEUED: 1, State.PAUSED: 2}

#: Buttons of a dream in a state: (action, label).
ACTIONS = {
    State.RUNNING: (("pause", "Pause"), ("cancel", "Cancel")),
    State.QUEUED: (("sooner", "Sooner"), ("later", "Later"), ("pause", "Pause"),
                   ("cancel", "Cancel")),
    State.PAUSED: (("resume", "Resume"), ("cancel", "Cancel")),
    State.FAILED: (("retry", "Retry"), ("delete", "Delete")),
    State.CANCELLED: (("retry", "Retry"), ("delete", "Delete")),
    State.DONE: (("delete", "Delete"),),
}  # fmt: skip


def last_event():
    """Return the number of the last event: a page that is made now listens from there."""
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


@require_GET
def queue(request):
    """Show one's dreams."""
    last = last_event()
    rank = Case(
        *(When(state=state, then=Value(value)) for state, value in RANKS.items()),
        default=Value(len(RANKS)), output_field=IntegerField(),
    )  # fmt: skip
    dreams = (
        Dream.objects.filter(owner=request.user)
        .annotate(rank=rank)
        .order_by("rank", Case(When(rank__lt=len(RANKS), then="position")), "-ended")
        .defer("settings")
    )
    page = Paginator(dreams, PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    for dream in rows:
        dream.actions = ACTIONS[dream.state]
    working = alive().exists()
    return render(
        request, "queue.html", {"page": page, "dreams": rows, "last": last, "working": working}
    )


def own(request, pk):
    """Return a dream of the one who asks.

    Parameters
    ----------
    request : HttpRequest
    pk : UUID

    Returns
    -------
    Dream

    Raises
    ------
    Http404
        There is none, or it is somebody else's.
    """
    dream = get_object_or_404(Dream.objects.select_related("picture"), pk=pk)
    if dream.owner_id != request.user.pk:
        raise Http404
    return dream


@require_POST
def act(request, pk, action):
    """Do the action of a button, and go back to the page that it was on."""
    dream = get_object_or_404(Dream, pk=pk)
    may = {"pause", "cancel"} if request.user.is_staff else set()
    if dream.owner_id != request.user.pk and action not in may:
        raise Http404
    if action not in {name for buttons in ACTIONS.values() for name, _ in buttons}:
        raise Http404
    try:
        _do(dream, action)
    except actions.NotNow as error:
        messages.error(request, f"{dream.name}: {error}; nothing was changed.")
    back = request.POST.get("back")
    if back == "dream" and action != "delete":
        return redirect("dream", pk)
    return redirect(reverse("devices") if back == "devices" else reverse("queue"))


def _do(dream, action):
    if action in ("sooner", "later"):
        actions.move(dream, -1 if action == "sooner" else 1)
    elif action == "pause":
        actions.pause(dream)
    elif action == "cancel":
        actions.cancel(dream)
    elif action in ("resume", "retry"):
        actions.resume(dream)
    elif dream.state not in ENDED:
        raise actions.NotNow(f"this dream is {dream.state}")
    else:
        folder = dream.folder
        dream.delete()
        shutil.rmtree(folder, ignore_errors=True)
