"""The feed has every stored event once, in one order, on every database."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from core.domain.models import Event
from core.domain.queries import Condition, EventFilter
from core.errors import CursorAheadError, StoreUnavailableError
from core.ports.feed import FeedPage, FeedRequest
from core.stores.feed import FeedLimits, SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.schema import events, service_keys
from core.stores.sql import SqlEventStore
from tests.support import databases
from tests.support.builders import event

ALL = EventFilter()


@pytest.fixture
def feed(engine: Engine) -> SqlFeed:
    return SqlFeed(engine)


def store(sql_store: SqlEventStore, *batches: list[Event]) -> None:
    """Store each list as one batch, and give all events their indices."""
    for batch in batches:
        sql_store.add(batch)
        Ledger(sql_store._engine).integrate()  # noqa: SLF001 - a store shows it to no other code


def numbers(page: FeedPage) -> list[int]:
    return [each.event_data["number"] for _, each in page.entries]


def pages(feed: SqlFeed, event_filter: EventFilter = ALL, position: int = 0, **request: Any) -> Iterator[FeedPage]:
    """All pages from a position to the end."""
    more = True
    while more:
        page = feed.read(FeedRequest(event_filter, position, **request))
        assert page.position > position or not page.more
        position, more = page.position, page.more
        yield page


def test_events_come_in_the_order_of_storing_whatever_their_own_times_are(
    sql_store: SqlEventStore, feed: SqlFeed
) -> None:
    store(sql_store, [event(5), event(7)], [event(1, timestamp_utc=0)], [event(6)])
    page = feed.read(FeedRequest(ALL))
    assert (numbers(page), page.position, page.more, page.skipped) == ([5, 7, 1, 6], 4, False, 0)
    assert [index for index, _ in page.entries] == [0, 1, 2, 3]
    assert page.entries[2][1] == event(1, timestamp_utc=0)


def test_an_event_without_an_index_is_not_in_the_feed_yet(sql_store: SqlEventStore, feed: SqlFeed) -> None:
    store(sql_store, [event(1)])
    sql_store.add([event(2)])
    page = feed.read(FeedRequest(ALL))
    assert (numbers(page), page.position, page.more) == ([1], 1, False)
    Ledger(sql_store._engine).integrate()  # noqa: SLF001
    assert numbers(feed.read(FeedRequest(ALL, page.position))) == [2]


def test_an_empty_log_has_an_empty_feed(feed: SqlFeed) -> None:
    assert feed.read(FeedRequest(ALL)) == FeedPage([], 0, more=False, skipped=0)
    assert feed.read(FeedRequest(ALL, None)) == FeedPage([], 0, more=False, skipped=0)


def test_from_now_on_means_what_is_stored_later(sql_store: SqlEventStore, feed: SqlFeed) -> None:
    store(sql_store, [event(1), event(2)])
    page = feed.read(FeedRequest(ALL, None))
    assert page == FeedPage([], 2, more=False, skipped=0)
    store(sql_store, [event(3)])
    assert numbers(feed.read(FeedRequest(ALL, page.position))) == [3]


def test_a_position_beyond_the_end_is_refused_as_one_of_another_state_of_the_database(
    sql_store: SqlEventStore, feed: SqlFeed
) -> None:
    store(sql_store, [event(1), event(2)])
    assert feed.read(FeedRequest(ALL, 2)).entries == []
    for position in (3, 2**63):
        with pytest.raises(CursorAheadError, match="restored to an earlier state"):
            feed.read(FeedRequest(ALL, position))


def test_a_page_says_that_more_follows_only_if_it_does(sql_store: SqlEventStore, feed: SqlFeed) -> None:
    store(sql_store, [event(number) for number in range(3)], [event(3)])
    shown = [(numbers(page), page.more) for page in pages(feed, limit=2)]
    assert shown == [([0, 1], True), ([2, 3], False)]


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_events_of_other_customers_change_nothing_but_positions(
    sql_store: SqlEventStore, feed: SqlFeed, limit: int
) -> None:
    visible = EventFilter(visible_customers=(1, -(2**63)))
    own = [event(number, customer_id=1 if number % 2 else -(2**63)) for number in range(8)]

    def shown() -> list[tuple[list[int], bool, int]]:
        return [(numbers(page), page.more, page.skipped) for page in pages(feed, visible, limit=limit)]

    store(sql_store, own[:3], own[3:])
    alone = shown()
    databases.empty(sql_store._engine)  # noqa: SLF001
    foreign = iter([event(number, customer_id=2) for number in range(100, 1000)])
    for each in own:
        store(sql_store, [next(foreign) for _ in range(50)], [next(foreign), each, next(foreign)])
    store(sql_store, list(foreign))
    assert shown() == alone


def test_a_filter_selects_and_may_change_on_the_way(sql_store: SqlEventStore, feed: SqlFeed) -> None:
    store(sql_store, [event(number, customer_id=number % 3, event_type="ab"[number % 2]) for number in range(12)])
    first = feed.read(FeedRequest(EventFilter(event_types=("a",)), 0, limit=2))
    assert numbers(first) == [0, 2]
    narrow = EventFilter(customer_ids=(0, 1), visible_customers=(1, 2))
    assert numbers(feed.read(FeedRequest(narrow, first.position))) == [4, 7, 10]
    numbered = Condition(field="event_data", path=("number",), operator="gte", values=(9,))
    assert numbers(feed.read(FeedRequest(EventFilter(conditions=(numbered,)), first.position))) == [9, 10, 11]


def test_deleted_events_are_counted_as_skipped_for_those_who_could_have_seen_them(
    sql_store: SqlEventStore, feed: SqlFeed, engine: Engine
) -> None:
    store(sql_store, [event(number, customer_id=number % 2) for number in range(6)])
    with engine.begin() as connection:
        connection.execute(delete(events).where(events.c.event_id.in_([event(n).event_id for n in (1, 2, 3)])))
    assert [(numbers(page), page.skipped) for page in pages(feed, limit=2)] == [([0, 4], 3), ([5], 0)]
    [page] = pages(feed, EventFilter(visible_customers=(0,)))
    assert (numbers(page), page.skipped) == ([0, 4], 1)


def test_a_page_ends_at_its_bytes_with_one_event_at_least(sql_store: SqlEventStore, feed: SqlFeed) -> None:
    large = {"text": "x" * 50_000}
    store(
        sql_store,
        [event(number, event_data={"number": number, **(large if number in {1, 2, 5} else {})}) for number in range(7)],
    )
    for max_bytes, expected in (
        (1, [[0], [1], [2], [3], [4], [5], [6]]),
        (51_000, [[0, 1], [2, 3, 4], [5, 6]]),
        (10**6, [[0, 1, 2, 3, 4, 5, 6]]),
    ):
        assert [numbers(page) for page in pages(feed, max_bytes=max_bytes)] == expected


def test_a_search_for_what_is_rare_ends_at_its_bound_and_says_how_far_it_came(
    sql_store: SqlEventStore, engine: Engine
) -> None:
    store(sql_store, [event(number, event_type="b" if number == 350 else "a") for number in range(400)])
    feed = SqlFeed(engine, FeedLimits(events=150))
    found = [(numbers(page), page.more) for page in pages(feed, EventFilter(event_types=("b",)), limit=10)]
    assert found == [([], True), ([350], False)]
    slow = SqlFeed(engine, FeedLimits(seconds=0.0))
    stops = list(pages(slow, EventFilter(event_types=("b",)), limit=1))
    assert [number for page in stops for number in numbers(page)] == [350]
    assert len(stops) > 100


BATCHES = st.lists(st.integers(1, 5), max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sizes=BATCHES, limits=st.lists(st.integers(1, 4), min_size=1), types=st.sets(st.sampled_from("abc")))
def test_any_pages_together_are_the_list_of_all_that_matches(
    sql_store: SqlEventStore, feed: SqlFeed, sizes: list[int], limits: list[int], types: set[str]
) -> None:
    databases.empty(sql_store._engine)  # noqa: SLF001
    count = sum(sizes)
    left = iter([event(number, event_type="abc"[number * 7 % 3]) for number in range(count)])
    store(sql_store, *([next(left) for _ in range(size)] for size in sizes))
    wanted = EventFilter(event_types=tuple(types))
    found, position, more, turn = [], 0, True, 0
    while more:
        page = feed.read(FeedRequest(wanted, position, limits[turn % len(limits)]))
        found += numbers(page)
        position, more, turn = page.position, page.more, turn + 1
    assert found == [number for number in range(count) if not types or "abc"[number * 7 % 3] in types]
    assert position == count


def test_the_key_of_cursors_stays_and_is_never_made_up(engine: Engine) -> None:
    key = SqlFeed(engine).cursor_key()
    assert len(key) == 32
    assert SqlFeed(engine).cursor_key() == key
    with engine.begin() as connection:
        connection.execute(delete(service_keys).where(service_keys.c.name == "feed"))
    try:
        with pytest.raises(StoreUnavailableError, match="service_keys"):
            SqlFeed(engine).cursor_key()
    finally:
        with engine.begin() as connection:
            connection.execute(service_keys.insert().values(name="feed", value=key))
