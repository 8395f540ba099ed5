"""Registration of streams: acts are recorded, limits of customers hold, and bad input has a clear refusal."""

from pathlib import Path
from typing import Any

import pytest

from core.auth.sealing import SecretSeal
from core.domain.actors import Actor
from core.domain.models import Event
from core.domain.queries import EventFilter
from core.domain.streams import StreamDefinition
from core.errors import InvalidFieldsError, StreamNotFoundError, StreamStateError, VersionConflictError
from core.ports.feed import FeedRequest
from core.stores.feed import SqlFeed
from core.stores.streams import SqlStreams
from core.streams.registry import StreamRegistry
from tests.support.fakes import FakeClock
from tests.support.streams import StoreEvents

OPERATOR = Actor("cli", is_operator=True)
KEY = "a-key-of-the-tests-with-more-than-32-bytes"


@pytest.fixture
def registry(streams: SqlStreams, clock: FakeClock) -> StreamRegistry:
    return StreamRegistry(streams, lambda: SecretSeal([KEY]), None, clock)


@pytest.fixture
def definition(tmp_path: Path) -> StreamDefinition:
    return define(tmp_path)


def define(path: Path, **fields: Any) -> StreamDefinition:
    destination = {"kind": "directory", "path": str(path)}
    return StreamDefinition.model_validate({"name": "siem", "destination": destination, **fields})


def records(registry: StreamRegistry, store_events: StoreEvents) -> list[Event]:
    store_events()
    feed = SqlFeed(registry._store._engine)  # type: ignore[attr-defined] # noqa: SLF001 - the log in its database
    return [event for _, event in feed.read(FeedRequest(EventFilter(), limit=1000)).entries]


def test_each_act_is_an_event_of_the_only_customer_of_the_stream(
    registry: StreamRegistry, tmp_path: Path, store_events: StoreEvents
) -> None:
    one = registry.create(define(tmp_path, customers=[7]), {}, 0, OPERATOR).stream
    registry.pause(one.stream_id, OPERATOR)
    registry.resume(one.stream_id, OPERATOR)
    registry.replay(one.stream_id, 3, OPERATOR)
    registry.replace(registry.get(one.stream_id, OPERATOR), define(tmp_path, customers=[7, 8]), None, OPERATOR)
    registry.delete(one.stream_id, OPERATOR)
    kinds = ["created", "paused", "resumed", "replayed", "changed", "deleted"]
    found = records(registry, store_events)
    assert [event.event_type for event in found] == [f"audit-log.stream.{kind}" for kind in kinds]
    assert [event.customer_id for event in found] == [7, 7, 7, 7, -1, -1]
    assert found[0].event_data["destination"] == {"kind": "directory", "path": str(tmp_path)}
    assert {event.event_data["by"] for event in found} == {"cli"}
    assert registry.streams(OPERATOR) == []


def test_an_act_that_changes_nothing_is_not_recorded(
    registry: StreamRegistry, definition: StreamDefinition, store_events: StoreEvents
) -> None:
    stream = registry.create(definition, {}, 0, OPERATOR).stream
    assert registry.resume(stream.stream_id, OPERATOR) == stream
    assert len(records(registry, store_events)) == 1


def test_a_replay_moves_the_place(registry: StreamRegistry, definition: StreamDefinition) -> None:
    stream = registry.create(definition, {}, 9, OPERATOR).stream
    assert registry.replay(stream.stream_id, 3, OPERATOR).position == 3


def test_a_change_of_an_older_version_is_refused(registry: StreamRegistry, definition: StreamDefinition) -> None:
    stream = registry.create(definition, {}, 0, OPERATOR).stream
    registry.pause(stream.stream_id, OPERATOR)
    with pytest.raises(VersionConflictError):
        registry.replace(stream, definition, None, OPERATOR)


def test_a_limited_token_sees_only_streams_of_its_customers(
    registry: StreamRegistry, tmp_path: Path, streams: SqlStreams
) -> None:
    for name, customers in {"own": [7], "both": [7, 8], "foreign": [8], "all": None}.items():
        registry.create(define(tmp_path, name=name, customers=customers), {}, 0, OPERATOR)
    seven = Actor("client-7", (7,))
    assert [stream.name for stream in registry.streams(seven)] == ["own"]
    (foreign,) = [stream for stream in streams.streams() if stream.name == "foreign"]
    for act in (registry.get, registry.pause, registry.resume, registry.rotate, registry.delete):
        with pytest.raises(StreamNotFoundError):
            act(foreign.stream_id, seven)
    with pytest.raises(StreamNotFoundError):
        registry.replay(foreign.stream_id, 0, seven)


def refused(call: Any, *args: Any) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        call(*args)
    return {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors}


def test_only_the_operator_may_write_files(registry: StreamRegistry, definition: StreamDefinition) -> None:
    errors = refused(registry.create, definition, {}, 0, Actor("client-1"))
    assert "only `audit-log stream create`" in errors["destination"]


def test_wrong_settings_are_named_without_their_values(registry: StreamRegistry, tmp_path: Path) -> None:
    wrong = {"kind": "directory", "path": "s3cr3t", "token": "s3cr3t"}
    errors = refused(registry.create, define(tmp_path, destination=wrong), {"password": "s3cr3t"}, 0, OPERATOR)
    assert errors.keys() == {"destination.path", "destination.token", "secrets.password"}
    assert "s3cr3t" not in str(errors)


def test_a_refusal_lists_a_bounded_number_of_errors(registry: StreamRegistry, definition: StreamDefinition) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        registry.create(definition, {f"k{number}": 1 for number in range(5000)}, 0, OPERATOR)
    assert len(caught.value.errors) == 20


def test_the_kind_of_a_stream_cannot_change(registry: StreamRegistry, definition: StreamDefinition) -> None:
    stream = registry.create(definition, {}, 0, OPERATOR).stream
    other = definition.model_copy(update={"destination": {"kind": "http", "url": "https://hooks.example.org"}})
    assert refused(registry.replace, stream, other, None, OPERATOR).keys() == {"destination.kind"}


def test_a_stream_that_needs_a_secret_is_refused_without_a_key(
    streams: SqlStreams, clock: FakeClock, tmp_path: Path
) -> None:
    without_key = StreamRegistry(streams, lambda: None, None, clock)
    errors = refused(without_key.create, define(tmp_path, hash=["context.ip"]), {}, 0, OPERATOR)
    assert "AUDIT_LOG_SECRETS_KEY" in errors["secrets"]


def test_the_key_of_hashes_survives_changes_and_new_keys(
    registry: StreamRegistry, streams: SqlStreams, clock: FakeClock, tmp_path: Path
) -> None:
    stream = registry.create(define(tmp_path, hash=["context.ip"]), {}, 0, OPERATOR).stream
    assert stream.sealed is not None
    key = SecretSeal([KEY]).open(stream.stream_id, stream.sealed)["mask_key"]
    changed = registry.replace(stream, define(tmp_path, hash=["context.ip", "actor.email"]), {}, OPERATOR)
    assert SecretSeal([KEY]).open(stream.stream_id, str(changed.sealed))["mask_key"] == key
    new = "another-key-of-the-tests-with-many-bytes"
    renewed = StreamRegistry(streams, lambda: SecretSeal([new, KEY]), None, clock)
    assert renewed.reseal(OPERATOR) == 1
    assert SecretSeal([new]).open(stream.stream_id, str(streams.stream(stream.stream_id).sealed))["mask_key"] == key


def test_a_stream_without_signatures_cannot_be_rotated(registry: StreamRegistry, definition: StreamDefinition) -> None:
    stream = registry.create(definition, {}, 0, OPERATOR).stream
    with pytest.raises(StreamStateError, match="kind http"):
        registry.rotate(stream.stream_id, OPERATOR)
