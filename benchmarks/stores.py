"""How fast each database takes events, and how much room they need, side by side.

Needs PostgreSQL and MariaDB on this machine (or TEST_POSTGRESQL_URL and TEST_MYSQL_URL); each run creates databases
and drops them. The databases take turns, so that what else the machine does hits all of them alike.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import uuid_utils
from sqlalchemy import Engine

from core.domain.models import Event
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.support import databases

BATCH = 1000
MYSQL_SIZE = """SELECT data_length + index_length FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'events'"""
POSTGRESQL_SIZE = """SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relname IN ('events_default', 'event_ids')"""
SIZES = {
    "sqlite": ("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",),
    "postgresql": (POSTGRESQL_SIZE,),
    "mysql": ("ANALYZE TABLE events", MYSQL_SIZE),
}


def batches(count: int, random_numbers: random.Random) -> list[list[Event]]:
    """Batches of events as clients send them: about 200 bytes of JSON, 1,000 customers, 20 types."""
    return [[_event(random_numbers) for _ in range(BATCH)] for _ in range(count)]


def _event(random_numbers: random.Random) -> Event:
    now = datetime.now(UTC)
    return Event.model_construct(
        event_id=str(uuid_utils.uuid7()),
        event_type=f"user.action{random_numbers.randrange(20)}",
        customer_id=random_numbers.randrange(1000),
        timestamp_utc=int(now.timestamp()),
        event_data={
            "admin_data": {
                "username": f"user{random_numbers.randrange(10_000)}",
                "ip": f"192.0.2.{random_numbers.randrange(256)}",
            },
            "request": str(uuid_utils.uuid4()),
            "changes": [{"field": "email", "old": "a@example.org", "new": "b@example.org"}],
            "duration": random_numbers.random(),
        },
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        recorded_by="client-0123456789abcdef",
    )


def engines(stack: ExitStack) -> Iterator[tuple[str, Engine]]:
    """A new, migrated database of each kind."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    urls = {
        "sqlite": f"sqlite:///{folder}/audit-log.db",
        "postgresql": stack.enter_context(databases.throwaway(databases.POSTGRESQL)),
        "mysql": stack.enter_context(databases.throwaway(databases.MARIADB)),
    }
    for name, url in urls.items():
        engine = stack.enter_context(databases.opened(url))
        migrate(engine)
        yield name, engine


def size(engine: Engine) -> int:
    """Bytes of events and their indexes."""
    *before, query = SIZES[engine.dialect.name]
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in before:
            connection.exec_driver_sql(statement).close()
        return int(connection.exec_driver_sql(query).scalar_one())


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20, help=f"of {BATCH} events each, per round")
    arguments = parser.parse_args()
    random_numbers = random.Random(1)  # noqa: S311 - the same events every time
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        stores = {name: (engine, SqlEventStore(engine)) for name, engine in engines(stack)}
        for round_number in range(arguments.rounds + 1):
            for name, (_, store) in stores.items():
                given = batches(arguments.batches, random_numbers)
                started = time.perf_counter()
                for batch in given:
                    store.add(batch)
                if round_number:  # the first warms up
                    rates.setdefault(name, []).append(BATCH * len(given) / (time.perf_counter() - started))
        rows = (arguments.rounds + 1) * arguments.batches * BATCH
        sizes = {name: size(engine) / rows for name, (engine, _) in stores.items()}
    print("| database | rows/s, median (lowest to highest) | to SQLite | bytes per row |\n|---|---|---|---|")
    for name, measured in rates.items():
        ratio = statistics.median(rate / sqlite for rate, sqlite in zip(measured, rates["sqlite"], strict=True))
        print(
            f"| {name} | {statistics.median(measured):,.0f} ({min(measured):,.0f} to {max(measured):,.0f}) "
            f"| {ratio:.2f} | {sizes[name]:,.0f} |"
        )


if __name__ == "__main__":
    main()
