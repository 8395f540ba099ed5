"""A separate queue for each test, with a publisher and a source."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.queues.sqs import SQSPublisher, SQSSource
from tests.support.flaky_sqs import FlakySQS
from tests.support.sqs import queue_url
from tests.support.waiting import SECONDS


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url() as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[SQSPublisher]:
    with closing(SQSPublisher(url, timeout=SECONDS)) as publisher:
        yield publisher


@pytest.fixture
def source(url: str) -> Iterator[SQSSource]:
    with closing(SQSSource(url)) as source:
        yield source


@pytest.fixture
def flaky() -> Iterator[FlakySQS]:
    with closing(FlakySQS()) as flaky:
        yield flaky
