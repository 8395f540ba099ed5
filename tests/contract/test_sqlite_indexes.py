"""Every usual query reads its page off an index: it neither scans the table nor sorts what it found."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event

from core.queries import EventFilter, PageRequest, Position
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.migrate import migrate
from core.stores.sql import SqlEventStore

PLACE = Position(timestamp_utc=100, event_id="00000000-0000-7000-8000-000000000001", offset=1)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = open_engine(settings.store_url)
    migrate(engine)
    yield engine
    engine.dispose()


def plans(engine: Engine, event_filter: EventFilter, page: PageRequest) -> list[str]:
    """How SQLite goes about each statement with which the store finds a page."""
    statements: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    SqlEventStore(engine).find(event_filter, page)
    event.remove(engine, "before_cursor_execute", note)
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


def test_a_page_after_a_place_begins_there(engine: Engine) -> None:
    page, _ = plans(engine, EventFilter(customer_ids=(1,)), PageRequest(after=PLACE))
    assert "(customer_id=? AND (timestamp_utc,event_id)<(?,?))" in page


def test_one_event_is_read_by_its_key(engine: Engine) -> None:
    with engine.connect() as connection:
        [row] = connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT * FROM events WHERE event_id IN ('a')")
    assert row[3].startswith("SEARCH events USING INDEX sqlite_autoindex_events_1")
