"""A RabbitMQ whose memory is short: publishing is refused at once and works again afterwards, consuming continues."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from core.errors import QueueUnavailableError
from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.faults.servers import RabbitMQ, running_or_skipped
from tests.support.builders import event
from tests.support.messages import bodies, body, take
from tests.support.rabbitmq import PATIENCE, sooner_or_later

TIMEOUT = 2.0


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with running_or_skipped(RabbitMQ) as server:
        yield server


def seconds_of_refusal(publisher: RabbitMQPublisher, number: int) -> float:
    started = time.monotonic()
    with pytest.raises(QueueUnavailableError):
        publisher.publish([event(number)])
    return time.monotonic() - started


def test_a_memory_alarm_refuses_every_publish_in_time_and_consuming_goes_on(server: RabbitMQ) -> None:
    url = f"{server.url}?queue=alarm"
    with closing(RabbitMQPublisher(url, timeout=TIMEOUT)) as publisher, closing(RabbitMQSource(url)) as source:
        publisher.publish([event(1)])
        with server.memory_alarm():
            with ThreadPoolExecutor(32) as threads:
                started = time.monotonic()
                assert (
                    max(threads.map(lambda number: seconds_of_refusal(publisher, number), range(100, 250)))
                    < 2 * TIMEOUT
                )
                assert time.monotonic() - started < 2 * TIMEOUT  # all of them, not the threads in turns
            with pytest.raises(QueueUnavailableError, match="memory or disk"):
                publisher.statistics()
            [message] = take(source, 1)
            source.delete([message.receipt_handle])
        sooner_or_later(lambda: publisher.publish([event(2)]))
        received = take(source, 1)
        deadline = time.monotonic() + PATIENCE
        while body(2) not in bodies(received) and time.monotonic() < deadline:
            received += source.receive(1000, wait=0.2)
        assert body(2) in bodies(received)
