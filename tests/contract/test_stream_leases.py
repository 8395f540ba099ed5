"""Leases of streams: of several senders only the holder changes the place, on every database."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from core.domain.streams import Refusal, Stream
from core.ports.streams import Failure
from core.stores.sql import SqlEventStore
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from tests.support.streams import NOW, make_stream, record

LATER = NOW + timedelta(milliseconds=1)


@pytest.fixture
def streams(engine: Engine) -> SqlStreams:
    return SqlStreams(engine)


@pytest.fixture
def leases(engine: Engine) -> SqlStreamLeases:
    return SqlStreamLeases(engine)


@pytest.fixture
def stream(streams: SqlStreams, leases: SqlStreamLeases) -> Stream:
    """A stream that `me` holds."""
    added = make_stream(position=5)
    streams.add_stream(added, record())
    assert leases.take(leases.active()[0], "me")
    return added


def failure(status: int | None = 503, count: int = 1, at: datetime = NOW) -> Failure:
    return Failure("It is down.", status, count, at, LATER)


def refusal_at(position: int, last: int | None = None, count: int = 1) -> Refusal:
    return Refusal(
        stream_id=make_stream().stream_id,
        position=position,
        last=last or position,
        count=count,
        event_id="018f6b2e-7c1a-7d3e-9f00-0123456789ab",
        status=400,
        at=NOW,
    )


def test_one_of_two_that_saw_the_same_takes_the_stream(streams: SqlStreams, leases: SqlStreamLeases) -> None:
    streams.add_stream(make_stream(), record())
    (seen,) = leases.active()
    assert (seen.holder, seen.beat) == (None, 0)
    assert [leases.take(seen, "one"), leases.take(seen, "other")] == [True, False]
    (now,) = leases.active()
    assert (now.holder, now.beat) == ("one", 1)


def test_a_holder_that_beats_keeps_its_stream(stream: Stream, leases: SqlStreamLeases) -> None:
    (seen,) = leases.active()
    leases.beat(["me", "another"])
    assert not leases.take(seen, "other")
    assert leases.advance(stream, "me", 6)


def test_a_stream_that_was_changed_since_is_not_taken(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases
) -> None:
    (seen,) = leases.active()
    streams.change_stream(stream.model_copy(update={"state": "paused"}), record())
    assert not leases.take(seen, "other")
    assert leases.active() == []


def test_the_former_holder_changes_nothing(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases, sql_store: SqlEventStore
) -> None:
    assert leases.take(leases.active()[0], "other")
    before = streams.stream(stream.stream_id)
    refused, suspended = record(), record()
    assert leases.advance(stream, "me", 6) is None
    assert leases.deliver(stream, "me", 6, status=200, at=NOW) is None
    assert leases.fail(stream, "me", failure()) is None
    assert leases.refuse(stream, "me", 6, refusal=refusal_at(5), record=refused) is None
    assert not leases.suspend(stream, "me", 6, reason="gone", record=suspended)
    leases.beat(["me"])
    leases.release(stream.stream_id, "me")
    assert streams.stream(stream.stream_id) == before
    assert streams.refusals(stream.stream_id, 10) == []
    assert (sql_store.get(refused.event_id), sql_store.get(suspended.event_id)) == (None, None)
    assert leases.active()[0].holder == "other"


def test_a_sender_whose_place_was_moved_changes_nothing(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases
) -> None:
    streams.change_stream(stream, record(), position=2)
    assert leases.deliver(stream, "me", 6, status=200, at=NOW) is None
    assert streams.stream(stream.stream_id).position == 2


def test_a_released_stream_is_free(stream: Stream, leases: SqlStreamLeases) -> None:
    leases.release(stream.stream_id, "me")
    assert leases.active()[0].holder is None


def test_each_change_is_returned_as_it_is_stored(stream: Stream, streams: SqlStreams, leases: SqlStreamLeases) -> None:
    failed = leases.fail(stream, "me", failure())
    assert failed == streams.stream(stream.stream_id)
    assert (failed.reason, failed.failures, failed.failing_since) == ("It is down.", 1, NOW)
    again = leases.fail(failed, "me", failure(status=None, count=2, at=LATER))
    assert again == streams.stream(stream.stream_id)
    assert (again.failures, again.failing_since, again.last_status) == (2, NOW, None)
    delivered = leases.deliver(again, "me", 8, status=200, at=LATER)
    assert delivered == streams.stream(stream.stream_id)
    assert (delivered.position, delivered.reason, delivered.failing_since) == (8, None, None)
    assert leases.advance(delivered, "me", 9) == streams.stream(stream.stream_id)


def test_refused_events_are_noted_with_their_record(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases, sql_store: SqlEventStore
) -> None:
    first, rest = refusal_at(5), refusal_at(6, last=9, count=2)
    noted = record()
    one = leases.refuse(stream, "me", 6, refusal=first, record=noted)
    assert one == streams.stream(stream.stream_id)
    both = leases.refuse(one, "me", 10, refusal=rest, record=None)
    assert both == streams.stream(stream.stream_id)
    assert (both.position, both.refused) == (10, 2)
    assert streams.refusals(stream.stream_id, 10) == [first, rest]
    assert streams.refusals(stream.stream_id, 1) == [first]
    assert sql_store.get(noted.event_id) == noted
    streams.forget_refusals(stream.stream_id, [5])
    assert streams.refusals(stream.stream_id, 10) == [rest]


def test_a_refusal_that_occurs_in_a_replay_replaces_the_former_one(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases
) -> None:
    assert leases.refuse(stream, "me", 6, refusal=refusal_at(5), record=None)
    back = streams.change_stream(stream, record(), position=5)
    assert leases.refuse(back, "me", 6, refusal=refusal_at(5), record=None)
    assert streams.refusals(stream.stream_id, 10) == [refusal_at(5)]


def test_a_suspension_keeps_the_place_and_frees_the_stream(
    stream: Stream, streams: SqlStreams, leases: SqlStreamLeases, sql_store: SqlEventStore
) -> None:
    one = leases.refuse(stream, "me", 6, refusal=refusal_at(5), record=None)
    assert one is not None
    two = leases.refuse(one, "me", 7, refusal=refusal_at(6), record=None)
    assert two is not None
    suspended = record("stream.suspended", LATER)
    assert leases.suspend(two, "me", 6, reason="It refuses all events.", record=suspended)
    now = streams.stream(stream.stream_id)
    assert (now.state, now.reason, now.position, now.version) == ("suspended", "It refuses all events.", 6, 2)
    assert now.changed_at == LATER
    assert streams.refusals(stream.stream_id, 10) == [refusal_at(5)]
    assert sql_store.get(suspended.event_id) == suspended
    assert leases.active() == []
    streams.change_stream(now.model_copy(update={"state": "active", "reason": None}), record())
    assert leases.active()[0].holder is None
