"""Many browsers that watch: streams of events over real sockets, read by one thread."""

from __future__ import annotations

import collections
import contextlib
import json
import selectors
import socket
import sqlite3
import threading
import time
import uuid

REFUSED = b"HTTP/1.1 503"

Told = collections.namedtuple("Told", "seconds events")


def told_in_database(studio, number):
    """Return how long a dream took, and what was told of it: lists of (number, data)."""
    key = uuid.UUID(number).hex
    with contextlib.closing(sqlite3.connect(studio.data / "studio.sqlite3")) as database:
        seconds = database.execute(
            "select seconds from dreams_dream where id = ?", (key,)
        ).fetchone()[0]
        rows = database.execute(
            "select id, data from dreams_event where dream_id = ? order by id", (key,)
        ).fetchall()
    return Told(seconds, [(pk, json.loads(data)) for pk, data in rows])


class Watchers:
    """Streams of events; a context manager.

    Parameters
    ----------
    visitor : Visitor
        Whose browsers they are.
    count : int
    wait : bool
        Whether to begin with all of them listening.
    """

    def __init__(self, visitor, count, wait=True):
        self._wait = wait
        host, port = visitor.address.removeprefix("http://").split(":")
        request = (
            f"GET /dreams/events/ HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n"
            f"Cookie: {visitor.cookies}\r\n\r\n"
        ).encode()
        self._sockets, self._heard = [], [bytearray() for _ in range(count)]
        for _ in range(count):
            one = socket.create_connection((host, int(port)), 30)
            one.sendall(request)
            self._sockets.append(one)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self._thread.start()
        if self._wait:
            assert self.joined(30) == len(self._sockets), "not all of them were let in"
        return self

    def joined(self, seconds):
        """Wait until each has been let in or refused, in seconds at most; count those let in."""
        end = time.monotonic() + seconds
        while True:
            # Who has joined has been told how soon to come back.
            count = sum(b"retry:" in heard for heard in self._heard)
            answered = count + sum(heard.startswith(REFUSED) for heard in self._heard)
            if answered == len(self._sockets) or time.monotonic() > end:
                return count
            time.sleep(0.05)

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join(10)
        for one in self._sockets:
            one.close()

    def _listen(self):
        with selectors.DefaultSelector() as selector:
            for number, one in enumerate(self._sockets):
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ, number)
            while not self._end.is_set():
                if not self._sockets:
                    time.sleep(0.2)
                for key, _ in selector.select(0.2):
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                    self._heard[key.data] += data

    def heard(self, number):
        """Return what each was told of a dream: lists of (number, data) in order."""
        return [
            [event for event in _events(bytes(heard)) if event[1]["id"] == number]
            for heard in self._heard
        ]

    def missing(self, number, wanted, seconds=5):
        """Count the streams that have not heard just what was told of a dream, in order."""
        end = time.monotonic() + seconds
        while wrong := sum(heard != wanted for heard in self.heard(number)):
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        return wrong


def _events(heard):
    """Read a stream: chunks of HTTP 1.1, then events."""
    body, rest = b"", heard.partition(b"\r\n\r\n")[2]
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        size = int(size, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
    for text in body.decode().split("\n\n")[:-1]:
        if text.startswith("id: "):
            number, data = text.split("\ndata: ")
            yield int(number[4:]), json.loads(data)
