"""How fast one and two workers empty a queue into a store: `python -m benchmarks.workers`, some minutes.

Needs RabbitMQ, PostgreSQL and MariaDB on this machine, as the tests do. A queue is filled, then workers start, and
the rate is that from the first stored event to the last, so that their start does not count.
"""

import argparse
import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.stores import batch
from core.domain.models import Event
from core.queues.rabbitmq import RabbitMQPublisher
from tests.faults.brokers import stored_by
from tests.support import databases
from tests.support.rabbitmq import queue_url
from tests.support.service import EXECUTED, Service, free_port

STORES = ("sqlite", "postgresql", "mariadb")


def drained(store: str, workers: int, events: list[list[Event]]) -> float:
    """Events a second that so many workers store of a full queue."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(queue_url())
        database = f"sqlite:///{folder}/audit-log.db"
        if store != "sqlite":
            server = databases.POSTGRESQL if store == "postgresql" else databases.MARIADB
            database = stack.enter_context(databases.throwaway(server))
        publisher = RabbitMQPublisher(url)
        stack.callback(publisher.close)
        for batch in events:
            publisher.publish(batch)
        running = [_worker(folder / str(number), url, database) for number in range(workers)]
        for worker in running:
            stack.callback(worker.stop)
        return _rate(running, sum(map(len, events)))


def _worker(data_dir: Path, queue: str, database: str) -> Service:
    port = free_port()
    settings = {"queue_url": queue, "database_url": database}
    return Service([*EXECUTED, "worker", "--port", str(port)], port, data_dir, settings)


def _rate(workers: list[Service], total: int) -> float:
    first: tuple[float, int] | None = None
    while True:
        stored, now = sum(map(_stored, workers)), time.perf_counter()
        if stored and first is None:
            first = (now, stored)
        if stored >= total and first:
            return (total - first[1]) / (now - first[0])
        time.sleep(0.02)


def _stored(worker: Service) -> int:
    try:
        return stored_by(worker)
    except httpx.TransportError:  # it is still starting
        return 0


def main() -> None:
    """Measure each store with one and with two workers in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    chance = random.Random(7)  # noqa: S311 - no secret
    events = [batch(1_000, "new", chance) for _ in range(options.events // 1_000)]
    rates: dict[tuple[str, int], list[float]] = {(store, count): [] for store in STORES for count in (1, 2)}
    for _ in range(options.rounds):
        for (store, count), measured in rates.items():
            measured.append(drained(store, count, events))
    table = Table("store", "workers", "events/s, median", "min to max", box=None)
    for (store, count), measured in rates.items():
        table.add_row(store, str(count), f"{median(measured):,.0f}", f"{min(measured):,.0f} to {max(measured):,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
