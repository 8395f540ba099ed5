"""What an event costs to store in each database, in batches of several sizes: `python -m benchmarks.stores`.

A batch takes the whole way of the consumer: from the queue's messages by the SQS event through `consume_events`, with
the metrics of `serve`, to the commit. Each run makes a SQLite file and databases on the PostgreSQL and MariaDB of this
machine (or of TEST_POSTGRESQL_URL and TEST_MYSQL_URL), and drops them. Databases take turns for each batch, so that
other work of the machine affects all of them alike. "off" is AUDIT_LOG_LEDGER=off, which stores no commitments and
salts; a database with and without them are neighbours, in alternating order. Elapsed less CPU is the time of the
database, and waiting for it and for the processor.
MongoDB, which has no ledger, is the server of the tests, FerretDB unless TEST_MONGODB_URL names another: it shows what
the service itself takes for an event, and not how fast a MongoDB is.
"""

import argparse
import gc
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

import orjson
import uuid_utils
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from benchmarks import load
from core.domain.models import Event
from core.ports.queue import Message
from core.ports.store import EventWriter
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.mongodb import indexes
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.events import MongoEventStore
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.consume_events import consume_events
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.telemetry.meter import PrometheusMeter
from tests.support import databases, ferretdb

SIZES = (10, 1_000, 3_000)
OFF = ", off"
POSTGRESQL_BYTES = """SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relname IN ('events_default', 'event_ids')"""
MYSQL_BYTES = """SELECT data_length + index_length FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'events'"""
BYTES = {
    "sqlite": ("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",),
    "postgresql": (POSTGRESQL_BYTES,),
    "mysql": ("ANALYZE TABLE events", MYSQL_BYTES),
}


def repeating_values(chance: random.Random) -> dict[str, Any]:
    """An event of `benchmarks.load`, whose thousand bodies are sent in rotation."""
    return chance.choice(_BODIES)


def new_values(chance: random.Random) -> dict[str, Any]:
    """An event of 20 types and 1,000 customers, with two values that no other event has."""
    return {
        "event_type": f"user.action{chance.randrange(20)}",
        "customer_id": chance.randrange(1000),
        "event_data": {
            "admin_data": {
                "username": f"user{chance.randrange(10_000)}",
                "ip": f"192.0.2.{chance.randrange(256)}",
            },
            "request": str(uuid_utils.uuid4()),
            "changes": [{"field": "email", "old": "a@example.org", "new": "b@example.org"}],
            "duration": chance.random(),
        },
    }


Measurements = dict[tuple[str, int, str], list[tuple[float, float]]]
_BODIES: list[dict[str, Any]] = [orjson.loads(body) for body in load.bodies()]
KINDS = {"repeating": repeating_values, "new": new_values}


def batch(size: int, kind: str, chance: random.Random) -> list[Event]:
    """New events with values of one of `KINDS`, received at this moment."""
    now = datetime.now(UTC)
    return [
        Event.model_construct(
            **KINDS[kind](chance),
            event_id=str(uuid_utils.uuid7()),
            timestamp_utc=int(now.timestamp()),
            received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
            recorded_by="client-0123456789abcdef",
        )
        for _ in range(size)
    ]


def messages(events: Sequence[Event]) -> list[Message]:
    """The events in the form that the queue delivers."""
    return [Message(str(place), f"{place}.1", event.to_json().decode(), 1, 1.0) for place, event in enumerate(events)]


def stores(stack: ExitStack) -> Iterator[tuple[str, EventWriter, Callable[[], int]]]:
    """A store in a new, migrated database of each kind, with and without ledger, and what returns its size."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    for name, suffix in product(("sqlite", "postgresql", "mysql"), ("", OFF)):
        if name == "sqlite":
            url = f"sqlite:///{folder}/audit-log{suffix}.db"
        else:
            server = databases.POSTGRESQL if name == "postgresql" else databases.MARIADB
            url = stack.enter_context(databases.throwaway(server))
        engine = open_engine(url, with_commitments=not suffix)
        stack.callback(engine.dispose)
        migrate(engine)
        yield name + suffix, SqlEventStore(engine), partial(size, engine)
    connection = stack.enter_context(closing(Connection(stack.enter_context(ferretdb.throwaway()))))
    indexes.migrate(connection)
    yield "mongodb" + OFF, MongoEventStore(connection), partial(size_in_mongodb, connection)


def size(engine: Engine) -> int:
    """Bytes of events and their indexes."""
    *before, query = BYTES[engine.dialect.name]
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in before:
            connection.exec_driver_sql(statement).close()
        return int(connection.exec_driver_sql(query).scalar_one())


def size_in_mongodb(connection: Connection) -> int:
    """The same in MongoDB."""
    figures = connection.reads.command("collStats", "events")
    return int(figures["storageSize"]) + int(figures["totalIndexSize"])


def microseconds(services: Services, delivered: list[Message]) -> tuple[float, float]:
    """Microseconds an event: processor time of this process, and elapsed."""
    cpu, elapsed = time.process_time(), time.perf_counter()
    response = consume_events(to_sqs_event(delivered), services)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - elapsed
    assert not response["batchItemFailures"]
    return cpu / len(delivered) * 1e6, elapsed / len(delivered) * 1e6


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and least to most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def measured(services: Mapping[str, Services], rounds: int, events: int) -> tuple[Measurements, int]:
    """Return the microseconds of each kind of values, size and database in each round, and how many rows it stored."""
    chance = random.Random(1)  # noqa: S311 - the same events every time
    found: Measurements = defaultdict(list)
    rows = 0
    for round_number, kind, of in product(range(rounds + 1), KINDS, SIZES):
        count = max(2, events // (of if of > min(SIZES) else of * 10))
        rows += count * of
        sums = dict.fromkeys(services, (0.0, 0.0))
        for number, name in product(range(count), sorted(services)):
            turn = name if number % 2 else _neighbour(name, services)
            taken = microseconds(services[turn], messages(batch(of, kind, chance)))
            sums[turn] = (sums[turn][0] + taken[0], sums[turn][1] + taken[1])
        if round_number:  # the first round warms up
            for name, (cpu, elapsed) in sums.items():
                found[kind, of, name].append((cpu / count, elapsed / count))
    return found, rows


def _neighbour(name: str, names: Container[str]) -> str:
    """The same database without the ledger, or with it, if there is one."""
    other = name.removesuffix(OFF) if name.endswith(OFF) else name + OFF
    return other if other in names else name


def ratios(found: Measurements, names: Iterable[str]) -> Iterator[str]:
    """Rows of a table: with the ledger to without, in CPU time and in elapsed time, for each size."""
    for kind, name in product(KINDS, names):
        cells = []
        for of in SIZES:
            pairs = list(zip(found[kind, of, name], found[kind, of, name + OFF], strict=True))
            both = ([on[which] / off[which] for on, off in pairs] for which in (0, 1))
            cells.append("; ".join(spread(values, digits=2) for values in both))
        yield f"| {name}, {kind} values | {' | '.join(cells)} |"


def main() -> None:
    """Run, and print a table for each kind of values, and one of sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=9_000, help="events of each size in a round; 10: a tenth of them")
    arguments = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000)  # as `serve` does
    with ExitStack() as stack:
        opened = {name: (writer, size_of) for name, writer, size_of in stores(stack)}
        services = {
            name: Services(Settings(), writer=writer, meter=PrometheusMeter(CollectorRegistry()))
            for name, (writer, _) in opened.items()
        }
        found, rows = measured(services, arguments.rounds, arguments.events)
        sizes = {name: size_of() / rows for name, (_, size_of) in opened.items()}
    for kind in KINDS:
        print(f"\n| {kind} values: µs an event, CPU; elapsed | {' | '.join(f'{of:,}' for of in SIZES)} |")
        print(f"|---|{'---|' * len(SIZES)}")
        for name in opened:
            cells = (zip(*found[kind, of, name], strict=True) for of in SIZES)
            print(f"| {name} | {' | '.join('; '.join(map(spread, both)) for both in cells)} |")
    print(f"\n| with the ledger to without: CPU; elapsed | {' | '.join(f'{of:,}' for of in SIZES)} |")
    print(f"|---|{'---|' * len(SIZES)}")
    print("\n".join(ratios(found, [name for name in opened if name + OFF in opened])))
    print("\n| database | bytes per row |\n|---|---|")
    for name, row_bytes in sizes.items():
        print(f"| {name} | {row_bytes:,.0f} |")


if __name__ == "__main__":
    main()
