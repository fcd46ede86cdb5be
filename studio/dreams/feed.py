"""Events for many watchers at the price of one: a thread asks the database, streams wait for it."""

from __future__ import annotations

import collections
import json
import logging
import threading
import time
from datetime import timedelta
from socket import MSG_DONTWAIT, MSG_PEEK

from django.db import DatabaseError, connection
from django.utils import timezone

from studio.dreams.models import Event

log = logging.getLogger("studio.feed")

#: Seconds between two questions, while somebody listens.
TICK = 0.5

#: How far back a question reaches: databases may show a higher number before a lower one.
OVERLAP = timedelta(seconds=20)

#: Events that are kept in memory for streams that are behind.
KEPT = 5000

#: Streams of one server process; whoever comes later asks now and then instead.
MOST_STREAMS = 64

#: Seconds after which a stream without events sends a comment, and after which it ends, for the
#: browser to begin another.
SILENCE, LIFETIME = 15, 600

#: Seconds between two checks whether a browser is still there: one that left a page makes room.
LOOK = 2


class Feed:
    """The latest events, in the order in which they were seen."""

    def __init__(self):
        self._changed = threading.Condition()
        self._events = collections.deque(maxlen=KEPT)
        self._seen = collections.OrderedDict()
        self._streams = 0
        self._thread = None
        self._count = 0  # of all events seen

    @property
    def streams(self):
        """Number of streams that are listening."""
        return self._streams

    def join(self):
        """Add a stream; return False where there are too many."""
        with self._changed:
            if self._streams >= MOST_STREAMS:
                return False
            self._streams += 1
            if self._thread is None:
                self._read()  # earlier events are no news
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
            return True

    def leave(self):
        """Remove a stream."""
        with self._changed:
            self._streams -= 1

    def place(self):
        """Return the position behind all events so far."""
        with self._changed:
            return self._count

    def after(self, place, seconds):
        """Wait for events behind a position.

        Parameters
        ----------
        place : int
            See `place`.
        seconds : float
            The longest wait.

        Returns
        -------
        list of (int, int, dict)
            Number, owner and data of each; empty where none came in time.
        int
            The position behind them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._count > place, seconds)
            new = min(self._count - place, len(self._events))
            return (list(self._events)[-new:] if new else []), self._count

    def _run(self):
        while True:
            time.sleep(TICK)
            with self._changed:
                if not self._streams:
                    self._thread = None
                    connection.close()
                    return
            try:
                self._read()
            except DatabaseError:
                log.warning("the database does not answer; trying again")
                connection.close()

    def _read(self):
        """Ask once for all."""
        since = timezone.now() - OVERLAP
        rows = Event.objects.filter(at__gt=since).order_by("pk")
        new = [
            row for row in rows.values_list("pk", "owner_id", "data") if row[0] not in self._seen
        ]
        with self._changed:
            for row in new:
                self._seen[row[0]] = None
                self._events.append(row)
            while len(self._seen) > 4 * KEPT:
                self._seen.popitem(last=False)
            if new:
                self._count += len(new)
                self._changed.notify_all()


feed = Feed()


def missed(last, may_see):
    """Return the events since the last one that somebody has seen.

    Parameters
    ----------
    last : int
        Its number.
    may_see : callable
        See `Stream`.

    Returns
    -------
    list
        As of `Feed.after`.
    """
    rows = Event.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "owner_id", "data")
    return [row for row in rows if may_see(row[1])]


class Stream:
    """The lines of an event stream, for one who has joined the feed.

    Parameters
    ----------
    may_see : callable
        Given an owner's number: whether this is for the one who listens.
    last : int, optional
        The last event that the browser has.
    is_gone : callable, optional
        Whether who listens has hung up.
    """

    def __init__(self, may_see, last=None, is_gone=lambda: False):
        self._may_see, self._last, self._is_gone = may_see, last, is_gone
        self._lines = self._generate(feed.place())

    def __iter__(self):
        return self._lines

    def close(self):
        """Leave the feed, once; the web server calls it however the stream ends."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
            feed.leave()

    def _generate(self, place):
        end = time.monotonic() + LIFETIME
        yield "retry: 2000\n\n"
        sent = set()
        if self._last is not None:
            for event in missed(self._last, self._may_see):
                sent.add(event[0])
                yield _lines(event)
        connection.close()  # a stream asks no more
        said = time.monotonic()
        while time.monotonic() < end and not self._is_gone():
            events, place = feed.after(place, min(LOOK, SILENCE))
            for event in events:
                if self._may_see(event[1]) and event[0] not in sent:
                    said = time.monotonic()
                    yield _lines(event)
            if time.monotonic() - said >= SILENCE:
                said = time.monotonic()
                yield ": still here\n\n"


def hung_up(socket):
    """Tell whether the other end of a connection has been closed.

    Parameters
    ----------
    socket : socket.socket or None
        Without one nobody hangs up.

    Returns
    -------
    bool
    """
    if socket is None:
        return False
    try:
        return socket.recv(1, MSG_PEEK | MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _lines(event):
    number, _, data = event
    return f"id: {number}\ndata: {json.dumps(data)}\n\n"
