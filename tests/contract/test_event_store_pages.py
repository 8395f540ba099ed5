"""In which order events come, page by page, and how many there are."""

from collections.abc import Iterator

import pytest

from core.models import Event
from core.queries import EventFilter, Matches, Order, PageRequest, Position
from tests.builders import event
from tests.fakes import EventStore

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
        matches = store.find(event_filter, page)
        yield matches
        if not matches.more:
            return
        page = page.model_copy(update={"after": position(matches.events[-1])})
    pytest.fail("the pages have no end")


@pytest.mark.parametrize(("order", "step"), [("asc", 1), ("desc", -1)])
def test_events_come_by_time_and_then_by_id(event_store: EventStore, order: Order, step: int) -> None:
    event_store.add(sorted(tied(range(20)), key=lambda item: int(item.event_id[-12:]) * 7 % 20))
    assert numbers(event_store.find(ALL, PageRequest(order=order))) == list(range(20))[::step]


@pytest.mark.parametrize(("order", "step"), [("asc", 1), ("desc", -1)])
def test_events_of_several_customers_come_in_one_order(event_store: EventStore, order: Order, step: int) -> None:
    event_store.add([event(number, customer_id=number % 3, timestamp_utc=5) for number in range(20)])
    matches = event_store.find(EventFilter(customer_ids=(0, 1, 2)), PageRequest(order=order))
    assert numbers(matches) == list(range(20))[::step]


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
    matches = event_store.find(ALL, PageRequest(offset=offset, limit=limit, order="asc"))
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


def test_a_page_after_a_place_keeps_to_the_filter(event_store: EventStore) -> None:
    event_store.add([event(number, customer_id=number % 2, timestamp_utc=5) for number in range(20)])
    odd = EventFilter(customer_ids=(1,))
    found = [number for page in pages(event_store, odd, "desc", 3) for number in numbers(page)]
    assert found == list(range(19, 0, -2))


def test_the_count_is_of_all_that_match_not_of_the_page(event_store: EventStore) -> None:
    event_store.add(tied(range(10)))
    page = PageRequest(limit=2, after=position(event(5, timestamp_utc=1)))
    matches = event_store.find(EventFilter(start=1), page)
    assert (len(matches.events), matches.total_count, matches.total_relation) == (2, 7, "eq")


def test_the_count_is_exact_up_to_10000_and_a_lower_bound_beyond(event_store: EventStore) -> None:
    event_store.add([event(number, customer_id=int(number < 10_000)) for number in range(10_050)])
    of_one = event_store.find(EventFilter(customer_ids=(1,)), PageRequest(limit=1))
    assert (of_one.total_count, of_one.total_relation) == (10_000, "eq")
    of_all = event_store.find(ALL, PageRequest(limit=1))
    assert (of_all.total_count, of_all.total_relation) == (10_000, "gte")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_reading_a_page_finds_the_same_events(event_store: EventStore, order: Order) -> None:
    event_store.add(tied(range(20)))
    odd = EventFilter(customer_ids=(1,))
    for page in [PageRequest(limit=7, order=order, after=position(event(5, timestamp_utc=1))), PageRequest(limit=50)]:
        for event_filter in (ALL, odd):
            assert event_store.read(event_filter, page) == event_store.find(event_filter, page).events


def test_an_empty_store_has_one_empty_page(event_store: EventStore) -> None:
    assert event_store.find(ALL, PageRequest()) == Matches(events=[], more=False, total_count=0, total_relation="eq")
