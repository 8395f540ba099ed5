"""Retention that overtakes a consumer: the events are lost, and the log says so."""

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka import admin as untyped_admin
from confluent_kafka.admin import AdminClient

from core.queues.kafka import KafkaPublisher, KafkaSource
from core.queues.kafka.address import KafkaAddress
from tests.support.builders import event
from tests.support.kafka import broker_url, committed, reader
from tests.support.messages import body, receipts, take
from tests.support.waiting import SECONDS, until

_ADMIN: Any = untyped_admin


@pytest.fixture
def url() -> Iterator[str]:
    with broker_url() as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[KafkaPublisher]:
    with closing(KafkaPublisher(url)) as publisher:
        yield publisher


def set_config(url: str, **settings: str) -> None:
    address = KafkaAddress.parse(url)
    entries = [
        _ADMIN.ConfigEntry(name.replace("_", "."), value, incremental_operation=_ADMIN.AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = _ADMIN.ConfigResource(_ADMIN.ResourceType.TOPIC, address.topic, incremental_configs=entries)
    admin = AdminClient(address.admin_settings())
    for altered in admin.incremental_alter_configs([resource]).values():
        altered.result(SECONDS)


def delete_below(url: str, partition: int, offset: int) -> None:
    """Let the log of a partition start at this offset, as retention does."""
    address = KafkaAddress.parse(url)
    admin = AdminClient(address.admin_settings())
    for deleted in admin.delete_records([TopicPartition(address.topic, partition, offset)]).values():
        deleted.result(SECONDS)


def lost(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    """Partition, first and next offset of each record of lost messages."""
    records = [record.__dict__ for record in caplog.records if record.message == "kafka_messages_expired"]
    assert all(record["levelno"] == logging.ERROR and "retention" in record["action"] for record in records)
    assert all(record["messages"] == record["to_offset"] - record["from_offset"] for record in records)
    return [(record["partition"], record["from_offset"], record["to_offset"]) for record in records]


def partition_of(url: str) -> int:
    return next(iter(committed(url)))


def test_messages_that_expired_while_no_worker_ran_are_reported_once(
    url: str, publisher: KafkaPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([event(number) for number in range(10)])
    with closing(KafkaSource(url)) as source:
        source.delete(receipts(take(source, 10)[:3]))
        until(lambda: sum(committed(url).values()) == 3)
    partition = partition_of(url)
    delete_below(url, partition, 8)
    with closing(KafkaSource(url)) as source:
        assert [message.body for message in take(source, 2)] == [body(8), body(9)]
        until(lambda: committed(url) == {partition: 8})
    assert lost(caplog) == [(partition, 3, 8)]
    with closing(KafkaSource(url)) as source:
        take(source, 2)
    assert lost(caplog) == [(partition, 3, 8)]


def test_messages_that_expired_before_the_first_worker_are_reported(
    url: str, publisher: KafkaPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([event(1)])
    set_config(url, retention_ms="1")
    with reader(url) as consumer:
        topic = KafkaAddress.parse(url).topic
        until(lambda: any(consumer.get_watermark_offsets(TopicPartition(topic, number), 5)[0] for number in range(6)))
    set_config(url, retention_ms="3600000")
    publisher.publish([event(2)])
    with closing(KafkaSource(url)) as source:
        (message,) = take(source, 1)
    assert message.body == body(2)
    assert lost(caplog) == [(int(message.message_id.split("-")[0]), 0, 1)]


def test_messages_that_expire_while_a_worker_is_slow_are_reported(
    url: str, publisher: KafkaPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    # A short queue in the client: the rest is fetched after the partition is resumed.
    slow = f"{url}&queued.min.messages=1&queued.max.messages.kbytes=1&fetch.message.max.bytes=1000"
    with closing(KafkaSource(slow, max_pending=2)) as source:
        for number in range(40):  # one by one, since a batch is fetched as a whole
            publisher.publish([event(number, event_data={"text": "x" * 900})])
        first = take(source, 1)
        partition = int(first[0].message_id.split("-")[0])
        delete_below(url, partition, 30)
        received = {first[0].message_id}
        source.delete(receipts(first))
        while f"{partition}-39" not in received:
            (message,) = take(source, 1)
            received.add(message.message_id)
            source.delete([message.receipt_handle])
    ((_, start, end),) = lost(caplog)
    assert (end - start, end) == (40 - len(received), 30)


def test_offsets_without_messages_are_not_taken_for_lost_ones(
    url: str, publisher: KafkaPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([event(1)])
    address = KafkaAddress.parse(url)
    producer = Producer(
        {
            "bootstrap.servers": address.servers,
            "transactional.id": address.topic,
            "partitioner": "murmur2_random",  # that of the publisher: all messages are in one partition
        }
    )
    producer.init_transactions(20)
    for number in (2, 3):
        producer.begin_transaction()
        producer.produce(address.topic, event(number).model_dump_json(), key=b"42")
        producer.commit_transaction(20)
    with closing(KafkaSource(url)) as source:
        assert [message.body for message in take(source, 3)] == [body(1), body(2), body(3)]
    assert lost(caplog) == []
