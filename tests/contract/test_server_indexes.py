"""The same on the servers: every usual query reads its page off an index, without sorting what it found."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event

from core.domain.queries import DataFilter, EventFilter, PageRequest, Position
from core.stores.engine import reading_engine
from core.stores.sql import SqlEventStore
from tests.support import builders, databases

EVENTS = [
    builders.event(number, event_type=f"type {number % 40}", customer_id=number // 40 % 25, timestamp_utc=number)
    for number in range(4000)
]
PLACE = Position(timestamp_utc=2000, event_id=EVENTS[2000].event_id, offset=1)

CASES = pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ({}, "ix_events_time"),
        ({"start": 1, "end": 3000}, "ix_events_time"),
        ({"event_types": ("type 1",)}, "ix_events_type_time"),
        ({"event_types": ("type 1",), "start": 1, "end": 3000}, "ix_events_type_time"),
        ({"customer_ids": (1,)}, "ix_events_customer_time"),
        ({"customer_ids": (1,), "start": 1, "end": 3000}, "ix_events_customer_time"),
        ({"visible_customers": (1,)}, "ix_events_customer_time"),
        ({"customer_ids": (1,), "event_types": ("type 1",)}, "ix_events_customer_type_time"),
        ({"customer_ids": (1,), "event_types": ("type 1",), "start": 1, "end": 3000}, "ix_events_customer_type_time"),
    ],
)


def filled(engine: Engine, analyze: str) -> Engine:
    databases.empty(engine)
    SqlEventStore(engine).add(EVENTS)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(analyze).close()
    return engine


@pytest.fixture(scope="module")
def full_postgresql(postgresql: Engine) -> Iterator[Engine]:
    yield filled(postgresql, "ANALYZE events, event_ids")
    databases.empty(postgresql)


@pytest.fixture(scope="module")
def full_mariadb(mariadb: Engine) -> Iterator[Engine]:
    yield filled(mariadb, "ANALYZE TABLE events")
    databases.empty(mariadb)


def first_query(engine: Engine, call: Callable[[], object]) -> tuple[str, Any]:
    """The first statement of a call that asks for events, and its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "FROM events" in statement:
            statements.append((statement, parameters))

    event.listen(reading_engine(engine), "before_cursor_execute", note)
    call()
    event.remove(reading_engine(engine), "before_cursor_execute", note)
    return statements[0]


def page_statement(engine: Engine, event_filter: EventFilter, page: PageRequest) -> tuple[str, Any]:
    return first_query(engine, lambda: SqlEventStore(engine).list_page(event_filter, page))


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, PLACE])
@CASES
def test_postgresql_reads_a_page_off_its_index(
    full_postgresql: Engine, conditions: dict[str, Any], index: str, after: Position | None, order: Any
) -> None:
    page = PageRequest(limit=10, order=order, after=after)
    statement, parameters = page_statement(full_postgresql, EventFilter(**conditions), page)
    with full_postgresql.connect() as connection:
        # A few thousand rows are sorted faster than that; the question is whether they must be.
        for other_way in ("sort", "seqscan", "bitmapscan", "incremental_sort"):
            connection.exec_driver_sql(f"SET LOCAL enable_{other_way} = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
        child = connection.exec_driver_sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", (index,)
        ).scalar_one()
    assert f"using {child} " in plan, plan
    assert "Sort" not in plan
    if after:
        assert "Index Cond: (" in plan
        assert "ROW(timestamp_utc, event_id)" in plan.partition("Index Cond")[2].partition("\n")[0]


@pytest.mark.parametrize(
    ("conditions", "mode", "total"),
    [
        ({}, "force_generic_plan", 4000),
        ({"customer_ids": (1,), "start": 1, "end": 3000}, "force_generic_plan", 120),
        ({"customer_ids": (1, 2), "event_types": ("type 1", "none such")}, "force_custom_plan", 8),
        ({"event_types": ("none such",)}, "force_generic_plan", 0),
    ],
)
def test_postgresql_reads_a_page_and_counts_in_one_statement(
    full_postgresql: Engine, conditions: dict[str, Any], mode: str, total: int
) -> None:
    modes: list[str] = []

    def note(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        if "FROM events" in statement:
            modes.append(connection.exec_driver_sql("SELECT current_setting('plan_cache_mode')").scalar_one())

    event.listen(reading_engine(full_postgresql), "before_cursor_execute", note)
    found = SqlEventStore(full_postgresql).find_page(EventFilter(**conditions), PageRequest(limit=3))
    event.remove(reading_engine(full_postgresql), "before_cursor_execute", note)
    assert (len(found.events), found.total_count) == (min(3, total), total)
    assert modes == [mode]


def test_postgresql_never_takes_a_generic_plan_where_values_decide(full_postgresql: Engine) -> None:
    with reading_engine(full_postgresql).connect() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('plan_cache_mode')").scalar_one() == (
            "force_custom_plan"
        )


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, PLACE])
@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ({"customer_ids": (1, 2), "event_types": ("type 1", "none such")}, "ix_events_customer_type_time"),
        ({"customer_ids": (1,), "event_types": ("type 1", "none such")}, "ix_events_customer_type_time"),
        ({"visible_customers": tuple(range(24, 74)), "start": 1}, "ix_events_customer_time"),
        ({"event_types": ("none such", "nor such")}, "ix_events_type_time"),
    ],
)
def test_postgresql_reads_a_page_of_several_off_an_index_for_each(
    full_postgresql: Engine, conditions: dict[str, Any], index: str, after: Position | None, order: Any
) -> None:
    plans: list[str] = []

    def explain(connection: Any, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        # In the transaction of the query, since the settings are its own.
        if "LATERAL" in statement and not statement.startswith("EXPLAIN"):
            plans.append("\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()))

    event.listen(reading_engine(full_postgresql), "before_cursor_execute", explain)
    SqlEventStore(full_postgresql).find_page(EventFilter(**conditions), PageRequest(limit=10, order=order, after=after))
    event.remove(reading_engine(full_postgresql), "before_cursor_execute", explain)
    with full_postgresql.connect() as connection:
        child = connection.exec_driver_sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", (index,)
        ).scalar_one()
    [plan] = plans
    assert f"using {child} " in plan, plan
    assert plan.count("Sort Key") == 1, plan
    assert plan.index("Sort Key") < plan.index("Nested Loop"), plan


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, PLACE])
@CASES
def test_mariadb_reads_a_page_off_its_index(
    full_mariadb: Engine, conditions: dict[str, Any], index: str, after: Position | None, order: Any
) -> None:
    page = PageRequest(limit=10, order=order, after=after)
    statement, parameters = page_statement(full_mariadb, EventFilter(**conditions), page)
    with full_mariadb.connect() as connection:
        [plan] = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings()
    assert plan["key"] == index
    assert "filesort" not in plan["Extra"]
    if after:
        assert plan["type"] == "range"


def test_one_event_is_read_by_its_id(full_postgresql: Engine, full_mariadb: Engine) -> None:
    for engine in (full_postgresql, full_mariadb):
        store = SqlEventStore(engine)
        statement, parameters = first_query(engine, partial(store.get, EVENTS[7].event_id))
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
        plan = "\n".join(map(str, rows))
        assert "Seq Scan" not in plan
        assert ("event_ids_pkey" in plan) or ("PRIMARY" in plan)


def test_postgresql_finds_a_value_inside_of_event_data_by_an_index(full_postgresql: Engine) -> None:
    wanted = EventFilter(data=(DataFilter(path=("number",), values=(7, 8)),))
    statement, parameters = page_statement(full_postgresql, wanted, PageRequest())
    with full_postgresql.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert "Bitmap Index Scan on events_default_event_data_idx" in plan, plan
