"""Fifty browsers that watch one dream, over real sockets from a real web server."""

from __future__ import annotations

from studio.dreams import feed
from tests.studio.conftest import SETTINGS
from tests.studio.live import Visitor
from tests.studio.waiting import until
from tests.studio.watchers import Watchers, told_in_database

CLIENTS = 50


def test_fifty_clients_hear_every_event_of_a_dream_once_and_in_order(live_studio):
    visitor = Visitor(live_studio)
    with Watchers(visitor, CLIENTS) as watchers:
        number = visitor.dream({**SETTINGS, "iterations": 60}, "64x64")
        visitor.wait_until_done(number)
        told = told_in_database(live_studio, number).events
        assert len(told) >= 5
        assert told[-1][1]["state"] == "done"
        assert watchers.missing(number, told) == 0
        assert "Log out" in visitor.get("/dreams/")  # pages are served beside the streams


def test_browsers_that_leave_make_room_for_others_though_nothing_is_told(live_studio):
    visitor = Visitor(live_studio)
    for _ in range(2):
        until(lambda: _all_join(visitor), pause=1.5 * feed.LOOK)


def _all_join(visitor):
    with Watchers(visitor, CLIENTS, wait=False) as watchers:
        return watchers.joined(30) == CLIENTS
