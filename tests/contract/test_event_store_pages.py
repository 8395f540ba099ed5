"""In which order events come, page by page, and how many there are."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, Matches, Order, PageRequest, Position
from core.ports.store import EventStore
from core.stores.mongodb import events as mongodb_events
from core.stores.mongodb.events import MongoEventStore
from tests.support.builders import event

ALL = EventFilter()


def tied(numbers: range) -> list[Event]:
    """Events of which each three have the same time."""
    return [event(number, timestamp_utc=number // 3) for number in numbers]


def numbers(matches: Matches) -> list[int]:
    return [int(found.event_id[-12:]) for found in matches.events]


def position(last: Event, offset: int = 0) -> Position:
    return Position(timestamp_utc=last.timestamp_utc, event_id=last.event_id, offset=offset)


def pages(store: EventStore, event_filter: EventFilter, order: Order, limit: int) -> Iterator[Matches]:
    page = PageRequest(limit=limit, order=order)
    for _ in range(100):
        matches = store.find_page(event_filter, page)
        yield matches
        if not matches.more:
            return
        page = page.model_copy(update={"after": position(matches.events[-1])})
    pytest.fail("the pages have no end")


@pytest.mark.parametrize(("order", "step"), [("asc", 1), ("desc", -1)])
def test_events_come_by_time_and_then_by_id(event_store: EventStore, order: Order, step: int) -> None:
    event_store.add(sorted(tied(range(20)), key=lambda item: int(item.event_id[-12:]) * 7 % 20))
    assert numbers(event_store.find_page(ALL, PageRequest(order=order))) == list(range(20))[::step]


@pytest.mark.parametrize(("order", "step"), [("asc", 1), ("desc", -1)])
def test_events_of_several_customers_come_in_one_order(event_store: EventStore, order: Order, step: int) -> None:
    event_store.add([event(number, customer_id=number % 3, timestamp_utc=5) for number in range(20)])
    matches = event_store.find_page(EventFilter(customer_ids=(0, 1, 2)), PageRequest(order=order))
    assert numbers(matches) == list(range(20))[::step]


def test_an_event_of_a_customer_that_is_listed_twice_is_found_once(event_store: EventStore) -> None:
    event_store.add([event(number, customer_id=number % 2) for number in range(4)])
    for listed in ({"customer_ids": (0, 0)}, {"visible_customers": (0, 1, 0)}, {"event_types": ("user.login",) * 2}):
        found = event_store.find_page(EventFilter(**listed), PageRequest(order="asc"))
        assert numbers(found) == sorted(set(numbers(found))), listed


@pytest.mark.parametrize(
    ("offset", "limit", "expected", "more"),
    [
        (0, 3, [0, 1, 2], True),
        (2, 3, [2, 3, 4], True),
        (7, 3, [7, 8, 9], False),
        (8, 3, [8, 9], False),
        (10, 3, [], False),
        (0, 10, list(range(10)), False),
        (2**63 - 1, 100, [], False),
    ],
)
def test_a_page_begins_at_its_offset_and_says_whether_more_follow(
    event_store: EventStore, offset: int, limit: int, expected: list[int], *, more: bool
) -> None:
    event_store.add(tied(range(10)))
    matches = event_store.find_page(ALL, PageRequest(offset=offset, limit=limit, order="asc"))
    assert (numbers(matches), matches.more, matches.total_count) == (expected, more, 10)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_page_after_page_every_event_comes_once_whatever_arrives_meanwhile(
    event_store: EventStore, order: Order, limit: int
) -> None:
    event_store.add(tied(range(100, 150)))
    seen: list[int] = []
    for number, page in enumerate(pages(event_store, ALL, order, limit)):
        seen += numbers(page)
        older, newer = event(number, timestamp_utc=0), event(1000 + number, timestamp_utc=10**9)
        event_store.add([newer if order == "desc" else older])
    assert seen == list(range(100, 150))[:: 1 if order == "asc" else -1]


@pytest.mark.parametrize(("order", "step"), [("asc", 1), ("desc", -1)])
@pytest.mark.parametrize("place", [0, 9, 10, 12, 14, 15, 99])
def test_a_page_after_a_place_keeps_to_the_range_of_time(
    event_store: EventStore, order: Order, step: int, place: int
) -> None:
    """The place may be anywhere: a cursor is not signed."""
    event_store.add([event(number, timestamp_utc=number) for number in range(30)])
    after = Position(timestamp_utc=place, event_id=event(place).event_id, offset=0)
    found = numbers(event_store.find_page(EventFilter(start=10, end=14), PageRequest(order=order, after=after)))
    assert found == [number for number in range(10, 15) if (number - place) * step > 0][::step]


def test_a_page_after_a_place_keeps_to_the_filter(event_store: EventStore) -> None:
    event_store.add([event(number, customer_id=number % 2, timestamp_utc=5) for number in range(20)])
    odd = EventFilter(customer_ids=(1,))
    found = [number for page in pages(event_store, odd, "desc", 3) for number in numbers(page)]
    assert found == list(range(19, 0, -2))


def test_the_count_is_of_all_that_match_not_of_the_page(event_store: EventStore) -> None:
    event_store.add(tied(range(10)))
    page = PageRequest(limit=2, after=position(event(5, timestamp_utc=1)))
    matches = event_store.find_page(EventFilter(start=1), page)
    assert (len(matches.events), matches.total_count, matches.total_relation) == (2, 7, "eq")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_events_of_several_customers_and_types_come_once_each_in_one_order(
    event_store: EventStore, order: Order
) -> None:
    event_store.add(
        [
            event(number, customer_id=number % 5, event_type=f"type {number % 3}", timestamp_utc=number // 4)
            for number in range(90)
        ]
    )
    wanted = EventFilter(customer_ids=(0, 2, 3, 7), event_types=("type 2", "type 0"), end=20)
    expected = [number for number in range(84) if number % 5 in {0, 2, 3} and number % 3 != 1]
    expected = expected if order == "asc" else expected[::-1]
    assert [number for page in pages(event_store, wanted, order, 7) for number in numbers(page)] == expected
    for offset in (0, 5, len(expected) - 1, len(expected), 2**63 - 1):
        matches = event_store.find_page(wanted, PageRequest(offset=offset, limit=7, order=order))
        assert numbers(matches) == expected[offset : offset + 7]
        assert matches.total_count == len(expected)


def data(path: str, *, value: bool) -> tuple[DataFilter]:
    return (DataFilter(path=(path,), values=(value,)),)


def counts(limit: int) -> list[tuple[dict[str, Any], int, str]]:
    """Filters with the total of each, of `limit` events of one customer and 50 of another."""
    most, least, every = data("most", value=True), data("most", value=False), data("all", value=True)
    return [
        ({"customer_ids": (1,)}, limit, "eq"),
        ({}, limit, "gte"),
        ({"data": most}, limit, "eq"),
        ({"data": least}, 50, "eq"),
        ({"data": every}, limit, "gte"),
        ({"data": every, "start": 1_700_000_001}, limit, "gte"),
        ({"data": every, "start": 1_700_000_100}, limit - 50, "eq"),
        ({"data": every, "customer_ids": (0,)}, 50, "eq"),
        ({"data": every, "visible_customers": ()}, 0, "eq"),
        ({"data": every, "visible_customers": (1,), "customer_ids": (0,)}, 0, "eq"),
    ]


def test_the_count_is_exact_up_to_10000_and_a_lower_bound_beyond(
    event_store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 10_000
    if isinstance(event_store, MongoEventStore):  # the server of the tests reads every event for every query
        limit = 200
        monkeypatch.setattr(mongodb_events, "COUNT_LIMIT", limit)
    event_store.add(
        [
            event(number, customer_id=int(number < limit), event_data={"most": number < limit, "all": True})
            for number in range(limit + 50)
        ]
    )
    for conditions, total, relation in counts(limit):
        for page in (PageRequest(limit=1), PageRequest(limit=1, after=position(event(0)))):
            matches = event_store.find_page(EventFilter(**conditions), page)
            assert (matches.total_count, matches.total_relation) == (total, relation), conditions


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_reading_a_page_finds_the_same_events(event_store: EventStore, order: Order) -> None:
    event_store.add(tied(range(20)))
    odd = EventFilter(customer_ids=(1,))
    for page in [PageRequest(limit=7, order=order, after=position(event(5, timestamp_utc=1))), PageRequest(limit=50)]:
        for event_filter in (ALL, odd):
            assert event_store.list_page(event_filter, page).events == event_store.find_page(event_filter, page).events


def test_an_empty_store_has_one_empty_page(event_store: EventStore) -> None:
    assert event_store.find_page(ALL, PageRequest()) == Matches(
        events=[], more=False, total_count=0, total_relation="eq"
    )
