"""Every usual query reads its page off an index: it neither scans the table nor sorts what it found."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event

from core.domain.queries import DataFilter, EventFilter, PageRequest, Position
from core.settings import Settings
from core.stores.engine import open_engine, reading_engine
from core.stores.sql import SqlEventStore
from tests.support import databases
from tests.support.builders import event as built

PLACE = Position(timestamp_utc=100, event_id="00000000-0000-7000-8000-000000000001", offset=1)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = open_engine(settings.store_url)
    databases.copy_migrated(engine.url)
    yield engine
    engine.dispose()


def plans(engine: Engine, event_filter: EventFilter, page: PageRequest) -> list[str]:
    """How SQLite goes about each statement with which the store finds a page."""
    statements: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(reading_engine(engine), "before_cursor_execute", note)
    SqlEventStore(engine).find_page(event_filter, page)
    event.remove(reading_engine(engine), "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            "; ".join(
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
            )
            for statement, parameters in statements
        ]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, PLACE])
@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ({}, "ix_events_time"),
        ({"start": 1, "end": 200}, "ix_events_time"),
        ({"event_types": ("a",)}, "ix_events_type_time"),
        ({"event_types": ("a",), "start": 1, "end": 200}, "ix_events_type_time"),
        ({"customer_ids": (1,)}, "ix_events_customer_time"),
        ({"customer_ids": (1,), "start": 1, "end": 200}, "ix_events_customer_time"),
        ({"visible_customers": (1,)}, "ix_events_customer_time"),
        ({"customer_ids": (1,), "event_types": ("a",)}, "ix_events_customer_type_time"),
        ({"customer_ids": (1,), "event_types": ("a",), "start": 1, "end": 200}, "ix_events_customer_type_time"),
    ],
)
def test_a_page_is_read_off_its_index_without_sorting(
    engine: Engine, conditions: dict[str, Any], index: str, after: Position | None, order: Any
) -> None:
    page, count = plans(engine, EventFilter(**conditions), PageRequest(order=order, after=after, offset=1))
    assert f"USING INDEX {index}" in page
    assert "TEMP B-TREE" not in page
    assert "COVERING INDEX" in count


@pytest.mark.parametrize(("order", "sign"), [("desc", "<"), ("asc", ">")])
@pytest.mark.parametrize("times", [{}, {"start": 1, "end": 200}])
def test_a_page_after_a_place_begins_there(engine: Engine, times: dict[str, Any], order: Any, sign: str) -> None:
    page, _ = plans(engine, EventFilter(customer_ids=(1,), **times), PageRequest(after=PLACE, order=order))
    assert f"(timestamp_utc,event_id){sign}(?,?)" in page


def test_one_event_is_read_by_its_key(engine: Engine) -> None:
    with engine.connect() as connection:
        [row] = connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT * FROM events WHERE event_id IN ('a')")
    assert row[3].startswith("SEARCH events USING INDEX sqlite_autoindex_events_1")


EVENTS = 12_000
MOST_STEPS = 60_000
"""Of SQLite's machine: some hundred rows found by an index and passed on take a tenth of it, all events far more."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Many events, nearly all of one customer and of one type."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('full')}/audit-log.db")
    databases.copy_migrated(engine.url)
    SqlEventStore(engine).add(
        [
            built(
                number,
                event_type="rare" if number % 1_000 == 7 else "common",
                customer_id=2 if number % 1_000 == 9 else 1,
                event_data={"user": {"name": f"user {number % 1_000}"}, "half": number % 2 == 0},
            )
            for number in range(EVENTS)
        ]
    )
    yield engine
    engine.dispose()


def steps(engine: Engine, call: Callable[[], object]) -> int:
    """In tens, how many steps SQLite takes for a call."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    with engine.connect() as connection:  # the pool hands out the same one again
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(step, 10)
    call()
    driver.set_progress_handler(None, 0)
    return taken * 10


def data(*path: str | int, values: tuple[Any, ...]) -> tuple[DataFilter, ...]:
    return (DataFilter(path=path, values=values),)


BIG: dict[str, Any] = {"customer_ids": (1,)}
BEFORE_ALL = Position(timestamp_utc=0, event_id=PLACE.event_id, offset=EVENTS)


@pytest.mark.parametrize("after", [None, BEFORE_ALL])
@pytest.mark.parametrize(
    ("conditions", "total"),
    [
        ({"customer_ids": (1,), "event_types": ("rare", "none such")}, 12),
        ({"customer_ids": (1,), "event_types": ("none such", "nor such")}, 0),
        ({"visible_customers": tuple(range(2, 52))}, 12),
        ({"visible_customers": tuple(range(2, 52)), "event_types": ("common", "rare")}, 12),
        (BIG | {"data": data("user", "name", values=("user 77",))}, 12),
        (BIG | {"data": data("user", "name", values=("user 77",)), "start": 1}, 12),
        (BIG | {"data": data("user", "name", values=("nobody",))}, 0),
        ({"data": data("user", "name", values=("nobody", "user 77"))}, 12),
        ({"event_types": ("rare",), "data": data("half", values=(True,))}, 0),
    ],
)
def test_few_matches_among_many_events_cost_little(
    full: Engine, conditions: dict[str, Any], total: int, after: Position | None
) -> None:
    store = SqlEventStore(full)
    found = []
    taken = steps(full, lambda: found.append(store.find_page(EventFilter(**conditions), PageRequest(after=after))))
    assert found[0].total_count == total
    assert taken < MOST_STEPS


@pytest.mark.parametrize("conditions", [{}, {"event_types": ("common",)}])
def test_half_of_all_events_are_found_in_their_order(full: Engine, conditions: dict[str, Any]) -> None:
    """5,988 of them: too many to sort."""
    wanted = EventFilter(**BIG, **conditions, data=data("half", values=(True,)))
    page = plans(full, wanted, PageRequest())[2]
    assert page.startswith("SEARCH events USING INDEX ix_events_customer")
    assert "event_terms VIRTUAL TABLE" in page
    assert "TEMP B-TREE" not in page
    matches = SqlEventStore(full).find_page(wanted, PageRequest(limit=1))
    assert (matches.total_count, matches.total_relation) == (6_000, "eq")
