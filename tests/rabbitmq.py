"""A RabbitMQ queue for one test."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import aiormq

from core.queues.rabbitmq import RabbitMQDeadLetters, RabbitMQPublisher, RabbitMQSource
from core.queues.rabbitmq.address import Address
from tests.conftest import skip_or_fail
from tests.queues import MAX_RECEIVES, QueueUnderTest

HOST = "127.0.0.1"
PORT = 5672
BROKER = os.environ.get("AUDIT_LOG_TEST_RABBITMQ", f"amqp://guest:guest@{HOST}:{PORT}/")


@contextmanager
def queue_url() -> Iterator[str]:
    """The URL of a queue that is not there yet, and is not there any more afterwards."""
    try:
        socket.create_connection((HOST, PORT), timeout=1).close()
    except OSError:
        skip_or_fail(f"RabbitMQ does not run on {HOST}:{PORT}: start it with `rabbitmq-server -detached`")
    url = f"{BROKER}?queue=audit-log.test.{secrets.token_hex(6)}"
    yield url
    asyncio.run(_delete(url))


async def _delete(url: str) -> None:
    address = Address.parse(url)
    async with aiormq.connect(address.url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(address.queue)
        await channel.queue_delete(address.dead_letters)


@contextmanager
def rabbitmq_queue() -> Iterator[QueueUnderTest]:
    with queue_url() as url:
        publisher = RabbitMQPublisher(url)
        dead_letters = RabbitMQDeadLetters(url, max_receives=MAX_RECEIVES)
        sources: list[RabbitMQSource] = []

        def open_source() -> RabbitMQSource:
            sources.append(RabbitMQSource(url, max_receives=MAX_RECEIVES))
            return sources[-1]

        def close_source() -> None:
            sources.pop().close()

        yield QueueUnderTest(publisher, open_source(), dead_letters, open_source, close_source)
        close_source()
        publisher.close()
        dead_letters.close()
