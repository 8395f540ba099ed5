"""Fixtures of the Kafka tests."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.queues.kafka import KafkaPublisher
from tests.support.kafka import MockCluster, broker_url, queue_url, sooner_or_later
from tests.support.waiting import SECONDS


@pytest.fixture(params=["mock", "broker"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Topics on the mock cluster, and on a real broker."""
    if request.param == "mock":
        with queue_url() as url:
            yield url
    else:
        with broker_url() as url:
            with closing(KafkaPublisher(url)) as publisher:
                sooner_or_later(publisher.statistics)  # creates the topics
            yield url


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """A mock cluster that a test may break."""
    with closing(MockCluster()) as cluster:
        yield cluster


@pytest.fixture
def publisher(url: str) -> Iterator[KafkaPublisher]:
    with closing(KafkaPublisher(url, timeout=SECONDS)) as publisher:
        sooner_or_later(publisher.statistics)  # a publish finds a connection, however busy the machine is
        yield publisher
