"""RabbitMQ beyond the contract: broken networks and killed consumers."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from core.errors import QueueUnavailableError
from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.support.builders import event
from tests.support.messages import bodies, body, take
from tests.support.rabbitmq import HOST, PARTS, PORT, delete_queues, sooner_or_later, use
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import SECONDS, until, within


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with closing(TcpProxy((HOST, PORT))) as proxy:
        yield proxy


@pytest.fixture
def proxied(url: str, proxy: TcpProxy) -> str:
    """The URL of the queue through the proxy."""
    return url.replace(f":{PORT}", f":{proxy.port}")


def is_away(part: Any) -> bool:
    try:
        use(part)
    except QueueUnavailableError:
        return True
    return False


@pytest.mark.parametrize("part", PARTS)
def test_a_broker_that_is_away_costs_little_and_is_found_again(proxied: str, proxy: TcpProxy, part: Any) -> None:
    with closing(part(proxied)) as opened:
        use(opened)
        proxy.cut()

        until(lambda: is_away(opened))  # a source may not have noticed the loss of its connection yet

        def use_in_vain() -> None:
            attempts = proxy.attempts
            assert all(is_away(opened) for _ in range(50))
            assert proxy.attempts - attempts < 10  # because of the back-off

        within(2, use_in_vain)
        proxy.restore()
        sooner_or_later(lambda: use(opened))


def test_a_broker_that_does_not_answer_costs_no_more_than_the_timeout(proxied: str, proxy: TcpProxy) -> None:
    with closing(RabbitMQPublisher(proxied, timeout=0.3)) as publisher:
        sooner_or_later(lambda: publisher.publish([event(1)]))  # a busy machine may take longer to connect
        proxy.stall()

        within(2, lambda: is_away(publisher))
        proxy.cut()


def test_nothing_that_was_acknowledged_is_lost_when_connections_break(
    proxied: str, proxy: TcpProxy, source: RabbitMQSource
) -> None:
    acknowledged: set[str] = set()

    def publish(number: int) -> None:
        try:
            breaking.publish([event(number)])
        except QueueUnavailableError:
            time.sleep(0.02)
        else:
            acknowledged.add(body(number))

    with closing(RabbitMQPublisher(proxied)) as breaking, ThreadPoolExecutor(8) as threads:
        done = [threads.submit(publish, number) for number in range(400)]
        for _ in range(3):
            time.sleep(0.1)
            proxy.cut()
            proxy.restore()
        for each in done:
            each.result()
        sooner_or_later(lambda: breaking.publish([event(400)]))
        acknowledged.add(body(400))

    received: set[str] = set()
    while messages := source.receive(1000, wait=0.5):
        received |= {message.body for message in messages}
        source.delete([message.receipt_handle for message in messages])
    assert len(acknowledged) > 1
    assert acknowledged <= received


def test_a_source_that_lost_its_connection_gets_its_messages_again(
    proxied: str, proxy: TcpProxy, publisher: RabbitMQPublisher
) -> None:
    publisher.publish([event(1), event(2), event(3)])
    with closing(RabbitMQSource(proxied)) as source:
        deleted, failed, held = take(source, 3)
        proxy.cut()
        with pytest.raises(QueueUnavailableError):
            source.receive(1, wait=SECONDS)

        source.delete([deleted.receipt_handle])
        source.retry_after([failed.receipt_handle], 0)
        source.retry_after([held.receipt_handle], 0, counted=False)
        proxy.restore()

        again = take(source, 3)
        assert sorted(bodies(again)) == [body(1), body(2), body(3)]
        source.delete([message.receipt_handle for message in again])
        assert source.receive(1, wait=0.3) == []


def test_a_source_that_gets_nothing_from_a_queue_with_messages_reconnects_and_says_so(
    url: str, publisher: RabbitMQPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([event(number) for number in range(1, 5)])
    with closing(RabbitMQSource(url, prefetch=2, stall_seconds=0.3)) as source:
        take(source, 2)  # never settled, as if their acknowledgements had got lost

        received = [take(source, 1)[0] for _ in range(2)]

        assert sorted(bodies(received)) == [body(1), body(2)]
        [record] = caplog.records
        assert (record.message, vars(record)["waiting"], vars(record)["unsettled"]) == (
            "rabbitmq_consumer_stalled",
            2,
            2,
        )
        source.delete([message.receipt_handle for message in received])
        assert sorted(bodies(take(source, 2))) == [body(3), body(4)]


def test_a_source_of_an_empty_queue_keeps_its_connection(
    proxied: str, proxy: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(RabbitMQSource(proxied, stall_seconds=0.05)) as source:
        for _ in range(10):
            assert source.receive(1, wait=0.05) == []
    assert proxy.attempts == 1
    assert not caplog.records


def test_a_source_whose_queue_was_deleted_declares_it_again(url: str, publisher: RabbitMQPublisher) -> None:
    with closing(RabbitMQSource(url)) as source:
        publisher.publish([event(1)])
        take(source, 1)
        asyncio.run(delete_queues(url))

        # It notices the deletion now, or has done so. RabbitMQ 3.10 notifies it of none where the queue is back soon.
        with suppress(QueueUnavailableError):
            source.receive(1, wait=1)
        sooner_or_later(lambda: publisher.publish([event(2)]))
        assert bodies(take(source, 1)) == [body(2)]


def test_what_a_killed_consumer_held_comes_to_another(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource
) -> None:
    publisher.publish([event(1), event(2)])
    program = (
        "import sys, time; from core.queues.rabbitmq import RabbitMQSource; source = RabbitMQSource(sys.argv[1])\n"
        "print(len(source.receive(2, wait=30, window=5)), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "2\n"
        assert source.receive(1, wait=0.1) == []
        consumer.kill()

    assert sorted(bodies(take(source, 2))) == [body(1), body(2)]


def test_the_check_fails_while_the_broker_is_away(proxied: str, proxy: TcpProxy) -> None:
    proxy.cut()
    with closing(RabbitMQPublisher(proxied)) as publisher, pytest.raises(QueueUnavailableError):
        publisher.statistics()


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_left_after_a_close(proxied: str, proxy: TcpProxy, part: Any) -> None:
    opened = part(proxied)
    before = set(threading.enumerate())
    use(opened)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("audit-log")]
    assert (len(ours), proxy.connections) == (1, 1)

    opened.close()
    opened.close()

    assert not ours[0].is_alive()
    assert ours[0] not in before
    until(lambda: proxy.connections == 0)
    with pytest.raises(QueueUnavailableError, match="shutting down"):
        use(opened)
