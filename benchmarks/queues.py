"""How many events a second each queue takes and gives, side by side: `python -m benchmarks.queues`, about a minute.

Published: every event is confirmed by the queue before the next of its publisher. Consumed: received and deleted in
batches by one source, with no store behind it. Turns alternate, since a machine's speed drifts.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import uuid_utils
from rich.console import Console
from rich.table import Table

from core.domain.models import Event
from local_runner.queue.dead_letters import DeadLetterFile
from local_runner.queue.memory import InMemoryQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from core.ports.queue import EventPublisher, EventSource

    OpenQueue = Callable[[], AbstractContextManager[tuple[EventPublisher, EventSource]]]

BATCH = 1_000
PUBLISHERS = (1, 16, 64)


@contextmanager
def memory() -> Iterator[tuple[EventPublisher, EventSource]]:
    """Open the queue of the local runner, without its spool."""
    with TemporaryDirectory() as directory:  # which stays empty: nothing is given up
        queue = InMemoryQueue(DeadLetterFile(Path(directory) / "dead-letters.db", lambda *_: {}))
        yield queue, queue


@contextmanager
def rabbitmq(broker: str) -> Iterator[tuple[EventPublisher, EventSource]]:
    """Open a new queue on a RabbitMQ that runs, and delete it afterwards."""
    from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource  # noqa: PLC0415 - as in wiring
    from core.queues.rabbitmq.address import RabbitMQAddress  # noqa: PLC0415 - the same

    url = f"{broker}?queue=audit-log.benchmark.{secrets.token_hex(4)}"
    publisher, source = RabbitMQPublisher(url), RabbitMQSource(url)
    try:
        yield publisher, source
    finally:
        publisher.close()
        source.close()
        asyncio.run(_delete(RabbitMQAddress.parse(url)))


@contextmanager
def kafka(servers: str | None) -> Iterator[tuple[EventPublisher, EventSource]]:
    """Open a new topic on a Kafka cluster; by default on librdkafka's mock of one, which keeps all in memory."""
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - the same

    from core.queues.kafka import KafkaPublisher, KafkaSource  # noqa: PLC0415 - the same
    from tests.support.kafka import shared_cluster  # noqa: PLC0415 - the same

    topic = f"audit-log.benchmark.{secrets.token_hex(4)}"
    if servers is None:
        shared_cluster().make(topic)
        shared_cluster().make(f"{topic}.dead", partitions=1)
    url = f"kafka://{servers or shared_cluster().servers}/{topic}?group.id={topic}"
    publisher, source = KafkaPublisher(url), KafkaSource(url)
    try:
        yield publisher, source
    finally:
        publisher.close()
        source.close()
        if servers is not None:
            AdminClient({"bootstrap.servers": servers}).delete_topics([topic, f"{topic}.dead"])


@contextmanager
def sqs() -> Iterator[tuple[EventPublisher, EventSource]]:
    """Open a new queue on the SQS-compatible server of the tests, which is one Python process."""
    from core.queues.sqs import SQSPublisher, SQSSource  # noqa: PLC0415 - the same
    from tests.support.sqs import queue_url  # noqa: PLC0415 - the same

    with queue_url() as url, closing(SQSPublisher(url)) as publisher, closing(SQSSource(url)) as source:
        yield publisher, source


async def _delete(address: Any) -> None:
    import aiormq  # noqa: PLC0415 - the same

    async with aiormq.connect(address.url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(address.queue)
        await channel.queue_delete(address.dead_letters)


def main() -> None:
    """Take the turns, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--singles", type=int, default=2_000, help="events published one by one in each turn")
    parser.add_argument("--batches", type=int, default=10, help=f"batches of {BATCH} published in each turn")
    parser.add_argument("--rabbitmq", metavar="URL", help="for example amqp://guest:guest@127.0.0.1:5672/")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="of a real cluster, in place of the mock cluster")
    parser.add_argument("--sqs", action="store_true", help="also the SQS-compatible server of the tests")
    options = parser.parse_args()
    queues: dict[str, OpenQueue] = {"memory": memory}
    queues["kafka" if options.kafka else "kafka (mock cluster)"] = lambda: kafka(options.kafka)
    if options.rabbitmq:
        queues["rabbitmq"] = lambda: rabbitmq(options.rabbitmq)
    if options.sqs:
        queues["sqs (test server)"] = sqs
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in queues}
    console = Console()
    for number in range(1, options.rounds + 1):
        for name, open_queue in queues.items():
            with console.status(f"round {number} of {options.rounds}: {name}"):
                figures[name].append(measure(open_queue, options.singles, options.batches))
    console.print(table(figures))


def measure(open_queue: OpenQueue, singles: int, batches: int) -> dict[str, float]:
    """Take one turn; events per second by operation."""
    with open_queue() as (publisher, source):
        publisher.publish([an_event()])
        drain(source, 1)
        rates = {}
        for publishers in PUBLISHERS:
            seconds = publish(publisher, [[an_event()] for _ in range(singles)], publishers)
            rates[f"published, {publishers} at once"] = singles / seconds
            drain(source, singles)
        seconds = publish(publisher, [[an_event() for _ in range(BATCH)] for _ in range(batches)], publishers=1)
        rates[f"published, batches of {BATCH:,}"] = batches * BATCH / seconds
        rates["consumed"] = batches * BATCH / drain(source, batches * BATCH)
        return rates


def publish(publisher: EventPublisher, batches: list[list[Event]], publishers: int) -> float:
    """Publish all batches from so many threads; the seconds it took."""
    with ThreadPoolExecutor(publishers) as threads:
        started = time.perf_counter()
        list(threads.map(publisher.publish, batches))
        return time.perf_counter() - started


def drain(source: EventSource, count: int) -> float:
    """Receive and delete so many events; the seconds it took."""
    started = time.perf_counter()
    while count > 0:
        messages = source.receive(BATCH, wait=10.0, window=0.02)
        if not messages:
            raise SystemExit("An event that was published did not come.")
        source.delete([message.receipt_handle for message in messages])
        count -= len(messages)
    return time.perf_counter() - started


def an_event() -> Event:
    """Make an event of usual size, about 300 bytes of JSON."""
    return Event.model_validate(
        {
            "event_id": str(uuid_utils.uuid7()),
            "event_type": "user.login",
            "customer_id": 42,
            "timestamp_utc": 1_700_000_000,
            "event_data": {"admin_data": {"username": "admin", "ip": "192.0.2.7"}, "note": "x" * 60},
            "received_at": "2026-01-31T12:00:00.123Z",
            "recorded_by": "benchmark",
        }
    )


def table(figures: dict[str, list[dict[str, float]]]) -> Table:
    """Lay out the median of each figure, and the span of its rounds."""
    laid_out = Table("events/s, median (min to max)", *figures)
    first = next(iter(figures.values()))
    for what in first[0]:
        cells = []
        for turns in figures.values():
            rates = [turn[what] for turn in turns]
            cells.append(f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})")
        laid_out.add_row(what, *cells)
    return laid_out


if __name__ == "__main__":
    main()
