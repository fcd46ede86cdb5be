"""Claims, leases, requests: who dreams what, and never twice."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from studio.dreams import actions, queue
from studio.dreams.models import ANY, Dream, Event, State
from tests.studio.conftest import add_dream


def lose(dream):
    """Let a dream's lease run out."""
    Dream.objects.filter(pk=dream.pk).update(lease=timezone.now() - timedelta(seconds=1))


def test_a_dream_is_taken_once_however_often_workers_are_told(ann):
    dream = add_dream(ann.user)
    assert queue.claim_next("cpu").pk == dream.pk
    assert queue.claim_next("cpu") is None
    assert queue.claim_next("cuda:0") is None


def test_many_workers_at_once_take_each_dream_once(ann):
    wanted = {add_dream(ann.user).pk for _ in range(12)}
    taken, begin = [], threading.Barrier(4)

    def work():
        begin.wait()
        while (dream := queue.claim_next("cpu")) is not None:
            taken.append(dream.pk)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 12
    assert set(taken) == wanted


def test_a_dream_goes_to_the_device_that_was_chosen_or_to_the_first_free_one(ann):
    chosen = add_dream(ann.user, queue="cuda:1")
    free = add_dream(ann.user, queue=ANY)
    assert queue.claim_next("cuda:0").pk == free.pk
    assert queue.claim_next("cuda:0") is None
    assert queue.claim_next("cuda:1").pk == chosen.pk


def test_a_dream_that_has_begun_stays_with_its_kind_of_device(ann):
    dream = add_dream(ann.user)
    queue.release(queue.claim_next("cuda:0"), State.QUEUED)
    assert queue.claim_next("cpu") is None
    assert queue.claim_next("cuda:1").pk == dream.pk


def test_what_a_lost_worker_held_is_queued_again_and_announced(ann, sent):
    dream = add_dream(ann.user, queue="cpu")
    queue.claim_next("cpu")
    assert queue.requeue_expired() == []
    lose(dream)
    assert [lost.pk for lost in queue.requeue_expired()] == [dream.pk]
    assert sent == ["cpu", "cpu"]
    assert queue.claim_next("cpu").pk == dream.pk


def test_a_worker_that_was_taken_for_lost_may_not_touch_the_dream_any_more(ann):
    dream = add_dream(ann.user)
    first = queue.claim_next("cpu")
    lose(dream)
    queue.requeue_expired()
    second = queue.claim_next("cpu")
    assert not queue.renew_lease(first, share=0.9)
    assert not queue.release(first, State.DONE)
    assert queue.renew_lease(second, share=0.2)
    dream.refresh_from_db()
    assert (dream.state, dream.share) == (State.RUNNING, 0.2)


def test_a_dream_that_kills_its_workers_is_given_up(ann):
    dream = add_dream(ann.user)
    for _ in range(queue.MOST_CRASHES):
        assert queue.claim_next("cpu") is not None
        lose(dream)
        queue.requeue_expired()
    dream.refresh_from_db()
    assert dream.state == State.FAILED
    assert "workers in a row" in dream.message


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_what_was_asked_of_a_lost_worker_is_done_without_it(ann, action, state):
    dream = add_dream(ann.user)
    queue.claim_next("cpu")
    getattr(actions, action)(dream)
    lose(dream)
    queue.requeue_expired()
    dream.refresh_from_db()
    assert dream.state == state


def test_a_running_dream_is_asked_a_waiting_one_pauses_at_once(ann):
    running, waiting = add_dream(ann.user), add_dream(ann.user)
    queue.claim_next("cpu")
    actions.pause(running)
    actions.pause(waiting)
    assert (running.state, running.request) == (State.RUNNING, "pause")
    assert waiting.state == State.PAUSED


def test_what_is_over_cannot_be_paused_or_cancelled(ann):
    dream = add_dream(ann.user, state=State.DONE)
    for action in (actions.pause, actions.cancel, actions.resume):
        with pytest.raises(actions.NotNow, match="this dream is done"):
            action(dream)


def test_a_paused_dream_resumes_with_what_it_had_a_cancelled_one_from_the_start(ann):
    for state, share in ((State.PAUSED, 0.5), (State.CANCELLED, 0)):
        dream = add_dream(ann.user, state=state)
        Dream.objects.filter(pk=dream.pk).update(share=0.5)
        dream.refresh_from_db()
        actions.resume(dream)
        dream.refresh_from_db()
        assert (dream.state, dream.share) == (State.QUEUED, share)


def test_dreams_change_places_with_the_owners_own_alone(ann, bob):
    first, others, last = add_dream(ann.user), add_dream(bob.user), add_dream(ann.user)
    actions.move(last, -1)
    assert list(queue.waiting("cpu")) == [last, others, first]
    last.refresh_from_db()
    actions.move(last, -1)
    assert list(queue.waiting("cpu")) == [last, others, first]


def test_everything_that_happens_is_told(ann):
    dream = add_dream(ann.user)
    claimed = queue.claim_next("cpu")
    queue.release(claimed, State.DONE, share=1)
    states = [event.data["state"] for event in Event.objects.filter(dream=dream).order_by("pk")]
    assert states == ["queued", "running", "done"]


def test_old_events_are_forgotten(ann):
    add_dream(ann.user)
    Event.objects.update(at=timezone.now() - 2 * queue.MEMORY)
    add_dream(ann.user)
    queue.forget_events()
    assert Event.objects.count() == 1


def test_the_claim_is_unknown_to_who_did_not_make_it(ann):
    add_dream(ann.user)
    claimed = queue.claim_next("cpu")
    claimed.claim = uuid.uuid4()
    assert not queue.renew_lease(claimed)
