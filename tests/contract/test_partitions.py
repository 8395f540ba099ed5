"""Monthly partitions on a real PostgreSQL: events move into them whole, and go with their ids."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event as Flag

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.errors import NotSupportedError
from core.ports.store import Outcome
from core.stores import partitions
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from local_runner.cli.partitions import app
from tests.support import databases
from tests.support.builders import event

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (1, 2, 3))
DECEMBER = int(datetime(2025, 12, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database of its own, since partitions outlive the rows in them."""
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        migrate(engine)
        yield engine


@pytest.fixture
def store(engine: Engine) -> SqlEventStore:
    return SqlEventStore(engine)


def at(*times: int) -> list[Event]:
    return [event(number, timestamp_utc=time) for number, time in enumerate(times)]


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


def test_what_is_wholly_too_old_is_dropped_with_its_ids_and_nothing_else(engine: Engine, store: SqlEventStore) -> None:
    partitions.create(engine, 2, now=NOW)
    batch = at(DECEMBER, JANUARY, FEBRUARY - 1, FEBRUARY, MARCH)
    store.add(batch)
    april = datetime(2026, 4, 15, tzinfo=UTC)
    assert partitions.expired(engine, before=partitions.horizon(3, now=april)) == []
    before = partitions.horizon(2, now=april)
    going = partitions.expired(engine, before=before)
    assert [partition.name for partition in going] == ["events_2026_01"]
    assert partitions.drop(engine, ["events_2026_01"], before=before) == 2
    assert store.find_page(EventFilter(), PageRequest(order="asc")).events == [batch[0], *batch[3:]]
    assert count(engine, "event_ids") == 3
    assert store.add(batch) == [
        Outcome.DUPLICATE, Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE
    ]  # fmt: skip


def test_ids_that_an_interrupted_drop_left_are_taken_later(
    engine: Engine, store: SqlEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_IDS_PER_CHUNK", 2)
    partitions.create(engine, 0, now=NOW)
    store.add(at(DECEMBER, *range(JANUARY, JANUARY + 7), FEBRUARY))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE events_2026_01")
    assert partitions.drop(engine, [], before=FEBRUARY) == 7
    assert count(engine, "event_ids") == 2


@pytest.mark.parametrize("other", ["sqlite_store", "mariadb_store"])
def test_other_databases_have_no_partitions(request: pytest.FixtureRequest, other: str) -> None:
    store: SqlEventStore = request.getfixturevalue(other)
    with pytest.raises(NotSupportedError, match="on PostgreSQL only"):
        partitions.partitions(store._engine)  # noqa: SLF001 - the test's own


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("AUDIT_LOG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    return CliRunner()


def test_the_command_makes_shows_and_drops(engine: Engine, store: SqlEventStore, run: CliRunner) -> None:
    partitions.create(engine, 0, now=datetime(2020, 1, 1, tzinfo=UTC))
    store.add(at(int(datetime(2020, 1, 5, tzinfo=UTC).timestamp())))
    assert "created events_" in run.invoke(app, ["create", "--ahead", "0"]).output
    assert run.invoke(app, ["create", "--ahead", "0"]).output == "all partitions exist\n"
    assert "any other time" in run.invoke(app, ["list"]).output
    refused = run.invoke(app, ["drop", "--keep-months", "3"], input="n\n")
    assert (refused.exit_code, "events_2020_01" in refused.output) == (1, True)
    assert count(engine, "events") == 1
    assert "dropped 1 partitions and 1 ids" in run.invoke(app, ["drop", "--keep-months", "3", "--yes"]).output
    assert count(engine, "events") == 0
    assert run.invoke(app, ["drop", "--keep-months", "3"]).output == "no partition is that old\n"
