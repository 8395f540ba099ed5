from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from core.auth.tokens import WRITE
from core.domain import cursor
from core.domain.queries import EventFilter, Position
from core.settings import Settings
from core.stores.search import SearchLimits
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.http.limits import MAX_EVENT_BYTES, MAX_RESPONSE_BYTES
from functions.query_events import query_events
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway, FakeQueue, FakeStore

Pairs = Sequence[tuple[str, str]]


@pytest.fixture
def services(settings: Settings, queue: FakeQueue, sqlite_store: SqlEventStore) -> Services:
    return Services(settings, publisher=queue, reader=sqlite_store, writer=sqlite_store)


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def ask(gateway: FakeGateway, *query: tuple[str, str], **parts: Any) -> Answer:
    return gateway.call(query_events, query=query, **parts)


def numbers(answer: Answer) -> list[int]:
    return [int(found["event_id"][-12:]) for found in answer.json["events"]]


def add_six(gateway: FakeGateway, event_data: Callable[[int], dict[str, Any]]) -> None:
    gateway.services.writer.add(
        [
            event(number, event_type="ab"[number % 2], customer_id=number % 3, event_data=event_data(number))
            for number in range(6)
        ]
    )


def pages(gateway: FakeGateway, *query: tuple[str, str]) -> Iterator[Answer]:
    following = ""
    while following is not None:
        answer = ask(gateway, *query, *([("cursor", following)] if following else []))
        yield answer
        following = answer.json["next_cursor"]


def test_a_page_says_what_it_holds_and_where_it_stands(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number) for number in range(3)])
    answer = ask(gateway, ("limit", "2"), ("offset", "1"))
    assert answer.status == 200
    assert answer.json == {
        "events": [event(number).model_dump(mode="json") for number in (1, 0)],
        "count": 2,
        "offset": 1,
        "limit": 2,
        "total_count": 3,
        "total_relation": "eq",
        "next_cursor": None,
        "searched_to": None,
    }


def test_nothing_found_is_an_empty_page(gateway: FakeGateway) -> None:
    answer = ask(gateway)
    assert (answer.status, answer.json["events"], answer.json["next_cursor"]) == (200, [], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([], [5, 4, 3, 2, 1, 0]),
        ([("order", "asc")], [0, 1, 2, 3, 4, 5]),
        ([("event_type", "b")], [5, 3, 1]),
        ([("event_type", "b"), ("event_type", "a"), ("customer_id", "1")], [4, 1]),
        ([("customer_id", "0"), ("customer_id", "2")], [5, 3, 2, 0]),
        ([("timestamp_start_utc", "1700000002"), ("timestamp_end_utc", "1700000003")], [3, 2]),
        ([("event_data.number", "4")], [4]),
        ([("event_data.number", "4"), ("event_data.number", "2"), ("event_type", "a")], [4, 2]),
        ([("event_data.number", '"4"')], []),
        ([("event_data.deep.list[1].é", "x y")], [5, 4, 3, 2, 1, 0]),
    ],
)
def test_parameters_find_the_events_they_name(gateway: FakeGateway, query: Pairs, found: list[int]) -> None:
    add_six(gateway, lambda number: {"number": number, "deep": {"list": [0, {"é": "x y"}]}})
    assert numbers(ask(gateway, *query)) == found


def test_cursors_lead_through_all_pages_to_null(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number, timestamp_utc=number // 4) for number in range(25)])
    listing = list(pages(gateway, ("limit", "10"), ("order", "asc")))
    assert [number for page in listing for number in numbers(page)] == list(range(25))
    assert [page.json["offset"] for page in listing] == [0, 10, 20]
    assert [page.json["count"] for page in listing] == [10, 10, 5]
    assert {page.json["total_count"] for page in listing} == {25}


def test_a_cursor_from_an_offset_goes_on_counting(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number) for number in range(10)])
    first = ask(gateway, ("offset", "5"), ("limit", "2"))
    second = ask(gateway, ("cursor", first.json["next_cursor"]), ("limit", "2"))
    assert (numbers(second), second.json["offset"]) == ([2, 1], 7)


def test_a_page_has_100_events_unless_fewer_are_asked_for(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number) for number in range(150)])
    for query in [[], [("limit", "100")], [("limit", "101")], [("limit", str(2**63 - 1))]]:
        answer = ask(gateway, *query)
        assert (answer.json["count"], answer.json["limit"]) == (100, 100)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ([("limit", "0")], {"limit"}),
        ([("limit", "ten")], {"limit"}),
        ([("offset", "-1")], {"offset"}),
        ([("offset", "")], {"offset"}),
        ([("order", "newest")], {"order"}),
        ([("event_type", "")], {"event_type"}),
        ([("customer_id", "x"), ("timestamp_end_utc", "-1")], {"customer_id", "timestamp_end_utc"}),
        ([("timestamp_start_utc", "1700000000000")], {"timestamp_start_utc"}),
        ([("timestamp_start_utc", "2"), ("timestamp_end_utc", "1")], {"timestamp_start_utc"}),
        ([("event_data", "x")], {"event_data"}),
        ([("event_data.", "x")], {"event_data."}),
        ([("event_data.a", '"x')], {"event_data.a"}),
        ([("event_typ", "x")], {"event_typ"}),
        ([("limit", "1"), ("limit", "2")], {"limit"}),
        ([("cursor", "x")], {"cursor"}),
        ([("cursor", "x"), ("offset", "0")], {"offset"}),
    ],
)
def test_a_query_that_would_show_something_else_is_refused(gateway: FakeGateway, query: Pairs, wrong: set[str]) -> None:
    answer = ask(gateway, *query)
    assert (answer.status, set(answer.errors)) == (422, wrong)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([("event_data.number[gte]", "4")], [5, 4]),
        ([("event_data.targets[*].id", "doc-2")], [5, 2]),
        ([("event_data.even[exists]", "true"), ("event_type[not]", "b")], [4, 2, 0]),
        ([("event_type[prefix]", "b"), ("customer_id[gt]", "0"), ("customer_id[lte]", "1")], [1]),
        ([("timestamp_utc[gt]", "2023-11-14T22:13:22Z"), ("timestamp_utc[lt]", "1700000005")], [4, 3]),
        ([("received_at[gte]", "2026-01-31T12:00:01Z")], []),
        ([("recorded_by[prefix]", "te"), ("timestamp_start_utc", "2023-11-14T23:13:25+01:00")], [5]),
        ([("q", "NUMBER doc-2"), ("event_data.number", "5")], [5]),
    ],
)
def test_operators_find_what_they_ask_for(gateway: FakeGateway, query: Pairs, found: list[int]) -> None:
    def event_data(number: int) -> dict[str, Any]:
        even: dict[str, None] = {} if number % 2 else {"even": None}
        return {"number": number, "targets": [{}, {"id": f"doc-{number % 3}"}], **even}

    add_six(gateway, event_data)
    assert numbers(ask(gateway, *query)) == found


def test_a_search_that_ends_at_its_bound_leads_on(settings: Settings, sqlite_store: SqlEventStore) -> None:
    store = SqlEventStore(sqlite_store._engine, search_limits=SearchLimits(rows=10, seconds=60))  # noqa: SLF001 - the same database
    store.add([event(number, timestamp_utc=number) for number in range(25)])
    gateway = FakeGateway(Services(settings, reader=store))
    wanted = [("event_data.number[lt]", "2"), ("offset", "1"), ("limit", "5")]
    first = ask(gateway, *wanted)
    assert (first.json["events"], first.json["searched_to"], first.json["total_relation"]) == ([], 15, "gte")
    listing = [first]
    while following := listing[-1].json["next_cursor"]:
        listing.append(ask(gateway, wanted[0], wanted[2], ("cursor", following)))
    assert [(numbers(page), page.json["offset"], page.json["searched_to"]) for page in listing] == [
        ([], 1, 15), ([], 0, 5), ([0], 0, None),
    ]  # fmt: skip
    assert (listing[-1].json["total_count"], listing[-1].json["total_relation"]) == (2, "eq")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("event_type[like]", "[not], [gt], [gte], [lt], [lte], [prefix] or [exists]"),
        ("event_data.a[like]", "[not], [gt], [gte], [lt], [lte], [prefix] or [exists]"),
        ("event_data.a[not].b", "at the end"),
        ("limit[gte]", "is not a parameter; did you mean limit?"),
        ("event_typ[not]", "is not a parameter; did you mean event_type?"),
    ],
)
def test_a_misplaced_operator_is_refused_with_the_operators(gateway: FakeGateway, name: str, remedy: str) -> None:
    answer = ask(gateway, (name, "x"))
    assert answer.status == 422
    assert remedy in answer.errors[name]


def test_a_token_for_certain_customers_sees_no_other(services: Services) -> None:
    services.writer.add([event(number, customer_id=number) for number in range(4)])
    gateway = FakeGateway(services, customers=[1, 2])
    assert numbers(ask(gateway)) == [2, 1]
    assert ask(gateway).json["total_count"] == 2
    assert numbers(ask(gateway, ("customer_id", "2"), ("customer_id", "3"))) == [2]
    assert numbers(ask(gateway, ("customer_id", "3"))) == []
    assert numbers(ask(FakeGateway(services, customers=[]))) == []


def test_a_cursor_is_of_use_only_in_the_listing_it_came_from(services: Services, gateway: FakeGateway) -> None:
    services.writer.add([event(number, customer_id=number % 2) for number in range(8)])
    following = ("cursor", ask(gateway, ("limit", "2"), ("customer_id", "1")).json["next_cursor"])
    assert numbers(ask(gateway, following, ("customer_id", "1"))) == [3, 1]
    for elsewhere in [
        ask(gateway, following),
        ask(gateway, following, ("customer_id", "0")),
        ask(gateway, following, ("customer_id", "1"), ("order", "asc")),
        ask(FakeGateway(services, customers=[1]), following, ("customer_id", "1")),
    ]:
        assert elsewhere.status == 422
        assert "another listing" in elsewhere.errors["cursor"]


def test_a_cursor_of_ones_own_making_shows_nothing_more(services: Services) -> None:
    services.writer.add([event(number, customer_id=number % 2) for number in range(6)])
    narrow = EventFilter(visible_customers=(1,))
    place = Position(timestamp_utc=event(4).timestamp_utc, event_id=event(4).event_id, offset=2**63 - 1)
    answer = ask(FakeGateway(services, customers=[1]), ("cursor", cursor.encode(place, narrow, "desc")))
    assert (answer.status, numbers(answer)) == (200, [3, 1])


def test_a_forged_offset_at_the_end_of_64_bits_leads_on(services: Services, gateway: FakeGateway) -> None:
    services.writer.add([event(number) for number in range(6)])
    place = Position(timestamp_utc=event(4).timestamp_utc, event_id=event(4).event_id, offset=2**63 - 1)
    first = ask(gateway, ("cursor", cursor.encode(place, EventFilter(), "desc")), ("limit", "2"))
    second = ask(gateway, ("cursor", first.json["next_cursor"]), ("limit", "2"))
    assert (numbers(first), numbers(second)) == ([3, 2], [1, 0])


def test_reading_needs_the_scope_for_it(services: Services) -> None:
    answer = ask(FakeGateway(services, scopes=[WRITE]))
    assert (answer.status, ask(FakeGateway(services), token=None).status) == (403, 401)
    assert 'scope="events:read"' in answer.headers["WWW-Authenticate"]


def test_a_store_that_is_down_is_answered_with_when_to_try_again(settings: Settings, store: FakeStore) -> None:
    store.down = True
    answer = ask(FakeGateway(Services(settings, reader=store)))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_large_events_make_shorter_pages_and_none_is_missed(gateway: FakeGateway, order: str) -> None:
    large = "x" * (MAX_EVENT_BYTES - 100)
    gateway.services.writer.add([event(number, event_data={"a": large, "number": number}) for number in range(30)])
    listing = list(pages(gateway, ("order", order)))
    assert sorted(number for page in listing for number in numbers(page)) == list(range(30))
    assert all(len(page.body) < MAX_RESPONSE_BYTES + 1000 for page in listing)
    assert [page.json["offset"] for page in listing] == [0, 7, 14, 21, 28]
    assert [page.json["count"] for page in listing] == [7, 7, 7, 7, 2]
    assert {page.json["limit"] for page in listing} == {100}


def test_an_event_larger_than_a_page_is_a_page(gateway: FakeGateway) -> None:
    huge = "x" * (MAX_RESPONSE_BYTES + 1)  # stored by an earlier version
    gateway.services.writer.add([event(number, event_data={"a": huge, "number": number}) for number in range(2)])
    listing = list(pages(gateway))
    assert [numbers(page) for page in listing] == [[1], [0]]
