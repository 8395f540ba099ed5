"""A RabbitMQ queue for one test."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiormq

from core.errors import QueueUnavailableError
from core.queues.rabbitmq import RabbitMQDeadLetters, RabbitMQPublisher, RabbitMQSource
from core.queues.rabbitmq.address import RabbitMQAddress
from tests.support.builders import event
from tests.support.queues import MAX_RECEIVES, QueueUnderTest, broker_queue
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS, retried

HOST = "127.0.0.1"
PORT = 5672
"""Seconds after which a message that has not arrived counts as missing."""

PARTS = [RabbitMQPublisher, RabbitMQSource, RabbitMQDeadLetters]
BROKER = os.environ.get("TEST_RABBITMQ_URL", f"amqp://guest:guest@{HOST}:{PORT}/")


@contextmanager
def queue_url() -> Iterator[str]:
    """The URL of a queue that does not exist yet; it is deleted afterwards."""
    try:
        socket.create_connection((HOST, PORT), SECONDS).close()
    except OSError:
        skip_or_fail(f"RabbitMQ does not run on {HOST}:{PORT}: start it with `rabbitmq-server -detached`")
    url = f"{BROKER}?queue=audit-log.test.{secrets.token_hex(6)}"
    yield url
    asyncio.run(delete_queues(url))


async def delete_queues(url: str) -> None:
    """Delete the queue and its dead letters."""
    address = RabbitMQAddress.parse(url)
    async with aiormq.connect(address.url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(address.queue)
        await channel.queue_delete(address.dead_letters)


@contextmanager
def rabbitmq_queue() -> Iterator[QueueUnderTest]:
    with (
        queue_url() as url,
        broker_queue(
            RabbitMQPublisher(url, timeout=SECONDS),
            RabbitMQDeadLetters(url, max_receives=MAX_RECEIVES),
            lambda: RabbitMQSource(url, max_receives=MAX_RECEIVES),
        ) as queue,
    ):
        yield queue


def sooner_or_later(work: Callable[[], object]) -> None:
    """Retry until the broker is available."""
    retried(work, QueueUnavailableError)


def use(part: Any) -> None:
    """Use a part of the adapter in a way that makes it connect."""
    if isinstance(part, RabbitMQPublisher):
        part.publish([event(1)])
    elif isinstance(part, RabbitMQSource):
        part.receive(1, wait=0)
    else:
        part.dead_letters(1)
