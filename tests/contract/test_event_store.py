"""Inserts into an event store, and their outcomes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.domain.models import MAX_TIMESTAMP
from core.domain.queries import EventFilter, PageRequest
from core.errors import EventNotStorableError
from core.ports.store import EventStore, Outcome
from tests.support.builders import event

STORED, DUPLICATE, CONFLICT = Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT


def deep(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = json.loads('{"a":' * levels + "1" + "}" * levels)
    return nested


def test_an_event_that_was_added_is_found_and_equal(event_store: EventStore) -> None:
    kept = event(event_data={"a": [1, {"b": None}], "": "é"})
    assert event_store.add([kept]) == [STORED]
    assert event_store.get(kept.event_id) == kept
    assert event_store.find_page(EventFilter(), PageRequest()).events == [kept]


def test_an_event_that_was_not_added_is_not_found(event_store: EventStore) -> None:
    event_store.add([event(1)])
    assert event_store.get(event(2).event_id) is None
    assert event_store.get("' OR 1=1 --") is None


def test_nothing_can_be_added(event_store: EventStore) -> None:
    assert event_store.add([]) == []


def test_a_repeat_is_a_duplicate_and_stored_once(event_store: EventStore) -> None:
    event_store.add([event()])
    repeat = event(received_at="2026-02-28T00:00:00Z")
    assert event_store.add([repeat]) == [DUPLICATE]
    assert event_store.get(repeat.event_id) == event()
    assert event_store.find_page(EventFilter(), PageRequest()).total_count == 1


@pytest.mark.parametrize("changed", [{"event_type": "other"}, {"event_data": {"number": True}}, {"recorded_by": "b"}])
def test_a_repeat_with_other_content_is_a_conflict_and_the_first_stays(
    event_store: EventStore, changed: dict[str, Any]
) -> None:
    event_store.add([event()])
    assert event_store.add([event(**changed)]) == [CONFLICT]
    assert event_store.get(event().event_id) == event()


def test_of_one_id_within_a_batch_the_first_is_stored(event_store: EventStore) -> None:
    batch = [event(1), event(2), event(1), event(1, event_type="other")]
    assert event_store.add(batch) == [STORED, STORED, DUPLICATE, CONFLICT]
    assert event_store.get(event(1).event_id) == event(1)


def test_of_a_batch_that_was_there_in_part_the_rest_is_stored(event_store: EventStore) -> None:
    event_store.add([event(2), event(4)])
    batch = [event(1), event(2), event(3), event(4, event_type="other"), event(2)]
    assert event_store.add(batch) == [STORED, DUPLICATE, STORED, CONFLICT, DUPLICATE]
    assert event_store.find_page(EventFilter(), PageRequest()).total_count == 4


def test_a_large_batch_that_comes_again_is_all_duplicates(event_store: EventStore) -> None:
    batch = [event(number) for number in range(1200)]
    assert event_store.add(batch) == [STORED] * 1200
    assert event_store.add([*batch, event(1200)]) == [DUPLICATE] * 1200 + [STORED]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_batch_with_an_event_that_cannot_be_stored_leaves_nothing(event_store: EventStore, place: int) -> None:
    batch = [event(1), event(2)]
    batch.insert(place, event(3, event_data={"a": 2**70}))
    with pytest.raises(EventNotStorableError):
        event_store.add(batch)
    assert event_store.find_page(EventFilter(), PageRequest()).total_count == 0
    assert event_store.add([event(1), event(2)]) == [STORED, STORED]


@pytest.mark.parametrize(
    "extreme",
    [
        {"customer_id": 2**63 - 1},
        {"customer_id": -(2**63)},
        {"timestamp_utc": 0},
        {"timestamp_utc": MAX_TIMESTAMP},
        {"received_at": "1970-01-01T00:00:00Z"},
        {"received_at": "9999-12-31T23:59:59.999Z"},
        {"event_type": "\U0010ffff" * 255},
        {"recorded_by": "😀" * 255},
        {"event_data": {"😀": "\U0010ffff", "'\"\\\n": "%_?:a"}},
        {"event_data": {"max": 2**63 - 1, "min": -(2**63), "tiny": 5e-324, "large": 1.7976931348623157e308}},
        {"event_data": {"precise": 0.1 + 0.2, "whole": 5.0, "beyond a double": 2**53 + 1}},
        {"event_data": {"doubles": [1e15, 1e16, -1e19, 1.2345678901234568e18, 1e22, 1e23, -1.5e300]}},
        {"event_data": {"1e+16": 'a 1e+16, "1e+17" 1e+18', "\\": "1e+19", "n": [1e20, "\\"]}},
        {"event_data": {"text": "x" * 262_144}},
        {"event_data": deep(128)},
    ],
    ids=str,
)
def test_what_is_at_the_edge_comes_back_equal(event_store: EventStore, extreme: dict[str, Any]) -> None:
    kept = event(**extreme)
    event_store.add([kept])
    [found] = event_store.find_page(EventFilter(customer_ids=(kept.customer_id,)), PageRequest()).events
    assert found == event_store.get(kept.event_id) == kept
    # Equal with its types, so that 5.0 stays 5.0; PostgreSQL alone gives members another order.
    assert json.dumps(found.event_data, sort_keys=True) == json.dumps(kept.event_data, sort_keys=True)
    assert event_store.add([kept]) == [DUPLICATE]


def test_the_newest_receive_time_is_that_of_all_events(event_store: EventStore) -> None:
    assert event_store.newest_receive_time() is None
    newest = datetime(2026, 3, 1, 12, 0, 0, 123_000, UTC)
    event_store.add([event(1, received_at=newest, timestamp_utc=1), event(2, received_at="2026-02-01T00:00:00Z")])
    assert event_store.newest_receive_time() == newest
