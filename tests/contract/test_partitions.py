"""Monthly partitions on a real PostgreSQL: events move into them whole, and go with their ids."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, inspect, select, true
from typer.testing import CliRunner

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.domain.reconciliation import Window, minute_of
from core.errors import NotSupportedError
from core.ports.feed import FeedRequest
from core.ports.queue import QueueStatistics
from core.ports.store import Outcome
from core.stores import holds, partitions, purging, retention, schema
from core.stores.event_counters import ACCEPTED, SqlEventCounters
from core.stores.feed import SqlFeed
from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.checking.retention import INTERRUPTED
from core.stores.ledger.integration import Ledger
from core.stores.ledger.stored_tree import StoredTree
from core.stores.migrations.upgrade import migrate
from core.stores.reconciliation import reconcile, rows_received
from core.stores.sql import SqlEventStore
from local_runner.cli.partitions import app
from tests.support import databases
from tests.support.builders import event

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (1, 2, 3))
DECEMBER = int(datetime(2025, 12, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A separate database, since partitions outlive the rows in them."""
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        migrate(engine)
        yield engine


@pytest.fixture
def store(engine: Engine) -> SqlEventStore:
    return SqlEventStore(engine)


def at(*times: int) -> list[Event]:
    return [event(number, timestamp_utc=time) for number, time in enumerate(times)]


def delete_before(engine: Engine, before: int) -> dict[str, int]:
    """Delete all events before a time, in Unix seconds, a day after it; the numbers by month."""
    with engine.begin() as connection:
        connection.execute(delete(schema.retention_rules))
        connection.execute(insert(schema.retention_rules).values(event_type="", customer="", keep_days=1, at=NOW))
    return dict(purging.purge(engine, now=day_after(before), everything=True).deleted)


def day_after(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds + 86_400, UTC)


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 - of the test


def test_a_new_database_has_a_partition_for_any_time(engine: Engine, store: SqlEventStore) -> None:
    assert store.add(at(0, JANUARY, 253_402_300_799)) == [Outcome.STORED] * 3
    [default] = partitions.partitions(engine)
    assert (default.name, default.start, default.end) == ("events_default", None, None)
    assert default.size > 0


def test_months_are_made_ahead_once(engine: Engine) -> None:
    assert partitions.create(engine, 1, now=NOW) == ["events_2026_01", "events_2026_02"]
    assert partitions.create(engine, 2, now=NOW) == ["events_2026_03"]
    bounds = [(partition.name, partition.start, partition.end) for partition in partitions.partitions(engine)]
    assert bounds[:2] == [("events_2026_01", JANUARY, FEBRUARY), ("events_2026_02", FEBRUARY, MARCH)]
    assert [name for name, _, _ in bounds[2:]] == ["events_2026_03", "events_default"]


def test_events_that_are_there_move_into_their_month_and_stay_the_same(engine: Engine, store: SqlEventStore) -> None:
    batch = at(JANUARY - 1, JANUARY, FEBRUARY - 1, FEBRUARY, MARCH)
    store.add(batch)
    partitions.create(engine, 1, now=NOW)
    tables = ["events_default", "events_2026_01", "events_2026_02"]
    assert [count(engine, table) for table in tables] == [2, 2, 1]
    assert store.find_page(EventFilter(), PageRequest(order="asc")).events == batch
    assert [store.get(item.event_id) for item in batch] == batch
    assert store.add(batch) == [Outcome.DUPLICATE] * 5


def test_an_id_is_stored_once_whichever_partition_its_times_lead_to(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 1, now=NOW)
    assert store.add([event(1, timestamp_utc=JANUARY)]) == [Outcome.STORED]
    assert store.add([event(1, timestamp_utc=FEBRUARY)]) == [Outcome.CONFLICT]
    assert count(engine, "events") == 1


def test_pages_run_across_partitions_in_order(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 2, now=NOW)
    batch = at(*range(DECEMBER, MARCH + 90_000, 86_400))
    store.add(batch)
    assert store.find_page(EventFilter(), PageRequest(order="asc", limit=1000)).events == batch
    assert store.find_page(EventFilter(), PageRequest(limit=1000)).events == batch[::-1]


def test_no_event_is_out_of_sight_while_its_month_is_made(engine: Engine, store: SqlEventStore) -> None:
    store.add(at(*range(JANUARY, JANUARY + 5000)))
    done = Flag()

    def least() -> int:
        seen = 5000
        while not done.is_set():
            matches = store.find_page(EventFilter(start=JANUARY), PageRequest(limit=5000))
            seen = min(seen, matches.total_count, len(matches.events))
        return seen

    with ThreadPoolExecutor() as pool:
        counts = [pool.submit(least) for _ in range(3)]
        try:
            partitions.create(engine, 0, now=NOW)
        finally:
            done.set()
        assert [seen.result() for seen in counts] == [5000] * 3


def recorded(store: SqlEventStore) -> list[tuple[int, dict[str, Any]]]:
    """Customer and data of the events that record a deletion, by month."""
    event_filter = EventFilter(event_types=("audit-log.events.dropped",))
    found = store.find_page(event_filter, PageRequest(order="asc")).events
    return sorted(((event.customer_id, event.event_data) for event in found), key=lambda each: each[1]["month"])


def dropped_months(engine: Engine) -> dict[str, datetime]:
    with engine.connect() as connection:
        return {row.month: row.at for row in connection.execute(select(schema.dropped_months))}


def test_the_months_of_deleted_events_are_noted_with_the_time_of_the_last_deletion(
    engine: Engine, store: SqlEventStore
) -> None:
    """Places of these events stay in the ledger: a reader has to know why the events are missing."""
    partitions.create(engine, 0, now=NOW)
    store.add(at(DECEMBER, JANUARY - 1, JANUARY))
    delete_before(engine, JANUARY)
    assert dropped_months(engine) == {"2025-12": day_after(JANUARY)}
    store.add([event(9, timestamp_utc=DECEMBER)])
    delete_before(engine, FEBRUARY)
    assert dropped_months(engine) == dict.fromkeys(["2025-12", "2026-01"], day_after(FEBRUARY))


def test_the_feed_counts_deleted_events_and_has_those_that_are_stored_in_their_month_later(
    engine: Engine, store: SqlEventStore
) -> None:
    partitions.create(engine, 0, now=NOW)
    store.add(at(DECEMBER, JANUARY - 1, JANUARY))
    delete_before(engine, JANUARY)
    store.add([event(9, timestamp_utc=DECEMBER)])
    Ledger(engine).integrate()
    page = SqlFeed(engine).read(FeedRequest(EventFilter(visible_customers=(42,))))
    assert page.skipped == 2
    assert [each for _, each in page.entries] == [event(2, timestamp_utc=JANUARY), event(9, timestamp_utc=DECEMBER)]


def test_a_partition_of_several_months_notes_each(engine: Engine, store: SqlEventStore) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ({DECEMBER - 86_400}) TO ({JANUARY})"
        )
    store.add(at(DECEMBER - 1, DECEMBER))
    delete_before(engine, JANUARY)
    assert dropped_months(engine) == dict.fromkeys(["2025-11", "2025-12"], day_after(JANUARY))


def test_what_is_wholly_too_old_is_dropped_with_its_ids_and_nothing_else(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 2, now=NOW)
    batch = at(JANUARY, FEBRUARY - 1, FEBRUARY, MARCH)
    store.add(batch)
    assert delete_before(engine, FEBRUARY) == {"2026-01": 2}
    assert "events_2026_01" not in inspect(engine).get_table_names()
    assert store.find_page(EventFilter(customer_ids=(42,)), PageRequest(order="asc")).events == batch[2:]
    assert recorded(store) == [(-1, {"subject": "2026-01", "month": "2026-01", "events": 2})]
    assert count(engine, "event_ids") == 3
    assert store.add(batch) == [Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE]


def test_old_events_in_the_default_partition_go_month_by_month(engine: Engine, store: SqlEventStore) -> None:
    """Partitions that were first created months later do not have them."""
    november = datetime(2026, 11, 15, tzinfo=UTC)
    june, july, august = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (6, 7, 8))
    store.add(at(0, june, june + 1, july - 1, july, august - 1, august))
    partitions.create(engine, 1, now=november)
    assert delete_before(engine, august) == {"1970-01": 1, "2026-06": 3, "2026-07": 2}
    assert [each.timestamp_utc for each in store.find_page(EventFilter(end=august), PageRequest()).events] == [august]
    assert [data["events"] for _, data in recorded(store)] == [1, 3, 2]
    assert delete_before(engine, august) == {}


def test_what_retention_deletes_is_accounted_for(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 0, now=NOW)
    store.add(at(DECEMBER, JANUARY, JANUARY + 1))
    counters, received = SqlEventCounters(engine), minute_of(event().received_at)
    counters.add("door", {(received, ACCEPTED): 3})
    delete_before(engine, FEBRUARY)
    result = reconcile(
        Window(0, received + 10**6), counters, lambda: QueueStatistics(0), stored=partial(rows_received, engine)
    )
    assert (result.accepted, result.stored, result.dropped, result.difference) == (5, 2, 3, 0)


def test_a_partition_that_was_detached_only_is_dropped_by_the_next_run(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 0, now=NOW)
    partitions.create(engine, 0, now=datetime(2020, 1, 1, tzinfo=UTC))
    store.add(at(JANUARY, JANUARY + 1))
    with engine.begin() as connection:  # somebody keeps this one elsewhere
        connection.exec_driver_sql("ALTER TABLE events DETACH PARTITION events_2020_01")
    [january, _] = partitions.partitions(engine)
    retention._detach(engine, january, true())  # noqa: SLF001 - a kill after this step
    assert [each.name for each in partitions.partitions(engine)] == ["events_default"]
    assert delete_before(engine, FEBRUARY) == {"2026-01": 2}
    assert recorded(store) == [(-1, {"subject": "2026-01", "month": "2026-01", "events": 2})]
    assert {"events_2020_01"} == {name for name in inspect(engine).get_table_names() if name.startswith("events_2")}


def test_a_check_of_the_ledger_names_a_purge_that_was_interrupted(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 0, now=NOW)
    store.add(at(JANUARY, JANUARY + 1))
    ledger = Ledger(engine, StoredTree())
    ledger.integrate()
    [january, _] = partitions.partitions(engine)
    retention._detach(engine, january, true())  # noqa: SLF001 - a kill after this step
    assert [found.detail.endswith(INTERRUPTED) for found in check_ledger(engine).findings.named] == [True, True]
    assert delete_before(engine, FEBRUARY) == {"2026-01": 2}
    ledger.integrate()
    assert check_ledger(engine).is_whole


def test_an_event_that_is_held_after_its_partition_was_detached_is_kept(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 0, now=NOW)
    store.add(at(JANUARY, JANUARY + 1))
    [january, _] = partitions.partitions(engine)
    retention._detach(engine, january, true())  # noqa: SLF001 - a kill after this step
    hold = holds.place(engine, holds.Hold(until=JANUARY + 1), by="tests", at=NOW)
    try:
        assert delete_before(engine, FEBRUARY) == {"2026-01": 1}
    finally:
        holds.release(engine, hold.hold_id, reason="settled", by="tests", at=NOW)
    found = store.find_page(EventFilter(customer_ids=(42,)), PageRequest()).events
    assert [each.timestamp_utc for each in found] == [JANUARY]


def test_ids_that_an_interrupted_deletion_left_are_deleted_with_the_next_partition(
    engine: Engine, store: SqlEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_IDS_PER_CHUNK", 2)
    partitions.create(engine, 1, now=NOW)
    store.add(at(*range(JANUARY, JANUARY + 7), FEBRUARY, MARCH))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE events_2026_01")
    assert delete_before(engine, MARCH) == {"2026-02": 1}
    assert count(engine, "event_ids") == 2  # of the last event, and of the one that records the deletion


@pytest.mark.parametrize("other", ["sqlite_store", "mariadb_store"])
def test_other_databases_have_no_partitions(request: pytest.FixtureRequest, other: str) -> None:
    store: SqlEventStore = request.getfixturevalue(other)
    with pytest.raises(NotSupportedError, match="on PostgreSQL only"):
        partitions.partitions(store._engine)  # noqa: SLF001 - the test's own


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("AUDIT_LOG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    return CliRunner()


def test_the_command_makes_and_shows(run: CliRunner) -> None:
    assert "created events_" in run.invoke(app, ["create", "--ahead", "0"]).output
    assert run.invoke(app, ["create", "--ahead", "0"]).output == "all partitions exist\n"
    assert "any other time" in run.invoke(app, ["list"]).output


def test_a_partition_goes_without_the_events_that_a_legal_hold_keeps(engine: Engine, store: SqlEventStore) -> None:
    store.add(at(JANUARY, JANUARY + 1, FEBRUARY))
    partitions.create(engine, 0, now=datetime.fromtimestamp(JANUARY, UTC))
    hold = holds.place(engine, holds.Hold(until=JANUARY + 1, reason="case 7"), by="counsel", at=NOW)
    assert delete_before(engine, FEBRUARY) == {"2026-01": 1}
    assert store.get(event(0).event_id) is not None
    holds.release(engine, hold.hold_id, reason="settled", by="counsel", at=NOW)
    assert delete_before(engine, FEBRUARY) == {"2026-01": 1}


def test_a_check_explains_deleted_months_by_the_events_that_record_them(engine: Engine, store: SqlEventStore) -> None:
    ledger = Ledger(engine, StoredTree())
    store.add(at(DECEMBER, DECEMBER + 1, JANUARY, FEBRUARY))
    ledger.integrate()
    delete_before(engine, JANUARY)
    ledger.integrate()
    report = check_ledger(engine)
    assert (report.is_whole, report.dropped) == (True, 2)


def test_a_row_that_was_deleted_before_retention_makes_its_count_too_short(
    engine: Engine, store: SqlEventStore
) -> None:
    ledger = Ledger(engine, StoredTree())
    store.add(at(DECEMBER, DECEMBER + 1, JANUARY))
    ledger.integrate()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM events WHERE event_id = '{event(0).event_id}'")  # noqa: S608 - of the test
    delete_before(engine, JANUARY)
    ledger.integrate()
    assert [(each.kind, each.event_id) for each in check_ledger(engine).findings.named] == [
        ("missing", event(0).event_id),
        ("missing", event(1).event_id),
    ]
