"""Live events: everything, once, to whom it concerns, at the price of one question a tick."""

from __future__ import annotations

import json
import threading
import time

import pytest
from django.db import connection

from studio.dreams import feed as feeds
from studio.dreams import queue
from studio.dreams.models import Dream, Event
from studio.dreams.views import last_event
from tests.studio.conftest import add_dream
from tests.studio.waiting import until


@pytest.fixture
def quick(monkeypatch):
    """A feed that looks often and has heard nothing yet."""
    monkeypatch.setattr(feeds, "TICK", 0.02)
    monkeypatch.setattr(feeds, "SILENCE", 0.3)
    fresh = feeds.Feed()
    monkeypatch.setattr(feeds, "feed", fresh)
    return fresh


def everything(owner):
    return True


def events_of(lines, count):
    """Read this number of events of a stream."""
    found = []
    for line in lines:
        if line.startswith("id: "):
            number, data = line.strip().split("\ndata: ")
            found.append((int(number[4:]), json.loads(data)))
        if len(found) == count:
            return found
    return found


def test_fifty_streams_hear_every_event_once_and_in_order(ann, quick):
    dream = add_dream(ann.user)
    heard, streams, count = [], [], 30
    for _ in range(50):
        assert quick.join()
        streams.append(feeds.Stream(everything))

    def listen(stream):
        heard.append([data["percent"] for _, data in events_of(stream, count)])
        stream.close()
        connection.close()

    threads = [threading.Thread(target=listen, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for step in range(count):
        dream.share = step / 100
        queue.publish(dream)
        time.sleep(0.01)
    for thread in threads:
        thread.join(120)
    assert heard == [[float(step) for step in range(count)]] * 50
    assert quick.streams == 0


def test_one_question_a_tick_serves_all(ann, quick, monkeypatch):
    asked = []
    monkeypatch.setattr(quick, "_read", lambda read=quick._read: (asked.append(1), read()))
    begin = time.monotonic()
    for _ in range(20):
        quick.join()
    until(lambda: len(asked) >= 5)
    questions = len(asked)
    ticks = (time.monotonic() - begin) / feeds.TICK
    for _ in range(20):
        quick.leave()
    assert questions <= ticks + 2


def test_nobody_asks_while_nobody_listens(quick):
    quick.join()
    quick.leave()
    until(lambda: quick._thread is None)


def test_who_has_lost_touch_is_told_what_was_missed(ann, quick):
    dream = add_dream(ann.user)
    last = last_event()
    for share in (0.1, 0.2):
        dream.share = share
        queue.publish(dream)
    quick.join()
    stream = feeds.Stream(everything, last)
    found = events_of(stream, 2)
    stream.close()
    assert [data["percent"] for _, data in found] == [10, 20]
    assert [number for number, _ in found] == [last + 1, last + 2]


def test_everybody_hears_of_their_own_dreams(ann, bob, quick):
    mine, theirs = add_dream(ann.user), add_dream(bob.user)
    quick.join()
    stream = feeds.Stream(lambda owner: owner == ann.user.pk, 0)
    found = events_of(stream, 1)
    assert [data["id"] for _, data in found] == [str(mine.pk)]
    queue.publish(theirs)
    queue.publish(mine)
    assert [data["id"] for _, data in events_of(stream, 1)] == [str(mine.pk)]
    stream.close()


def test_a_silent_stream_says_that_it_is_there(quick):
    quick.join()
    stream = feeds.Stream(everything)
    lines = iter(stream)
    assert next(lines).startswith("retry:")
    assert next(lines) == ": still here\n\n"
    stream.close()


def test_too_many_streams_are_sent_to_ask_instead(ann, quick, monkeypatch):
    from studio.dreams import watch

    monkeypatch.setattr(watch, "feed", quick)
    monkeypatch.setattr(feeds, "MOST_STREAMS", 0)
    assert ann.get("/dreams/events/").status_code == 503
    dream = add_dream(ann.user)
    told = ann.get("/dreams/state/").json()
    assert [one["id"] for one in told["dreams"]] == [str(dream.pk)]
    assert told["last"] == last_event()


def test_the_state_tells_what_has_changed_since(ann, bob):
    old = add_dream(ann.user)
    last = last_event()
    add_dream(bob.user)
    assert ann.get(f"/dreams/state/?last={last}").json()["dreams"] == []
    queue.publish(old)
    changed = ann.get(f"/dreams/state/?last={last}").json()
    assert [one["id"] for one in changed["dreams"]] == [str(old.pk)]


def test_the_stream_over_http(ann, quick, monkeypatch):
    from studio.dreams import watch

    monkeypatch.setattr(watch, "feed", quick)
    dream = add_dream(ann.user)
    answer = ann.get("/dreams/events/?last=0")
    assert answer.headers["Content-Type"] == "text/event-stream"
    text = b"".join(part for part, _ in zip(answer.streaming_content, range(2))).decode()
    answer.close()
    assert str(dream.pk) in text
    assert quick.streams == 0


def test_an_event_that_shows_late_is_not_lost(ann, quick):
    """A database may show event 8 before event 7, whose transaction took longer."""
    dream = add_dream(ann.user)
    quick.join()
    late = Event(pk=10**6, dream=dream, owner_id=ann.user.pk, data={"percent": 7})
    Event.objects.create(pk=10**6 + 1, dream=dream, owner_id=ann.user.pk, data={"percent": 8})
    stream = feeds.Stream(everything)
    assert [data["percent"] for _, data in events_of(stream, 1)] == [8]
    late.save(force_insert=True)
    assert [data["percent"] for _, data in events_of(stream, 1)] == [7]
    stream.close()
    assert Dream.objects.count() == 1


def test_a_stream_ends_soon_after_its_browser_has_hung_up(quick, monkeypatch):
    import socket

    monkeypatch.setattr(feeds, "LOOK", 0.05)
    ours, theirs = socket.socketpair()
    quick.join()
    stream = feeds.Stream(everything, is_gone=lambda: feeds.hung_up(ours))
    lines = iter(stream)
    assert next(lines).startswith("retry:")
    assert next(lines) == ": still here\n\n"
    theirs.close()
    assert list(lines) == []
    ours.close()
    stream.close()
    assert quick.streams == 0
