"""A reconciliation counts the rows in the table, on every database, whatever was counted when they were stored."""

import pytest
from sqlalchemy import Engine, event

from core.auth import clients
from core.domain.audit_events import audit_event
from core.domain.reconciliation import Window, minute_of
from core.ports.queue import QueueStatistics
from core.stores.clients import SqlClientStore
from core.stores.event_counters import ACCEPTED, SqlEventCounters
from core.stores.reconciliation import reconcile, rows_received
from core.stores.sql import SqlEventStore
from tests.support.builders import RECEIVED_AT
from tests.support.builders import event as build

MINUTE = minute_of(RECEIVED_AT)
WINDOW = Window(MINUTE, MINUTE + 90)


@pytest.fixture
def engine(sql_store: SqlEventStore) -> Engine:
    engine: Engine = sql_store._engine  # noqa: SLF001 - of the fixture
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM tallies")
    return engine


def difference(engine: Engine, window: Window = WINDOW) -> int:
    return reconcile(
        window,
        SqlEventCounters(engine),
        lambda: QueueStatistics(waiting=0),
        stored=lambda window: rows_received(engine, window),
    ).difference


def test_rows_count_in_the_minute_in_which_their_event_was_received(sql_store: SqlEventStore, engine: Engine) -> None:
    times = ["11:59:59.999", "12:00:00", "12:59:59.999", "13:00:00", "13:29:59.999", "13:30:00"]
    sql_store.add([build(n, received_at=f"2026-01-31T{time}Z", timestamp_utc=n) for n, time in enumerate(times)])
    assert rows_received(engine, WINDOW) == 4
    assert rows_received(engine, Window(MINUTE - 1, MINUTE + 91)) == 6
    assert rows_received(engine, Window(0, MINUTE - 1)) == 0


def test_events_that_were_deleted_are_missed(sql_store: SqlEventStore, engine: Engine) -> None:
    sql_store.add([build(number) for number in range(100)])
    SqlEventCounters(engine).add("door", {(MINUTE, ACCEPTED): 100})
    assert difference(engine) == 0
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    assert difference(engine) == 100


def test_an_event_of_the_service_itself_makes_no_difference(engine: Engine) -> None:
    """It would hide the loss of another one."""
    client, _ = clients.create("shop", ["events:write"], None, at=RECEIVED_AT)
    SqlClientStore(engine).save_client(client, audit_event("client.created", client.client_id, at=RECEIVED_AT))
    assert rows_received(engine, WINDOW) == 1
    assert difference(engine) == 0


def test_rows_are_counted_by_an_index(sql_store: SqlEventStore, engine: Engine) -> None:
    times = [f"2026-01-31T{12 + number // 100}:00:00Z" for number in range(1000)]
    sql_store.add([build(number, received_at=time) for number, time in enumerate(times)])
    plans: list[str] = []

    def explain(connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "received_at" in statement and not statement.startswith("EXPLAIN"):
            prefix = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
            rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters)  # type: ignore[attr-defined]
            plans.append("\n".join(map(str, rows)))

    event.listen(engine, "before_cursor_execute", explain)
    if engine.dialect.name == "postgresql":
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE events")
    assert rows_received(engine, Window(MINUTE, MINUTE + 1)) == 100
    event.remove(engine, "before_cursor_execute", explain)
    assert len(plans) == 2
    for plan in plans:
        assert any(index in plan for index in ("ix_events_received", "received_at_idx", "optimized away")), plan
