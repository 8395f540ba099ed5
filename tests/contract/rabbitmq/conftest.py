"""A separate queue for each test, with a publisher and a source."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.support.rabbitmq import queue_url, sooner_or_later
from tests.support.waiting import SECONDS


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url() as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[RabbitMQPublisher]:
    with closing(RabbitMQPublisher(url, timeout=SECONDS)) as publisher:
        sooner_or_later(publisher.statistics)  # a publish finds a connection, however busy the machine is
        yield publisher


@pytest.fixture
def source(url: str) -> Iterator[RabbitMQSource]:
    with closing(RabbitMQSource(url)) as source:
        yield source
