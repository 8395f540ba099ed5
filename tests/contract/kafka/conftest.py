"""Fixtures of the Kafka tests."""

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
    """A mock cluster that a test may break, even if a real one is configured."""
    with closing(MockCluster()) as cluster:
        yield cluster


@pytest.fixture
def publisher(url: str) -> Iterator[KafkaPublisher]:
    with closing(KafkaPublisher(url)) as publisher:
        yield publisher
