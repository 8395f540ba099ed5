"""Every store finds exactly the events that `matches` selects, whatever its indexes answer."""

from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.matching import matches
from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, Order, PageRequest, Position
from core.stores.mongodb.events import MongoEventStore
from core.stores.search import SearchLimits
from tests.support import databases, ferretdb
from tests.support.builders import event
from tests.support.stores import LONG, DatabaseStore, connection_of, parts_of, with_limits
from tests.support.strategies import batches, data_filters, filters

CASES = hypothesis.settings(max_examples=40, suppress_health_check=list(hypothesis.HealthCheck))


@pytest.fixture
def store(database_store: DatabaseStore, monkeypatch: pytest.MonkeyPatch) -> DatabaseStore:
    """A store whose searches and summaries end at no time."""
    monkeypatch.setattr(parts_of(database_store).summaries_module, "EXAMINE_SECONDS", 60)
    return with_limits(database_store, LONG)


def empty(store: DatabaseStore) -> None:
    if isinstance(store, MongoEventStore):
        ferretdb.empty(connection_of(store))
    else:
        databases.empty(store._engine)  # noqa: SLF001 - a store shows it to no other code


def expected(batch: list[Event], wanted: EventFilter, order: Order) -> list[Event]:
    found = [each for each in batch if matches(each, wanted)]
    return sorted(found, key=lambda each: (each.timestamp_utc, each.event_id), reverse=order == "desc")


def pages(store: DatabaseStore, wanted: EventFilter, first: PageRequest) -> Iterator[list[Event]]:
    """The pages of a listing, each from the position at which the one before ended."""
    page = first
    for _ in range(200):
        found = store.find_page(wanted, page)
        yield found.events
        if not found.more:
            return
        offset = (page.after.offset if page.after else page.offset) + len(found.events)
        after = found.stopped_at or Position.after(found.events[-1], offset)
        page = first.model_copy(update={"after": after, "offset": 0})
    pytest.fail("the pages have no end")


@CASES
@given(batch=batches, wanted=filters, order=st.sampled_from(["asc", "desc"]))
def test_a_store_finds_what_the_filter_means(
    store: DatabaseStore, batch: list[Event], wanted: EventFilter, order: Order
) -> None:
    empty(store)
    store.add(batch)
    found = store.find_page(wanted, PageRequest(order=order))
    assert found.events == expected(batch, wanted, order)
    assert (found.more, found.total_count, found.total_relation) == (False, len(found.events), "eq")
    assert store.list_page(wanted, PageRequest(order=order)).events == found.events
    summary = parts_of(store).summaries.summarize(wanted)
    assert (summary.total_count, summary.frequent.sample) == (len(found.events), len(found.events))


@CASES
@given(batch=batches, wanted=data_filters, order=st.sampled_from(["asc", "desc"]))
def test_an_equality_finds_what_it_means(
    store: DatabaseStore, batch: list[Event], wanted: DataFilter, order: Order
) -> None:
    empty(store)
    store.add(batch)
    event_filter = EventFilter(data=(wanted,))
    assert store.find_page(event_filter, PageRequest(order=order)).events == expected(batch, event_filter, order)


@CASES
@given(
    batch=batches,
    wanted=filters,
    first=st.builds(
        PageRequest, limit=st.integers(1, 3), offset=st.integers(0, 3), order=st.sampled_from(["asc", "desc"])
    ),
    rows=st.integers(1, 4),
)
def test_pages_of_bounded_searches_contain_every_match_once(
    store: DatabaseStore, batch: list[Event], wanted: EventFilter, first: PageRequest, rows: int
) -> None:
    empty(store)
    store = with_limits(store, SearchLimits(rows=rows, seconds=60))
    store.add(batch)
    listing = list(pages(store, wanted, first))
    assert [each for page in listing for each in page] == expected(batch, wanted, first.order)[first.offset :]
    assert all(len(page) <= first.limit for page in listing)


ANY_TARGET = EventFilter(data=(DataFilter(path=("targets", None, "id"), values=("doc-1",)),))


def test_an_element_without_the_member_does_not_hide_the_others(database_store: DatabaseStore) -> None:
    database_store.add(
        [
            event(1, event_data={"targets": [{"name": "x"}, 5, None, {"id": "doc-1"}]}),
            event(2, event_data={"targets": [[{"id": "doc-1"}]]}),
            event(3, event_data={"targets": {"id": "doc-1"}}),
            event(4, event_data={"targets": [{"id": ["doc-1"]}]}),
            event(5, event_data={"targets": [{"id": "doc-1"}, {"id": "doc-1"}]}),
        ]
    )
    found = database_store.find_page(ANY_TARGET, PageRequest(order="asc"))
    assert [each.event_id for each in found.events] == [event(1).event_id, event(5).event_id]


def test_a_search_ends_at_its_rows_and_says_how_far_it_came(store: DatabaseStore) -> None:
    empty(store)
    store = with_limits(store, SearchLimits(rows=300, seconds=60))
    store.add([event(number, timestamp_utc=number, event_data={"a": number % 400}) for number in range(1000)])
    wanted = EventFilter(event_types=("user.login",), words=("nowhere",))
    found = store.find_page(wanted, PageRequest())
    assert (found.events, found.more, found.total_count, found.total_relation) == ([], True, 0, "gte")
    assert found.stopped_at == Position(timestamp_utc=700, event_id=event(700).event_id, offset=0)
    assert [len(page) for page in pages(store, wanted, PageRequest())] == [0, 0, 0, 0]


def test_a_search_whose_time_is_over_has_examined_at_least_one_event(store: DatabaseStore) -> None:
    empty(store)
    store = with_limits(store, SearchLimits(seconds=0))
    store.add([event(number, timestamp_utc=number) for number in range(5)])
    listing = list(pages(store, EventFilter(words=("login",)), PageRequest()))
    assert [each.timestamp_utc for page in listing for each in page] == [4, 3, 2, 1, 0]


def test_a_full_page_ends_a_search_before_its_bounds(store: DatabaseStore) -> None:
    empty(store)
    store.add([event(number, timestamp_utc=number) for number in range(1000)])
    found = store.find_page(EventFilter(words=("login",)), PageRequest(limit=10))
    assert (len(found.events), found.more, found.stopped_at) == (10, True, None)
    assert (found.total_count, found.total_relation) == (11, "gte")
    assert list(pages(store, EventFilter(words=("login",)), PageRequest()))[-1][-1].timestamp_utc == 0
