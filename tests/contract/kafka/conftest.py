"""What the tests of Kafka share."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.queues.kafka import KafkaPublisher
from tests.support.kafka import MockCluster, queue_url


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url() as url:
        yield url


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """A mock cluster to be broken, also when there is a real one."""
    with closing(MockCluster()) as cluster:
        yield cluster


@pytest.fixture
def publisher(url: str) -> Iterator[KafkaPublisher]:
    with closing(KafkaPublisher(url)) as publisher:
        yield publisher
