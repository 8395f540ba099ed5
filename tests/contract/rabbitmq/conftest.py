"""A separate queue for each test, with a publisher and a source."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.support.rabbitmq import queue_url


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url() as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[RabbitMQPublisher]:
    with closing(RabbitMQPublisher(url)) as publisher:
        yield publisher


@pytest.fixture
def source(url: str) -> Iterator[RabbitMQSource]:
    with closing(RabbitMQSource(url)) as source:
        yield source
