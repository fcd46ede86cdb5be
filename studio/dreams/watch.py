"""Live: a stream of events, or the state of dreams for those who ask now and then.

Views of Django: each takes the request.
"""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from studio.dreams.feed import Stream, feed, hung_up
from studio.dreams.models import Dream
from studio.dreams.views import last_event

#: Dreams that one question may be about.
MOST = 500


def _may_see(user):
    number, everything = user.pk, user.is_staff
    return lambda owner: everything or owner == number


@require_GET
def events(request):
    """Stream events; 503 where there are too many streams, and asking is the way."""
    last = request.headers.get("Last-Event-ID") or request.GET.get("last", "")
    if not feed.join():
        return HttpResponse("too many streams; ask for the state instead", status=503)
    connection = request.META.get("gunicorn.socket")
    stream = Stream(
        _may_see(request.user), int(last) if last.isdigit() else None, lambda: hung_up(connection)
    )
    return StreamingHttpResponse(
        stream, content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )  # fmt: skip


@require_GET
def state(request):
    """Return the state of one's dreams, or of those that have changed since an event."""
    last = request.GET.get("last", "")
    now = last_event()
    dreams = Dream.objects.all() if request.user.is_staff else request.user.dreams.all()
    if last.isdigit():
        dreams = dreams.filter(event__pk__gt=int(last)).distinct()
    changed = [dream.as_event() for dream in dreams.defer("settings").order_by("-created")[:MOST]]
    return JsonResponse({"last": now, "dreams": changed})
