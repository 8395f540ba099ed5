import csv
import io
import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from core.auth.tokens import WRITE
from core.domain import cursor
from core.domain.models import Event
from core.domain.queries import EventFilter, Listing, PageRequest, Position
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.export_events import PART_SECONDS, export_events
from functions.http.limits import MAX_RESPONSE_BYTES
from functions.query_events import query_events
from tests.support.builders import event
from tests.support.fakes import Answer, FakeClock, FakeGateway, FakeStore

NOW = 1_800_000_000
LAMBDA_RESPONSE_BYTES = 6 * 1024 * 1024


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def services(settings: Settings, sqlite_store: SqlEventStore, clock: FakeClock) -> Services:
    return Services(settings, reader=sqlite_store, writer=sqlite_store, clock=clock)


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def ask(gateway: FakeGateway, *query: tuple[str, str], **parts: Any) -> Answer:
    return gateway.call(export_events, path="/event/export", query=query, **parts)


def following(answer: Answer) -> list[tuple[str, str]] | None:
    """The query string of the part that comes next."""
    link = re.fullmatch(r'<\?([!-~]+)>; rel="next"', answer.headers.get("Link", ""))
    return parse_qsl(link[1], strict_parsing=True) if link else None


def parts(gateway: FakeGateway, *query: tuple[str, str]) -> Iterator[Answer]:
    place: list[tuple[str, str]] | None = list(query)
    while place is not None:
        answer = ask(gateway, *place)
        assert answer.status == 200, answer.body
        yield answer
        place = following(answer)


def numbers(*answers: Answer) -> list[int]:
    lines = b"".join(answer.body for answer in answers).splitlines()
    return [int(json.loads(line)["event_id"][-12:]) for line in lines]


def big_event(number: int, size: int = 200_000) -> Event:
    return event(number, event_data={"text": "x" * size})


def test_a_line_is_the_event_as_a_query_answers_it(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number) for number in range(3)])
    answer = ask(gateway)
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    page = gateway.call(query_events, query=[("order", "asc")]).json
    assert [json.loads(line) for line in answer.body.splitlines()] == page["events"]
    assert following(answer) is None


def test_nothing_found_is_an_empty_file(gateway: FakeGateway) -> None:
    assert ask(gateway).body == b""
    assert ask(gateway, ("format", "csv")).body.count(b"\r\n") == 1


def test_the_parts_together_are_every_event_once_in_order(gateway: FakeGateway) -> None:
    shuffled = list(range(25))
    random.Random(5).shuffle(shuffled)  # noqa: S311 - an order, no secret
    gateway.services.writer.add([big_event(number) for number in shuffled])
    answers = list(parts(gateway))
    assert numbers(*answers) == list(range(25))
    assert len(answers) == 3
    assert all(len(answer.body) <= MAX_RESPONSE_BYTES for answer in answers)


def test_the_fullest_part_is_one_that_lambda_can_answer(gateway: FakeGateway) -> None:
    # Lambda answers by JSON in ASCII: three bytes for each of these.
    gateway.services.writer.add(
        [event(number, event_data={"text": "\N{GRINNING FACE}" * 50_000}) for number in range(20)]
    )
    for kind in ("ndjson", "csv"):
        assert len(json.dumps(ask(gateway, ("format", kind)).body.decode())) < LAMBDA_RESPONSE_BYTES - 20_000


def test_every_filter_counts_in_every_part(gateway: FakeGateway) -> None:
    gateway.services.writer.add(
        [
            event(n, customer_id=n % 2, event_type="a&b" if n % 3 else "c", event_data={"t": "x" * 200_000, "u": n % 5})
            for n in range(90)
        ]
    )
    query = [
        ("customer_id", "1"), ("event_type", "a&b"), ("event_data.u", "1"), ("event_data.u", "2"),
        ("event_data.u", "0"), ("event_data.u", "3"), ("timestamp_end_utc", str(event(80).timestamp_utc)),
    ]  # fmt: skip
    answers = list(parts(gateway, *query))
    assert len(answers) > 1
    assert numbers(*answers) == [n for n in range(81) if n % 2 and n % 3 and n % 5 != 4]


def test_what_comes_during_an_export_is_left_to_the_next(gateway: FakeGateway, clock: FakeClock) -> None:
    gateway.services.writer.add([big_event(number) for number in range(10, 30)])
    answers = parts(gateway)
    first = next(answers)
    clock.now += 1
    late = datetime.fromtimestamp(clock.now, UTC)
    gateway.services.writer.add([event(number, received_at=late) for number in (5, 40)])
    assert numbers(first, *answers) == list(range(10, 30))
    assert numbers(*parts(gateway)) == [5, *range(10, 30), 40]


def test_a_clock_that_was_set_back_hides_nothing(services: Services, clock: FakeClock) -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    services.writer.add([big_event(number).model_copy(update={"received_at": at}) for number in range(20)])
    clock.now -= 120
    answers = parts(FakeGateway(services))
    first = next(answers)
    clock.now += 240
    services.writer.add([event(60, received_at=datetime.fromtimestamp(clock.now, UTC))])
    assert numbers(first, *answers) == list(range(20))


def test_an_export_up_to_a_moment_is_the_same_whenever_it_is_made(gateway: FakeGateway, clock: FakeClock) -> None:
    before = datetime.fromtimestamp(NOW - 1, UTC)
    gateway.services.writer.add([event(1, received_at=before), event(2, received_at=datetime.fromtimestamp(NOW, UTC))])
    clock.now += 100
    assert numbers(ask(gateway, ("received_until_ms", str(NOW * 1000 - 1)))) == [1]
    assert numbers(ask(gateway, ("received_until_ms", str(NOW * 1000)))) == [1, 2]


def test_csv_has_a_row_for_each_event_below_one_header(gateway: FakeGateway) -> None:
    data = {"text": 'with "quotes", commas\r\nand lines', "n": -1.5, "x": "x" * 100_000}
    gateway.services.writer.add([event(number, event_data=data) for number in range(30)])
    answers = list(parts(gateway, ("format", "csv")))
    assert len(answers) == 2
    assert answers[0].headers["Content-Type"] == "text/csv; charset=utf-8"
    whole = b"".join(answer.body for answer in answers).decode()
    assert whole.count("\r\n") == 31
    rows = list(csv.DictReader(io.StringIO(whole, newline="")))
    assert [json.loads(row["event_data"]) for row in rows] == [data] * 30
    assert {name: rows[3][name] for name in rows[3] if name != "event_data"} == {
        "event_id": event(3).event_id,
        "event_type": "user.login",
        "customer_id": "42",
        "timestamp_utc": "2023-11-14T22:13:23Z",
        "received_at": "2026-01-31T12:00:00.123Z",
        "recorded_by": "tests",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_csv_is_a_formula_and_numbers_stay_numbers(gateway: FakeGateway, start: str) -> None:
    formula = f'{start}HYPERLINK("http://192.0.2.1","x")'
    kind = "login" if start.isspace() else formula  # no event has a type with control characters
    gateway.services.writer.add([event(1, event_type=kind, recorded_by=formula, customer_id=-5)])
    [row] = csv.DictReader(io.StringIO(ask(gateway, ("format", "csv")).body.decode(), newline=""))
    assert (row["event_type"], row["recorded_by"]) == ("login" if start.isspace() else f"'{formula}", f"'{formula}")
    assert row["customer_id"] == "-5"


def test_a_token_exports_what_it_may_see_and_no_more(services: Services) -> None:
    services.writer.add([event(number, customer_id=number % 3) for number in range(9)])
    assert numbers(ask(FakeGateway(services, customers=[1]))) == [1, 4, 7]
    assert (ask(FakeGateway(services, scopes=[WRITE])).status, ask(FakeGateway(services), token=None).status) == (
        403,
        401,
    )


def test_a_part_with_the_highest_offset_leads_on(gateway: FakeGateway) -> None:
    gateway.services.writer.add([event(number) for number in range(5)])
    until = datetime.fromtimestamp(NOW, UTC)
    first = event(0)
    place = Position(timestamp_utc=first.timestamp_utc, event_id=first.event_id, offset=2**63 - 1)
    forged = cursor.encode(place, EventFilter(received_until=until), "asc")
    assert numbers(ask(gateway, ("received_until_ms", str(NOW * 1000)), ("cursor", forged))) == [1, 2, 3, 4]


def test_a_part_is_of_use_only_in_its_own_export(gateway: FakeGateway, clock: FakeClock) -> None:
    gateway.services.writer.add([big_event(number) for number in range(15)])
    place = dict(following(ask(gateway)) or [])
    clock.now += 1
    ordinary = gateway.call(query_events, query=[("order", "asc"), ("limit", "1")]).json["next_cursor"]
    for query in [
        {**place, "customer_id": "42"},
        {**place, "received_until_ms": "1"},
        {"cursor": place["cursor"]},
        {**place, "cursor": ordinary},
    ]:
        answer = ask(gateway, *query.items())
        assert answer.status == 422
        assert "another listing" in answer.errors["cursor"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("format", "xlsx", "must be ndjson or csv"),
        ("received_until_ms", "-1", "must be at least 0"),
        ("limit", "5", "is not a parameter"),
        ("cursor", "?", "is not a cursor"),
        ("timestamp_start_utc", "x", "must be Unix seconds"),
    ],
)
def test_what_is_wrong_is_told(gateway: FakeGateway, name: str, value: str, message: str) -> None:
    answer = ask(gateway, (name, value))
    assert answer.status == 422
    assert message in answer.errors[name]


def test_a_slow_store_makes_shorter_parts_and_the_same_file(settings: Settings, clock: FakeClock) -> None:
    class SlowStore(FakeStore):
        def list_page(self, event_filter: EventFilter, page: PageRequest) -> Listing:
            clock.now += PART_SECONDS * 0.75
            return super().list_page(event_filter, page)

    store = SlowStore()
    store.add([event(number) for number in range(650)])
    gateway = FakeGateway(Services(settings, reader=store, clock=clock))
    answers = list(parts(gateway))
    assert [len(numbers(answer)) for answer in answers] == [200, 200, 200, 50]
    assert numbers(*answers) == list(range(650))


def test_a_store_that_is_down_is_answered_with_when_to_try_again(settings: Settings, store: FakeStore) -> None:
    store.down = True
    answer = ask(FakeGateway(Services(settings, reader=store)))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", "'", "''", "it's", "-", "@a", "+", "plain", " =1"])
def test_every_text_of_csv_can_be_restored(gateway: FakeGateway, text: str) -> None:
    gateway.services.writer.add([event(1, event_type=text, recorded_by=text)])
    [row] = csv.DictReader(io.StringIO(ask(gateway, ("format", "csv")).body.decode(), newline=""))
    assert row["event_type"].removeprefix("'") == text
    assert row["recorded_by"].removeprefix("'") == text
