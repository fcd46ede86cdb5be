"""Many machines: a real Redis carries the messages, a real PostgreSQL holds the dreams."""

from __future__ import annotations

import contextlib
import json
import signal

import psutil
import pytest

from tests.studio import servers
from tests.studio.conftest import SETTINGS
from tests.studio.live import Studio, Visitor
from tests.studio.waiting import until

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
redis = pytest.importorskip("redis", reason="redis (of PyPI) is not installed")

pytestmark = [
    pytest.mark.skipif(not servers.redis_server(), reason="needs Debian's package redis-server"),
    pytest.mark.skipif(not servers.postgres_programs(), reason="needs Debian's package postgresql"),
]

LEASE = 4

#: A broker that sends again, within two seconds, what a worker has not said to have begun.
HASTY = {"visibility_timeout": 1, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}

LONG = {**SETTINGS, "iterations": 120, "octaves": 1}


class Cluster:
    """A web server, somebody who uses it, and what is in the database and the broker."""

    def __init__(self, studio, database, broker):
        self.studio, self.visitor = studio, Visitor(studio)
        self._database, self.broker = database, broker
        self._workers = []

    def workers(self, count, **variables):
        """Have workers alive; return their processes once they have said that they live."""
        self._workers = [process for process in self._workers if process.poll() is None]
        while len(self._workers) < count:
            self._workers.append(self.studio.start_worker(**variables))
        for process in self._workers:
            until(lambda process=process: self.ask(
                "select 1 from dreams_device where worker like %s", f"%process {process.pid}"
            ))  # fmt: skip
        return self._workers

    def end_workers(self):
        """End all workers; their dreams with them."""
        for process in self._workers:
            process.kill()
            process.wait()
        self._workers = []

    def ask(self, query, *values):
        """Ask the database; return the rows."""
        return self._database.execute(query, values).fetchall()

    def state(self, number):
        """Return state, share and claim of a dream."""
        return self.ask("select state, share, claim from dreams_dream where id = %s", number)[0]

    def begun(self, number):
        """Return how often a dream was taken by a worker."""
        return self.ask(
            "select count(*) from dreams_event where dream_id = %s and data->>'phase' = 'starting'",
            number,
        )[0][0]

    def ended(self, number):
        """Return how often it was said of a dream that it is done."""
        return self.ask(
            "select count(*) from dreams_event where dream_id = %s and data->>'state' = 'done'",
            number,
        )[0][0]

    def calls(self, command):
        """Return how often Redis was asked to do something."""
        return self.broker.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    with servers.redis(tmp_path_factory.mktemp("redis")) as broker, servers.postgres() as database:
        yield broker, database


@pytest.fixture(scope="module")
def live(addresses, models, tmp_path_factory):
    broker, database = addresses
    with (
        Studio(
            tmp_path_factory.mktemp("cluster"), ["--web"], DREAM_BROKER=broker,
            DREAM_DATABASE=database, DREAM_MODELS=str(models), DREAM_LEASE=str(LEASE),
            DREAM_BROKER_OPTIONS=json.dumps(HASTY),
        ) as studio,
        psycopg.connect(database, autocommit=True) as connection,
        redis.Redis.from_url(broker, decode_responses=True) as client,
    ):  # fmt: skip
        yield Cluster(studio, connection, client)


@pytest.fixture
def cluster(live):
    """The cluster, without a message, and every dream over."""
    yield live
    if live.ask("update dreams_dream set state = 'cancelled' where state <> 'done' returning 1"):
        live.end_workers()
    live.broker.flushdb()


@pytest.fixture
def deaf(live):
    """The cluster with one worker alone that does not look for work by itself."""
    live.end_workers()
    live.workers(1, DREAM_LEASE="6000")
    yield live
    live.end_workers()


def test_the_dream_is_queued_over_redis_kept_in_postgres_and_done_by_a_worker_elsewhere(cluster):
    cluster.workers(1)
    pushed = cluster.calls("lpush")
    number = cluster.visitor.dream(SETTINGS)
    cluster.visitor.wait_until_done(number)
    assert cluster.calls("lpush") > pushed
    until(lambda: cluster.broker.llen("any") == 0)
    assert cluster.state(number)[:2] == ("done", 1)
    assert cluster.visitor.file(f"/dreams/{number}/download/").startswith(b"\x89PNG")
    assert cluster.begun(number) == cluster.ended(number) == 1


def test_a_message_reaches_an_idle_worker_before_it_looks_by_itself(deaf):
    number = deaf.visitor.dream(SETTINGS)
    until(lambda: deaf.begun(number))
    deaf.visitor.wait_until_done(number)
    second = deaf.visitor.dream(SETTINGS)
    until(lambda: deaf.begun(second))


def test_a_killed_workers_dream_is_taken_up_by_another_within_a_minute(cluster):
    workers = [psutil.Process(process.pid) for process in cluster.workers(2)]
    number = cluster.visitor.dream(LONG, "64x64")
    until(lambda: cluster.state(number)[1] > 0.1, pause=0.02)
    claim = cluster.state(number)[2]
    first = next(worker for worker in workers if worker.children())
    [child] = first.children()
    first.send_signal(signal.SIGKILL)
    until(lambda: cluster.state(number)[2] not in (None, claim), 60)
    with contextlib.suppress(psutil.NoSuchProcess):
        assert child.wait(10) is None
    share = cluster.ask(
        "select (data->>'percent')::float from dreams_event where dream_id = %s order by id desc "
        "limit 1", number,
    )[0][0]  # fmt: skip
    assert share > 5  # from the journal, not from the beginning
    cluster.visitor.wait_until_done(number)
    assert (cluster.begun(number), cluster.ended(number)) == (2, 1)


def test_a_visibility_timeout_in_the_middle_of_a_dream_has_nothing_dreamt_twice(cluster):
    """Words that wait behind a long dream are sent again; dreams are not."""
    cluster.workers(2)
    numbers = [cluster.visitor.dream(LONG, "64x64") for _ in range(2)]
    until(lambda: all(cluster.begun(number) for number in numbers))
    numbers += [cluster.visitor.dream(SETTINGS) for _ in range(2)]
    redelivered = cluster.calls("rpush")
    until(lambda: cluster.calls("rpush") > redelivered)
    for number in numbers:
        cluster.visitor.wait_until_done(number)
    assert [cluster.begun(number) for number in numbers] == [1] * 4
    assert [cluster.ended(number) for number in numbers] == [1] * 4
