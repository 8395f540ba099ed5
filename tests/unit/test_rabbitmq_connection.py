import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from aiormq.base import FutureStore

from core.errors import QueueUnavailableError
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.connection import RabbitMQConnection
from tests.support.waiting import SECONDS


@pytest.fixture
def connection() -> Iterator[RabbitMQConnection]:
    """One that connects to nothing, since only channels do."""
    address = RabbitMQAddress.parse("amqp://127.0.0.1/?queue=x")
    with closing(RabbitMQConnection(address, "test", timeout=SECONDS)) as opened:
        yield opened


def test_a_call_that_the_client_library_rejects_without_a_reason_finds_no_broker(
    connection: RabbitMQConnection,
) -> None:
    async def call() -> None:
        calls = FutureStore(asyncio.get_running_loop())
        pending = calls.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(calls.reject_all, None)
        await pending

    with pytest.raises(QueueUnavailableError, match="try again later"):
        connection.run(call)


def test_a_bug_in_a_call_is_no_outage(connection: RabbitMQConnection) -> None:
    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        connection.run(call)
