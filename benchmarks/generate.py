"""Fill a new database with events of two years: `python -m benchmarks.generate ROWS --database-url URL`.

One customer has a quarter of the events, the others less and less; so it is with the types. They come in order of time,
as a service stores them. The same number of rows is the same events every time.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, count, islice
from typing import Any, Final

import orjson
from sqlalchemy import Engine, Index

from core.stores import partitions
from core.stores.dialects.sqlite_terms import index_terms
from core.stores.migrations.upgrade import migrate
from core.stores.schema import EVENT_COLUMNS, events
from tests.support import databases

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
FIRST: Final = int(START.timestamp())
MONTHS: Final = 24
SECONDS: Final = 731 * 86_400
"""From the first event to the last: 2024 and 2025."""

BIG_CUSTOMER: Final = 1
CUSTOMERS: Final = range(2, 2_002)
TYPES: Final = tuple(
    f"{thing}.{act}"
    for thing in ("user", "session", "file", "order", "invoice", "role", "token", "report", "setting")
    for act in ("created", "changed", "read", "deleted")
)
USERS: Final = 5_000
"""Of each customer."""

Row = tuple[str, str, int, int, str, int, str]
"""The columns of `events`, in their order, as a driver takes them."""

_CHUNK: Final = 10_000


def rows(total: int, *, start: int = FIRST, seconds: int = SECONDS, seed: int = 1) -> Iterator[Row]:
    """So many events over so many seconds, the oldest first."""
    numbers = random.Random(seed)  # noqa: S311 - the same events every time
    customers = _skewed(numbers, CUSTOMERS)
    types = _skewed(numbers, TYPES)
    for number in range(total):
        milliseconds = start * 1000 + number * seconds * 1000 // total
        customer = BIG_CUSTOMER if numbers.random() < 0.25 else next(customers)  # noqa: PLR2004 - a quarter
        bits = f"{numbers.getrandbits(76):019x}"
        yield (
            f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{bits[:3]}-8{bits[3:6]}-{bits[6:18]}",
            next(types),
            customer,
            milliseconds // 1000,
            event_data(number, int(bits[:8], 16)),
            milliseconds,
            "client-0123456789abcdef",
        )


def event_data(number: int, dice: int) -> str:
    """A small nested object: a user of many, an outcome that is nearly always the same, a unique request."""
    return (
        f'{{"admin_data":{{"username":"user{dice % USERS}","ip":"192.0.2.{dice % 256}"}},'
        f'"request":"r{number}","success":{"false" if dice % 20 == 0 else "true"},'
        f'"changes":[{{"field":"email","old":{dice % 1000}}}]}}'
    )


def generate(engine: Engine, total: int, *, single_column_indexes: bool = False) -> None:
    """Migrate, fill and analyze a new database. The indexes are made at the end, which takes a fraction of the time."""
    migrate(engine)
    if engine.dialect.name == "postgresql":
        partitions.create(engine, MONTHS, now=START)
    with engine.begin() as connection:
        indexes = list(events.indexes)
        for index in indexes:
            index.drop(connection)
        _LOADERS[engine.dialect.name](connection.connection.driver_connection, rows(total))
        if single_column_indexes:
            columns = ("customer_id", "event_type", "timestamp_utc")
            indexes = [Index(f"single_{name}", events.c[name]) for name in columns]
        for index in indexes:
            index.create(connection)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if engine.dialect.name == "postgresql":  # as autovacuum does after a while
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE")
        elif single_column_indexes:  # to choose well among them
            connection.exec_driver_sql("ANALYZE")


def _skewed(numbers: random.Random, values: Sequence[Any]) -> Iterator[Any]:
    """Values without end, the n-th of them 1/n as often as the first."""
    weights = list(accumulate(1 / rank for rank in range(1, len(values) + 1)))
    while True:
        yield from numbers.choices(values, cum_weights=weights, k=_CHUNK)


def _load_sqlite(connection: Any, given: Iterator[Row]) -> None:
    columns = ", ".join(column.name for column in EVENT_COLUMNS)
    marks = ", ".join("?" * len(EVENT_COLUMNS))
    insert = f"INSERT INTO events ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
    numbers = count(1)
    while chunk := list(islice(given, _CHUNK)):
        connection.executemany(insert, chunk)
        terms = ((next(numbers), index_terms(row[2], row[1], orjson.loads(row[4]))) for row in chunk)
        connection.executemany("INSERT INTO event_terms (rowid, words) VALUES (?, ?)", terms)


def _load_postgresql(connection: Any, given: Iterator[Row]) -> None:
    columns = ", ".join(column.name for column in EVENT_COLUMNS)
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
    with connection.cursor() as cursor:
        while chunk := list(islice(given, _CHUNK)):
            with cursor.copy("COPY event_ids FROM STDIN") as copy:
                for row in chunk:
                    copy.write_row((row[0], row[3]))
            with cursor.copy(f"COPY events ({columns}) FROM STDIN") as copy:
                for row in chunk:
                    copy.write_row(row)


_LOADERS: Final[dict[str, Callable[[Any, Iterator[Row]], None]]] = {
    "sqlite": _load_sqlite,
    "postgresql": _load_postgresql,
}


def main() -> None:
    """Read the arguments, fill the database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("--database-url", required=True, help="sqlite:///FILE or postgresql://...; without a table yet")
    parser.add_argument(
        "--single-column-indexes", action="store_true", help="one index for each column, to compare with"
    )
    arguments = parser.parse_args()
    with databases.opened(arguments.database_url) as engine:
        generate(engine, arguments.rows, single_column_indexes=arguments.single_column_indexes)


if __name__ == "__main__":
    main()
