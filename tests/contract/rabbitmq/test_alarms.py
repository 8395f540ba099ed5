"""A RabbitMQ whose memory is short: publishing is refused at once and works again afterwards, consuming continues."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from core.errors import QueueUnavailableError
from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.faults.servers import RabbitMQ, running_or_skipped
from tests.support.builders import event
from tests.support.messages import bodies, body, take
from tests.support.rabbitmq import sooner_or_later
from tests.support.waiting import until, within

TIMEOUT = 2.0


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with running_or_skipped(RabbitMQ) as server:
        yield server


def refuse(publisher: RabbitMQPublisher, number: int) -> None:
    with pytest.raises(QueueUnavailableError):
        publisher.publish([event(number)])


def test_a_memory_alarm_refuses_every_publish_in_time_and_consuming_goes_on(server: RabbitMQ) -> None:
    url = f"{server.url}?queue=alarm"
    with closing(RabbitMQPublisher(url, timeout=TIMEOUT)) as publisher, closing(RabbitMQSource(url)) as source:
        publisher.publish([event(1)])
        with server.memory_alarm():
            with ThreadPoolExecutor(32) as threads:
                # All of them, not the threads in turns.
                within(2 * TIMEOUT, lambda: list(threads.map(partial(refuse, publisher), range(100, 250))))
            with pytest.raises(QueueUnavailableError, match="memory or disk"):
                publisher.statistics()
            [message] = take(source, 1)
            source.delete([message.receipt_handle])
        sooner_or_later(lambda: publisher.publish([event(2)]))
        until(lambda: body(2) in bodies(source.receive(1000, wait=0.2)))
