"""RabbitMQ beyond the contract: full, deleted and foreign queues, and the prefetch limit."""

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import aiormq
import pytest

from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from core.queues.rabbitmq.address import RabbitMQAddress
from tests.support.builders import event
from tests.support.messages import bodies, body, take
from tests.support.rabbitmq import PARTS, sooner_or_later, use
from tests.support.waiting import SECONDS, until


def is_full(publisher: RabbitMQPublisher) -> bool:
    try:
        publisher.publish([event(1)])
    except QueueFullError:
        return True
    return False


def in_channel(url: str, work: Callable[[Any, RabbitMQAddress], Any]) -> Any:
    async def run() -> Any:
        address = RabbitMQAddress.parse(url)
        async with aiormq.connect(address.url) as connection:
            return await work(await connection.channel(), address)

    return asyncio.run(run())


def test_a_source_that_is_closed_gives_all_back_at_once_also_what_waits_for_its_retry(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource
) -> None:
    publisher.publish([event(1), event(2), event(3)])
    with closing(RabbitMQSource(url)) as other:
        counted, uncounted, _being_dealt_with = take(other, 3)
        other.retry_after([counted.receipt_handle], 3600)
        other.retry_after([uncounted.receipt_handle], 3600, counted=False)

    assert sorted(bodies(take(source, 3))) == [body(1), body(2), body(3)]


def test_no_more_than_the_prefetch_is_held(url: str, publisher: RabbitMQPublisher, source: RabbitMQSource) -> None:
    publisher.publish([event(number) for number in range(10)])
    with closing(RabbitMQSource(url, prefetch=4)) as narrow:
        assert len(narrow.receive(10, wait=SECONDS, window=0.3)) == 4
        assert len(take(source, 6)) == 6


def test_an_event_that_cannot_be_routed_is_refused_and_the_queue_made_again(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource
) -> None:
    publisher.publish([event(1)])
    in_channel(url, lambda channel, address: channel.queue_delete(address.queue))

    with pytest.raises(QueueUnavailableError):
        publisher.publish([event(2)])
    publisher.publish([event(3)])

    assert bodies(take(source, 1)) == [body(3)]


def test_a_source_whose_queue_is_deleted_finds_it_made_again(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource
) -> None:
    source.receive(1, wait=0)
    in_channel(url, lambda channel, address: channel.queue_delete(address.queue))

    with suppress(QueueUnavailableError):
        source.receive(1, wait=1)  # it notices the deletion now, or has done so
    sooner_or_later(lambda: source.receive(1, wait=0))
    sooner_or_later(lambda: publisher.publish([event(1)]))

    assert bodies(take(source, 1)) == [body(1)]


def test_a_full_queue_refuses_until_there_is_room(url: str) -> None:
    bounded = f"{url}&max_length=5"
    with closing(RabbitMQPublisher(bounded)) as publisher, closing(RabbitMQSource(bounded)) as source:
        accepted = 0
        while not is_full(publisher):
            accepted += 1
        assert 5 <= accepted < 20
        source.delete([message.receipt_handle for message in take(source, accepted)])

        until(lambda: not is_full(publisher))


@pytest.mark.parametrize("part", PARTS)
def test_a_queue_with_different_arguments_is_named_with_the_remedy(url: str, part: Any) -> None:
    in_channel(url, lambda channel, address: channel.queue_declare(address.queue, durable=True))

    with closing(part(url)) as opened, pytest.raises(QueueUnavailableError, match=r"audit-log\.test\.\w+ .* delete"):
        use(opened)


@pytest.mark.parametrize(
    "count", ["9" * 5000, "none", bytearray(b"1"), True, -3, 2.5, None], ids=lambda count: str(count)[:4]
)
def test_a_foreign_message_whose_delivery_count_is_no_count_was_received_once(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource, count: Any
) -> None:
    publisher.statistics()
    properties = aiormq.spec.Basic.Properties(headers={"x-delivery-count": count})
    in_channel(
        url, lambda channel, address: channel.basic_publish(b"{}", routing_key=address.queue, properties=properties)
    )

    assert [(message.body, message.receive_count) for message in take(source, 1)] == [("{}", 1)]


def test_the_statistics_count_waiting_messages_and_dead_letters(url: str, publisher: RabbitMQPublisher) -> None:
    publisher.publish([event(1), event(2), event(3)])
    with closing(RabbitMQSource(url, max_receives=1)) as source:
        source.retry_after([take(source, 1)[0].receipt_handle], 0)
    expected = QueueStatistics(waiting=2, dead_letters=1)

    until(lambda: publisher.statistics() == expected, shown=publisher.statistics)
