"""What holds for Kafka beyond the contract: offsets, rebalances, dead letters, brokers that are away, settings."""

import secrets
import subprocess
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from core.errors import InvalidSettingsError, QueueFullError, QueueUnavailableError
from core.models import Event
from core.ports import Message
from core.queues.kafka import KafkaDeadLetters, KafkaPublisher, KafkaSource
from core.queues.kafka.address import Address
from tests.builders import event
from tests.kafka import MockCluster, queue_url

PATIENCE = 20.0
PARTS = [KafkaPublisher, KafkaSource, KafkaDeadLetters]


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


def body(number: int) -> str:
    return event(number).model_dump_json()


def receipts(messages: list[Message]) -> list[str]:
    return [message.receipt_handle for message in messages]


def sooner_or_later(work: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except (QueueUnavailableError, QueueFullError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def use_until_it_fails(part: Any) -> None:
    """A source notices in the background that its brokers are away."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        use(part)


def take(source: KafkaSource, count: int) -> list[Message]:
    deadline = time.monotonic() + PATIENCE
    taken: list[Message] = []
    while len(taken) < count and time.monotonic() < deadline:
        taken += source.receive(count - len(taken), wait=0.1)
    assert len(taken) == count
    return taken


def use(part: Any) -> None:
    """Do with a part of the adapter what makes it connect."""
    if isinstance(part, KafkaPublisher):
        part.publish([event(1)])
    elif isinstance(part, KafkaSource):
        part.receive(1, wait=0.1)
    else:
        part.dead_letters(1)


@contextmanager
def seconds_below(limit: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < limit


@contextmanager
def reader(url: str) -> Iterator[Consumer]:
    """A consumer that looks at the group and the topics from the side."""
    address = Address.parse(url)
    settings = {"bootstrap.servers": address.servers, "group.id": address.group, "auto.offset.reset": "earliest"}
    with closing(Consumer({**settings, "enable.auto.commit": False})) as consumer:
        yield consumer


def committed(url: str) -> dict[int, int]:
    """By partition: the offset that the group has committed."""
    topic = Address.parse(url).topic
    with reader(url) as consumer:
        asked = [TopicPartition(topic, number) for number in range(6)]
        return {each.partition: each.offset for each in consumer.committed(asked, 10) if each.offset >= 0}


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_events_of_one_customer_come_in_the_order_of_their_publishing(url: str, publisher: KafkaPublisher) -> None:
    events = [event(number, customer_id=number % 20) for number in range(400)]
    for start in range(0, 400, 7):
        publisher.publish(events[start : start + 7])
    received = defaultdict(list)
    with closing(KafkaSource(url)) as source:
        messages = take(source, 400)
    for message in messages:
        parsed = Event.model_validate_json(message.body)
        received[parsed.customer_id].append(int(parsed.event_id[-12:]))

    assert len({message.message_id.split("-")[0] for message in messages}) > 1
    assert received == {customer: list(range(customer, 400, 20)) for customer in range(20)}


def test_the_offset_that_is_committed_has_only_deleted_messages_below_it(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(number) for number in range(5)])
    with closing(KafkaSource(url)) as source:
        first, *others = take(source, 5)
        partition = int(first.message_id.split("-")[0])
        source.delete(receipts(others[:2]))
        assert committed(url) == {}

        source.delete([first.receipt_handle])
        wait_until(lambda: committed(url) == {partition: 3})
        source.delete(receipts(others[3:]))
    assert committed(url) == {partition: 3}


def test_what_a_killed_consumer_had_not_deleted_comes_to_another(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(1), event(2)])
    program = (
        "import sys, time; from core.queues.kafka import KafkaSource; source = KafkaSource(sys.argv[1])\n"
        "print(len(source.receive(2, wait=30, window=5)), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "2\n"
        consumer.kill()

    with closing(KafkaSource(url)) as source:
        assert [message.body for message in take(source, 2)] == [body(1), body(2)]


def test_a_rebalance_loses_nothing_and_shares_the_partitions(url: str, publisher: KafkaPublisher) -> None:
    received: dict[str, set[str]] = {"first": set(), "second": set()}

    def consume(name: str, source: KafkaSource) -> None:
        messages = sooner_or_later(lambda: source.receive(50, wait=0.1))
        received[name] |= {message.body for message in messages}
        source.delete(receipts(messages))

    published: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    with closing(KafkaSource(url)) as first, closing(KafkaSource(url)) as second:
        while not received["second"] and time.monotonic() < deadline:
            batch = [event(len(published) + number, customer_id=number) for number in range(20)]
            publisher.publish(batch)
            published += batch
            consume("first", first)
            if received["first"]:
                consume("second", second)
        assert received["second"]
        everything = {each.model_dump_json() for each in published}
        while received["first"] | received["second"] != everything and time.monotonic() < deadline:
            consume("first", first)
            consume("second", second)
    assert received["first"] | received["second"] == everything


def test_a_receipt_of_a_partition_that_went_to_another_has_no_effect(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(number, customer_id=number) for number in range(60)])
    with closing(KafkaSource(url)) as first, closing(KafkaSource(url)) as second:
        before = take(first, 60)
        again = take(second, 1)
        went = {message.message_id for message in again}
        first.delete(receipts([message for message in before if message.message_id in went]))
        first.retry_after(receipts([message for message in before if message.message_id in went]), 0)
    assert went
    assert committed(url) == {}


def test_a_dead_letter_tells_where_it_was_and_how_often_it_was_received(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(1), event(2)])
    with closing(KafkaSource(url, max_receives=2)) as source:
        first, second = take(source, 2)
        source.delete([first.receipt_handle])
        source.retry_after([second.receipt_handle], 0)
        source.retry_after(receipts(take(source, 1)), 0)

    address = Address.parse(url)
    partition, offset = second.message_id.split("-")
    with reader(url) as consumer:
        consumer.assign([TopicPartition(address.dead_letters, 0, 0)])
        message = consumer.poll(10)
    assert message is not None
    assert (message.key(), message.value()) == (b"42", body(2).encode())
    assert message.headers() == [
        ("audit-log-topic", address.topic.encode()),
        ("audit-log-partition", partition.encode()),
        ("audit-log-offset", offset.encode()),
        ("audit-log-receive-count", b"2"),
    ]
    assert committed(url) == {int(partition): int(offset) + 1}


def test_no_more_is_read_of_a_partition_than_may_be_undone(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(number) for number in range(3000)])
    with closing(KafkaSource(url, max_undone=100)) as source:
        held = source.receive(5000, wait=PATIENCE, window=1.0)
        assert 100 <= len(held) <= 700  # what was on its way when it was full still comes
        source.delete(receipts(held))

        rest = {message.body for message in held}
        while len(rest) < 3000:
            messages = take(source, 1) + source.receive(5000, wait=0)
            source.delete(receipts(messages))
            rest |= {message.body for message in messages}
    assert rest == {body(number) for number in range(3000)}


def test_the_largest_event_fits(url: str, publisher: KafkaPublisher) -> None:
    large = event(1, event_type="x" * 255, event_data={"large": "\N{PILE OF POO}" * (64 * 1024)})
    publisher.publish([large])
    with closing(KafkaSource(url)) as source:
        assert take(source, 1)[0].body == large.model_dump_json()


def test_an_unreachable_broker_is_told_within_the_bound_and_found_when_it_is_there(cluster: MockCluster) -> None:
    with queue_url(cluster) as url, closing(KafkaPublisher(url)) as publisher:
        cluster.go_down()
        with seconds_below(4), pytest.raises(QueueUnavailableError):
            publisher.publish([event(1)])
        with seconds_below(4), pytest.raises(QueueUnavailableError):
            publisher.check()

        cluster.come_up()
        sooner_or_later(lambda: publisher.publish([event(2)]))
        assert publisher.check() == {"partitions": 6}


@pytest.mark.parametrize("part", PARTS)
def test_a_broker_that_is_away_costs_little_and_is_found_again(cluster: MockCluster, part: Any) -> None:
    bound = {} if part is KafkaSource else {"timeout": 1.0}
    with queue_url(cluster) as url, closing(part(url, **bound)) as opened:
        sooner_or_later(lambda: use(opened))
        cluster.go_down()
        with pytest.raises(QueueUnavailableError):
            use_until_it_fails(opened)
        with seconds_below(3):
            for _ in range(10):
                with pytest.raises(QueueUnavailableError):
                    use(opened)
        cluster.come_up()
        sooner_or_later(lambda: use(opened))


def test_a_source_goes_on_where_it_was_when_the_broker_is_back(cluster: MockCluster) -> None:
    with queue_url(cluster) as url, closing(KafkaPublisher(url)) as publisher, closing(KafkaSource(url)) as source:
        publisher.publish([event(1)])
        (first,) = take(source, 1)
        cluster.go_down()
        source.delete([first.receipt_handle])
        cluster.come_up()
        sooner_or_later(lambda: publisher.publish([event(2)]))

        (second,) = sooner_or_later(lambda: take(source, 1))
        assert second.body == body(2)
        source.delete([second.receipt_handle])
        wait_until(lambda: list(committed(url).values()) == [2])


def test_more_than_the_client_may_keep_is_refused_as_a_full_queue(url: str) -> None:
    with closing(KafkaPublisher(f"{url}&queue.buffering.max.messages=5")) as publisher:
        with pytest.raises(QueueFullError):
            publisher.publish([event(number) for number in range(1000)])
        sooner_or_later(lambda: publisher.publish([event(1)]))


def test_a_topic_that_is_missing_and_is_not_made_is_named(cluster: MockCluster) -> None:
    missing = f"audit-log.test.{secrets.token_hex(6)}"
    url = f"kafka://{cluster.servers}/{missing}"  # a mock cluster makes no topic
    with closing(KafkaPublisher(url)) as publisher, pytest.raises(QueueUnavailableError, match=missing):
        publisher.publish([event(1)])


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_left_after_a_close(url: str, part: Any) -> None:
    opened = part(url)
    before = set(threading.enumerate())
    use(opened)
    ours = set(threading.enumerate()) - before
    assert len(ours) == 1

    opened.close()
    opened.close()

    assert not any(thread.is_alive() for thread in ours)
    with pytest.raises(QueueUnavailableError, match="shutting down"):
        use(opened)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("http://host/topic", "kafka://host:9092"),
        ("kafka://user:a-password@host/topic", "sasl.password"),
        ("kafka:///topic", "kafka://host:9092"),
        ("kafka://host:99999/topic", "kafka://host:9092"),
        ("kafka://host:9092,/topic", "kafka://host:9092"),
        ("kafka://[host/topic", "kafka://host:9092"),
        ("kafka://host/a/b", "topic"),
        ("kafka://host/..", "topic"),
        (f"kafka://host/{'x' * 245}", "topic"),
        ("kafka://host/topic?a-password", "%XX"),
        ("kafka://host/topic?no.such.setting=a-password", "no.such.setting"),
        ("kafka://host/topic?socket.timeout.ms=a-password", "socket.timeout.ms"),
        ("kafka://host/topic?security.protocol=a-password", "security.protocol"),
        ("kafka://host/topic?security.protocol=sasl_plaintext&sasl.mechanisms=a-password", "sasl.mechanisms"),
        ("kafka://host/topic?security.protocol=ssl&ssl.ca.location=/a-password", "ssl.ca.location"),
        ("kafka://host/topic?sasl.password=x&a-password=", "%26"),
        ("kafka://host/topic?error_cb=a-password", "%26"),
        ("kafka://host/topic?acks=0", "acks"),
        ("kafka://host/topic?enable.auto.commit=true", "enable.auto.commit"),
        ("kafka://host/topic?plugin.library.paths=a-password", "plugin.library.paths"),
        ("kafka://host/topic?group.id=", "group.id"),
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_url_that_is_wrong_is_refused_without_its_values(part: Any, broken: str, named: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_QUEUE_URL") as caught:
        part(broken)

    assert named in str(caught.value)
    assert "a-password" not in everything_said(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_no_error_and_no_log_line_has_the_password(
    cluster: MockCluster, part: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    credentials = "security.protocol=sasl_plaintext&sasl.mechanisms=PLAIN&sasl.username=u&sasl.password=a-password"
    with closing(part(f"kafka://{cluster.servers}/topic?{credentials}&debug=all")) as opened:
        with pytest.raises(QueueUnavailableError) as caught:
            use_until_it_fails(opened)
        assert "a-password" not in repr(opened) + repr(vars(opened))

    assert "a-password" not in everything_said(caught.value)
    assert caplog.text
    assert "a-password" not in caplog.text


def test_the_parts_of_a_url_and_what_they_are_by_default() -> None:
    address = Address.parse("kafka://one:9092,two")
    assert (address.servers, address.topic, address.dead_letters, address.group, address.redrive_group) == (
        "one:9092,two",
        "audit-log.events",
        "audit-log.events.dead",
        "audit-log",
        "audit-log.redrive",
    )
    other = Address.parse("kafka://[::1]:9092/other?group.id=mine&linger.ms=20")
    assert (other.topic, other.group, other.producer_settings(5)["linger.ms"]) == ("other", "mine", "20")


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__cause__) + repr(error.__context__)
