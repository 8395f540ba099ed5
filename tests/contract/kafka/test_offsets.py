"""Partitions, offsets and consumer groups, beyond the contract."""

import subprocess
import sys
from collections import defaultdict
from contextlib import closing

import pytest
from confluent_kafka import Producer, TopicPartition

from core.domain.models import Event
from core.ports.queue import QueueStatistics
from core.queues.kafka import KafkaDeadLetters, KafkaPublisher, KafkaSource
from core.queues.kafka.address import KafkaAddress
from tests.support.builders import event
from tests.support.kafka import committed, reader, sooner_or_later
from tests.support.messages import body, receipts, take
from tests.support.waiting import SECONDS, until


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
        until(lambda: committed(url) == {partition: 3})
        source.delete(receipts(others[3:]))
    assert committed(url) == {partition: 3}


def test_what_a_killed_consumer_had_not_deleted_comes_to_another(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(1), event(2)])
    program = (
        "import sys, time; from core.queues.kafka import KafkaSource; source = KafkaSource(sys.argv[1])\n"
        "print(len(source.receive(2, wait=90, window=5)), flush=True); time.sleep(60)"
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
    with closing(KafkaSource(url)) as first, closing(KafkaSource(url)) as second:

        def both_have_received() -> bool:
            batch = [event(len(published) + number, customer_id=number) for number in range(20)]
            publisher.publish(batch)
            published.extend(batch)
            consume("first", first)
            if received["first"]:
                consume("second", second)
            return bool(received["second"])

        def all_were_received() -> bool:
            consume("first", first)
            consume("second", second)
            return received["first"] | received["second"] == {each.model_dump_json() for each in published}

        until(both_have_received)
        until(all_were_received)


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


def test_a_dead_letter_names_its_origin_and_receive_count(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(1), event(2)])
    with closing(KafkaSource(url, max_receives=2)) as source:
        first, second = take(source, 2)
        source.delete([first.receipt_handle])
        source.retry_after([second.receipt_handle], 0)
        source.retry_after(receipts(take(source, 1)), 0)

    address = KafkaAddress.parse(url)
    partition, offset = second.message_id.split("-")
    with reader(url) as consumer:
        consumer.assign([TopicPartition(address.dead_letters, 0, 0)])
        message = consumer.poll(SECONDS)
    assert message is not None
    assert (message.key(), message.value()) == (b"42", body(2).encode())
    assert message.headers() == [
        ("audit-log-topic", address.topic.encode()),
        ("audit-log-partition", partition.encode()),
        ("audit-log-offset", offset.encode()),
        ("audit-log-receive-count", b"2"),
    ]
    assert committed(url) == {int(partition): int(offset) + 1}


@pytest.mark.parametrize("count", [b"9" * 5000, b"-1", b"two", b"", None], ids=lambda count: str(count)[:4])
def test_a_foreign_dead_letter_whose_count_is_no_count_was_never_received(url: str, count: bytes | None) -> None:
    address = KafkaAddress.parse(url)
    producer = Producer({"bootstrap.servers": address.servers})
    producer.produce(address.dead_letters, b"{}", headers={"audit-log-receive-count": count})
    assert producer.flush(SECONDS) == 0

    with closing(KafkaDeadLetters(url)) as dead_letters:
        assert [(letter.body, letter.receive_count) for letter in dead_letters.dead_letters(10)] == [("{}", 0)]


def test_no_more_is_read_of_a_partition_than_may_be_pending(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(number) for number in range(3000)])
    with closing(KafkaSource(url, max_pending=100)) as source:
        held = source.receive(5000, wait=SECONDS, window=1.0)
        assert 100 <= len(held) <= 700  # messages that were fetched before the pause are still delivered
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


def test_the_check_counts_waiting_messages_and_dead_letters(url: str, publisher: KafkaPublisher) -> None:
    publisher.publish([event(number) for number in range(5)])
    assert publisher.statistics() == QueueStatistics(waiting=5, dead_letters=0, partitions=6)

    with closing(KafkaSource(url, max_receives=1)) as source:
        first, *others = take(source, 5)
        source.retry_after([first.receipt_handle], 0)
        source.delete(receipts(others))
        until(lambda: publisher.statistics() == QueueStatistics(waiting=0, dead_letters=1, partitions=6))
