"""Kafka clusters for tests, and topics on them for one test.

One is the mock cluster of librdkafka, which a test can break. It serves any client over loopback sockets, keeps
messages in memory and balances consumer groups, but does not create topics on request. Its functions are called by
ctypes, because the Python client can start it (`test.mock.num.brokers`) but not control it.
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h

The other is a real broker, which `kafka_server.py` starts, or the cluster of `TEST_KAFKA_SERVERS=host:9092`.
"""

import ctypes
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from core.errors import NotSupportedError, QueueFullError, QueueUnavailableError
from core.queues.kafka import KafkaDeadLetters, KafkaPublisher, KafkaSource
from core.queues.kafka.address import KafkaAddress
from tests.support.builders import event
from tests.support.kafka_server import shared_broker
from tests.support.queues import MAX_RECEIVES, QueueUnderTest, broker_queue
from tests.support.waiting import SECONDS, retried

BROKER = os.environ.get("TEST_KAFKA_SERVERS")
PARTITIONS = 6
PARTS = [KafkaPublisher, KafkaSource, KafkaDeadLetters]
ALL_BROKERS = -1
QUICK = "session.timeout.ms=2000&heartbeat.interval.ms=100"
"""A mock cluster rebalances one second before the session timeout."""
SESSION_SECONDS = 1.5 if BROKER is None else 6
"""Session timeout on a real broker; 6 seconds is the shortest of one that is not configured for tests."""


class MockCluster:
    """A cluster of mock brokers that a test can take down."""

    def __init__(self, brokers: int = 1) -> None:
        self._client = _library().rd_kafka_new(0, _settings(), None, 0)
        self._cluster = _library().rd_kafka_mock_cluster_new(self._client, brokers)
        _library().rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    @property
    def servers(self) -> str:
        servers: bytes = _library().rd_kafka_mock_cluster_bootstraps(self._cluster)
        return servers.decode()

    def make(self, topic: str, partitions: int = PARTITIONS) -> None:
        assert _library().rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def go_down(self) -> None:
        assert _library().rd_kafka_mock_broker_set_down(self._cluster, ALL_BROKERS) == 0

    def come_up(self) -> None:
        assert _library().rd_kafka_mock_broker_set_up(self._cluster, ALL_BROKERS) == 0

    def reject(self, request: int, errors: Sequence[int]) -> None:
        """Answer the next requests of this kind (API key) by these errors, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        _library().rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def answer_after(self, milliseconds: int) -> None:
        assert _library().rd_kafka_mock_broker_set_rtt(self._cluster, ALL_BROKERS, milliseconds) == 0

    def close(self) -> None:
        _library().rd_kafka_mock_cluster_destroy(self._cluster)
        _library().rd_kafka_destroy(self._client)


@cache
def shared_cluster() -> MockCluster:
    """The cluster of all tests that do not break it."""
    return MockCluster()


@cache
def _library() -> ctypes.CDLL:
    # A wheel bundles librdkafka; a source build uses the system's.
    bundled = list(Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*"))
    library = ctypes.CDLL(str(bundled[0]) if bundled else "librdkafka.so.1")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in [
        ("conf_new", pointer, []),
        ("conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("destroy", None, [pointer]),
        ("mock_cluster_new", pointer, [pointer, number]),
        ("mock_cluster_destroy", None, [pointer]),
        ("mock_cluster_bootstraps", text, [pointer]),
        ("mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ("mock_topic_create", number, [pointer, text, number, number]),
        ("mock_push_request_errors_array", None, [pointer, ctypes.c_int16, ctypes.c_size_t, pointer]),
        ("mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("mock_broker_set_up", number, [pointer, ctypes.c_int32]),
        ("mock_broker_set_rtt", number, [pointer, ctypes.c_int32, number]),
    ]:
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def _settings() -> int:
    settings: int = _library().rd_kafka_conf_new()
    assert _library().rd_kafka_conf_set(settings, b"log_level", b"0", None, 0) == 0
    return settings


@contextmanager
def queue_url(cluster: MockCluster | None = None) -> Iterator[str]:
    """The URL of topics and a group that no other test uses, on this mock cluster or the shared one."""
    topic = _new_topic()
    cluster = cluster or shared_cluster()
    cluster.make(topic)
    cluster.make(f"{topic}.dead", partitions=1)
    yield f"kafka://{cluster.servers}/{topic}?group.id={topic}&{QUICK}"


@contextmanager
def broker_url(servers: str | None = None, **settings: str) -> Iterator[str]:
    """The URL of topics that do not exist yet on a real broker, with these settings; they are deleted afterwards."""
    topic = _new_topic()
    plain = BROKER or shared_broker().plain
    quick = {"group.id": topic, "session.timeout.ms": str(int(SESSION_SECONDS * 1000)), "heartbeat.interval.ms": "200"}
    yield f"kafka://{servers or plain}/{topic}?{urlencode(quick | settings)}"
    admin = AdminClient({"bootstrap.servers": plain})
    for deleted in admin.delete_topics([topic, f"{topic}.dead"]).values():
        with suppress(KafkaException):  # the test did not create it
            deleted.result(SECONDS)


def _new_topic() -> str:
    return f"audit-log.test.{secrets.token_hex(6)}"


@contextmanager
def mock_kafka_queue() -> Iterator[QueueUnderTest]:
    with queue_url() as url, _queue(url) as queue:
        yield queue


@contextmanager
def kafka_queue() -> Iterator[QueueUnderTest]:
    with broker_url() as url, _queue(url) as queue:
        yield queue


def _queue(url: str) -> AbstractContextManager[QueueUnderTest]:
    return broker_queue(
        KafkaPublisher(url, timeout=SECONDS),
        KafkaDeadLetters(url),
        lambda: KafkaSource(url, max_receives=MAX_RECEIVES),
        refuses_ids=NotSupportedError,
        is_log=True,
    )


def sooner_or_later(work: Callable[[], Any]) -> Any:
    return retried(work, QueueUnavailableError, QueueFullError)


def use(part: Any) -> None:
    """Use a part of the adapter in a way that makes it connect."""
    if isinstance(part, KafkaPublisher):
        part.publish([event(1)])
    elif isinstance(part, KafkaSource):
        part.receive(1, wait=0.1)
    else:
        part.dead_letters(1)


def use_until_it_fails(part: Any) -> None:
    """Use a part until it raises: a source notices an outage in the background."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        use(part)


@contextmanager
def reader(url: str) -> Iterator[Consumer]:
    """A consumer for assertions about the group and its topics."""
    address = KafkaAddress.parse(url)
    settings = {"bootstrap.servers": address.servers, "group.id": address.group, "auto.offset.reset": "earliest"}
    with closing(Consumer({**settings, "enable.auto.commit": False})) as consumer:
        yield consumer


def committed(url: str) -> dict[int, int]:
    """The committed offset of each partition."""
    topic = KafkaAddress.parse(url).topic
    with reader(url) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return {each.partition: each.offset for each in consumer.committed(partitions, SECONDS) if each.offset >= 0}
