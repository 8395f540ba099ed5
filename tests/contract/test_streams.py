"""Registration of streams: changes are stored together with their records, or not at all, on every database."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from core.domain.streams import Refusal
from core.errors import (
    NameTakenError,
    StreamNotFoundError,
    TooManyStreamsError,
    VersionConflictError,
)
from core.ports.streams import Failure
from core.stores.sql import SqlEventStore
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from tests.support.streams import NOW, make_stream, record

LATER = NOW + timedelta(milliseconds=1)


@pytest.fixture
def streams(engine: Engine) -> SqlStreams:
    return SqlStreams(engine)


def test_a_stream_is_read_as_it_was_added(streams: SqlStreams, sql_store: SqlEventStore) -> None:
    stream = make_stream(
        name="über 🌊",
        filter="event_data.größe[gte]=5",
        customers=[1, -(2**63)],
        drop=["actor.email"],
        hash=["context.ip"],
        batch=7,
        format="ocsf",
        sealed="x" * 5000,
        position=2**53,
    )
    created = record("stream.created")
    streams.add_stream(stream, created)
    assert streams.streams() == [stream]
    assert streams.stream(stream.stream_id) == stream
    assert sql_store.get(created.event_id) == created


def test_streams_are_listed_by_age(streams: SqlStreams) -> None:
    young, old = make_stream(1, created_at=LATER), make_stream(2)
    for stream in (young, old):
        streams.add_stream(stream, record())
    assert streams.streams() == [old, young]


def test_an_unknown_stream_is_reported(streams: SqlStreams) -> None:
    stream = make_stream()
    for attempt in (
        lambda: streams.stream(stream.stream_id),
        lambda: streams.change_stream(stream, record()),
        lambda: streams.delete_stream(stream, record()),
    ):
        with pytest.raises(StreamNotFoundError):
            attempt()


def test_a_name_that_is_taken_is_refused_and_nothing_is_recorded(streams: SqlStreams, sql_store: SqlEventStore) -> None:
    streams.add_stream(make_stream(1, name="siem"), record())
    streams.add_stream(make_stream(2, name="SIEM"), record())
    refused = record()
    with pytest.raises(NameTakenError):
        streams.add_stream(make_stream(3, name="siem"), refused)
    with pytest.raises(NameTakenError):
        streams.change_stream(make_stream(2, name="siem"), refused)
    assert sql_store.get(refused.event_id) is None
    assert [stream.name for stream in streams.streams()] == ["siem", "SIEM"]


def test_a_name_says_nothing_about_streams_of_other_customers(streams: SqlStreams) -> None:
    for number, customers in enumerate([None, [1], [2], [1, 2]]):
        streams.add_stream(make_stream(number, name="siem", customers=customers), record())
    with pytest.raises(NameTakenError):
        streams.add_stream(make_stream(4, name="siem", customers=[2, 1]), record())
    assert [each.name for each in streams.streams()] == ["siem"] * 4


def test_a_change_replaces_the_version_that_was_read(streams: SqlStreams, sql_store: SqlEventStore) -> None:
    stream = make_stream()
    streams.add_stream(stream, record())
    changed = record()
    paused = stream.model_copy(update={"state": "paused", "filter": "customer_id=1", "changed_at": LATER})
    assert streams.change_stream(paused, changed) == paused.model_copy(update={"version": 2})
    assert streams.stream(stream.stream_id) == paused.model_copy(update={"version": 2})
    assert sql_store.get(changed.event_id) == changed


def test_a_change_of_an_older_version_is_refused_and_not_recorded(
    streams: SqlStreams, sql_store: SqlEventStore
) -> None:
    stream = make_stream()
    streams.add_stream(stream, record())
    streams.change_stream(stream, record())
    refused = record()
    with pytest.raises(VersionConflictError):
        streams.change_stream(stream, refused)
    with pytest.raises(VersionConflictError):
        streams.delete_stream(stream, refused)
    assert sql_store.get(refused.event_id) is None


def test_a_change_leaves_the_place_to_the_sender_unless_it_names_one(engine: Engine, streams: SqlStreams) -> None:
    stream, leases = make_stream(), SqlStreamLeases(engine)
    streams.add_stream(stream, record())
    assert leases.take(leases.active()[0], "me")
    failed = leases.fail(stream, "me", Failure("It is down.", 503, 1, NOW, LATER))
    assert failed is not None
    assert leases.advance(failed, "me", 9)
    changed = streams.change_stream(stream, record())
    assert (changed.position, changed.failures, changed.next_try_at) == (9, 0, None)
    assert streams.change_stream(changed, record(), position=4).position == 4


def test_a_deleted_stream_leaves_no_refusals(engine: Engine, streams: SqlStreams) -> None:
    stream, leases = make_stream(), SqlStreamLeases(engine)
    streams.add_stream(stream, record())
    assert leases.take(leases.active()[0], "me")
    refusal = Refusal(stream_id=stream.stream_id, position=0, last=0, event_id="a", at=NOW)
    assert leases.refuse(stream, "me", 1, refusal=refusal, record=None)
    streams.delete_stream(stream, record())
    assert streams.streams() == []
    assert streams.refusals(stream.stream_id, 10) == []


def test_the_number_of_streams_is_bounded(engine: Engine) -> None:
    streams = SqlStreams(engine, most=2)
    for number in range(2):
        streams.add_stream(make_stream(number), record())
    with pytest.raises(TooManyStreamsError):
        streams.add_stream(make_stream(2), record())
