"""What holds for RabbitMQ beyond the contract: broken networks, full and foreign queues, killed consumers."""

import asyncio
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import aiormq
import pytest

from core.errors import AuditLogError, InvalidSettingsError, QueueFullError, QueueUnavailableError
from core.ports import Message
from core.queues.rabbitmq import RabbitMQDeadLetters, RabbitMQPublisher, RabbitMQSource
from core.queues.rabbitmq.address import Address
from tests.builders import event
from tests.rabbitmq import HOST, PORT, queue_url
from tests.tcp_proxy import TcpProxy

PATIENCE = 15.0
PARTS = [RabbitMQPublisher, RabbitMQSource, RabbitMQDeadLetters]


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url() as url:
        yield url


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with closing(TcpProxy((HOST, PORT))) as proxy:
        yield proxy


@pytest.fixture
def proxied(url: str, proxy: TcpProxy) -> str:
    """The URL of the queue through the proxy."""
    return url.replace(f":{PORT}", f":{proxy.port}")


@pytest.fixture
def publisher(url: str) -> Iterator[RabbitMQPublisher]:
    with closing(RabbitMQPublisher(url)) as publisher:
        yield publisher


@pytest.fixture
def source(url: str) -> Iterator[RabbitMQSource]:
    with closing(RabbitMQSource(url)) as source:
        yield source


def bodies(messages: list[Message]) -> list[str]:
    return sorted(message.body for message in messages)


def body(number: int) -> str:
    return event(number).model_dump_json()


def sooner_or_later(work: Callable[[], object]) -> None:
    """Do it once the queue is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            work()
        except QueueUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def take(source: RabbitMQSource, count: int) -> list[Message]:
    deadline = time.monotonic() + PATIENCE
    taken: list[Message] = []
    while len(taken) < count and time.monotonic() < deadline:
        with suppress(QueueUnavailableError):
            taken += source.receive(count - len(taken), wait=0.1)
    assert len(taken) == count
    return taken


def use(part: Any) -> None:
    """Do with a part of the adapter what makes it connect."""
    if isinstance(part, RabbitMQPublisher):
        part.publish([event(1)])
    elif isinstance(part, RabbitMQSource):
        part.receive(1, wait=0)
    else:
        part.dead_letters(1)


def is_away(part: Any) -> bool:
    try:
        use(part)
    except QueueUnavailableError:
        return True
    return False


def is_full(publisher: RabbitMQPublisher) -> bool:
    try:
        publisher.publish([event(1)])
    except QueueFullError:
        return True
    return False


@contextmanager
def seconds_below(limit: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < limit


def in_channel(url: str, work: Callable[[Any, Address], Any]) -> Any:
    async def run() -> Any:
        address = Address.parse(url)
        async with aiormq.connect(address.url) as connection:
            return await work(await connection.channel(), address)

    return asyncio.run(run())


@pytest.mark.parametrize("part", PARTS)
def test_a_broker_that_is_away_costs_little_and_is_found_again(proxied: str, proxy: TcpProxy, part: Any) -> None:
    with closing(part(proxied)) as opened:
        use(opened)
        proxy.cut()

        with seconds_below(2):
            while not is_away(opened):  # a source may not know yet that its connection is gone
                pass
            assert all(is_away(opened) for _ in range(10))
        proxy.restore()
        sooner_or_later(lambda: use(opened))


def test_a_broker_that_does_not_answer_costs_no_more_than_the_timeout(proxied: str, proxy: TcpProxy) -> None:
    with closing(RabbitMQPublisher(proxied, timeout=0.3)) as publisher:
        publisher.publish([event(1)])
        proxy.stall()

        with seconds_below(2), pytest.raises(QueueUnavailableError):
            publisher.publish([event(2)])
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
            source.receive(1, wait=PATIENCE)

        source.delete([deleted.receipt_handle])
        source.retry_after([failed.receipt_handle], 0)
        source.retry_after([held.receipt_handle], 0, counted=False)
        proxy.restore()

        again = take(source, 3)
        assert bodies(again) == [body(1), body(2), body(3)]
        source.delete([message.receipt_handle for message in again])
        assert source.receive(1, wait=0.3) == []


def test_a_source_that_is_closed_gives_all_back_at_once_also_what_waits_for_its_retry(
    url: str, publisher: RabbitMQPublisher, source: RabbitMQSource
) -> None:
    publisher.publish([event(1), event(2), event(3)])
    with closing(RabbitMQSource(url)) as other:
        counted, uncounted, _being_dealt_with = take(other, 3)
        other.retry_after([counted.receipt_handle], 3600)
        other.retry_after([uncounted.receipt_handle], 3600, counted=False)

    assert bodies(take(source, 3)) == [body(1), body(2), body(3)]


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

    assert bodies(take(source, 2)) == [body(1), body(2)]


def test_no_more_than_the_prefetch_is_held(url: str, publisher: RabbitMQPublisher, source: RabbitMQSource) -> None:
    publisher.publish([event(number) for number in range(10)])
    with closing(RabbitMQSource(url, prefetch=4)) as narrow:
        assert len(narrow.receive(10, wait=PATIENCE, window=0.3)) == 4
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

    with pytest.raises(QueueUnavailableError):
        source.receive(1, wait=PATIENCE)
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

        deadline = time.monotonic() + PATIENCE
        while is_full(publisher):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("part", PARTS)
def test_a_queue_that_was_declared_otherwise_is_named_with_what_to_do(url: str, part: Any) -> None:
    in_channel(url, lambda channel, address: channel.queue_declare(address.queue, durable=True))

    with closing(part(url)) as opened, pytest.raises(QueueUnavailableError, match=r"audit-log\.test\.\w+ .* delete"):
        use(opened)


def test_the_check_tells_how_many_wait_and_how_many_were_given_up(url: str, publisher: RabbitMQPublisher) -> None:
    publisher.publish([event(1), event(2), event(3)])
    with closing(RabbitMQSource(url, max_receives=1)) as source:
        source.retry_after([take(source, 1)[0].receipt_handle], 0)
    expected = {"waiting": 2, "dead_letters": 1}

    deadline = time.monotonic() + PATIENCE
    while publisher.check() != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert publisher.check() == expected


def test_the_check_fails_while_the_broker_is_away(proxied: str, proxy: TcpProxy) -> None:
    proxy.cut()
    with closing(RabbitMQPublisher(proxied)) as publisher, pytest.raises(QueueUnavailableError):
        publisher.check()


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
    deadline = time.monotonic() + PATIENCE
    while proxy.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert proxy.connections == 0
    with pytest.raises(QueueUnavailableError, match="shutting down"):
        use(opened)


@pytest.mark.parametrize(
    "broken",
    [
        "http://user:a-password@127.0.0.1/",
        "amqp://user:a-password@:5672/",
        "amqp://user:a-password@host:port/",
        "amqp://user:a-password@[host/",
        "amqp://user:a-password@host:99999/",
        "amqp://user:a-password@host/?queue=",
        "amqp://user:a-password@host/?queue=amq.events",
        f"amqp://user:a-password@host/?queue={'x' * 251}",
        "amqp://user:a-password@host/?max_length=0",
        "amqp://user:a-password@host/?max_length=many",
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_url_that_is_wrong_is_refused_without_its_password(part: Any, broken: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_QUEUE_URL") as caught:
        part(broken)

    assert "a-password" not in everything_said(caught.value)


@pytest.mark.parametrize("host", [f"{HOST}:{PORT}", f"{HOST}:1", "host.invalid"])
@pytest.mark.parametrize("part", PARTS)
def test_no_error_and_no_log_line_has_the_password(part: Any, host: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with closing(part(f"amqp://nobody:a-password@{host}/?queue=audit-log.test.never")) as opened:
        with pytest.raises(QueueUnavailableError) as caught:
            use(opened)
        assert "a-password" not in repr(opened)

    assert "a-password" not in everything_said(caught.value)
    assert "a-password" not in caplog.text


def everything_said(error: AuditLogError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__cause__) + repr(Address.parse("amqp://u:p@h/"))
