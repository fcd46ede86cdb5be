"""Fifty browsers that watch one dream, over real sockets from a real web server."""

from __future__ import annotations

import pytest

from tests.studio.conftest import KNOBS
from tests.studio.live import Studio, Visitor
from tests.studio.watchers import Watchers, told_in_database

CLIENTS = 50


@pytest.fixture(scope="module")
def studio(models, tmp_path_factory):
    with Studio(tmp_path_factory.mktemp("load"), DREAM_MODELS=str(models)) as studio:
        yield studio


def test_fifty_clients_hear_every_event_of_a_dream_once_and_in_order(studio):
    visitor = Visitor(studio)
    with Watchers(visitor, CLIENTS) as watchers:
        number = visitor.dream({**KNOBS, "iterations": 60}, "64x64")
        visitor.wait_until_done(number)
        told = told_in_database(studio, number).events
        assert len(told) >= 5
        assert told[-1][1]["state"] == "done"
        assert watchers.missing(number, told) == 0
        assert "Log out" in visitor.get("/dreams/")  # pages are served beside the streams


def test_streams_that_browsers_left_make_room_for_others(studio):
    visitor = Visitor(studio)
    with Watchers(visitor, CLIENTS // 2):
        pass
    number = visitor.dream(KNOBS, "64x64")  # what is told of it shows the server who has gone
    visitor.wait_until_done(number)
    with Watchers(visitor, CLIENTS) as watchers:
        number = visitor.dream(KNOBS, "64x64")
        visitor.wait_until_done(number)
        assert watchers.missing(number, told_in_database(studio, number).events) == 0
