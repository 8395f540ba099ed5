"""What only a real broker shows: creation of topics, TLS and SASL, consumers that are evicted."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import IO

import pytest
from confluent_kafka.admin import AdminClient

from core.errors import QueueUnavailableError
from core.queues.kafka import KafkaDeadLetters, KafkaPublisher, KafkaSource
from core.queues.kafka.address import KafkaAddress
from tests.support.builders import event
from tests.support.kafka import BROKER, SESSION_SECONDS, broker_url, committed, sooner_or_later
from tests.support.kafka_server import PASSWORD, USER, shared_broker
from tests.support.messages import body, receipts, take
from tests.support.waiting import SECONDS, until

own_broker = pytest.mark.skipif(BROKER is not None, reason="needs the accounts and the authority of its own broker")


@pytest.fixture
def url() -> Iterator[str]:
    with broker_url() as url:
        yield url


@contextmanager
def secure_url(**settings: str) -> Iterator[str]:
    listeners = shared_broker()
    secure = {"security.protocol": "sasl_ssl", "ssl.ca.location": listeners.ca_file, "sasl.username": USER}
    with broker_url(listeners.secure, **{**secure, "sasl.password": PASSWORD, **settings}) as url:
        yield url


def test_the_first_process_creates_the_topics_with_the_defaults_of_the_cluster(url: str) -> None:
    with closing(KafkaPublisher(url)) as first, closing(KafkaPublisher(url)) as second, ThreadPoolExecutor() as pool:
        list(pool.map(lambda publisher: publisher.publish([event(1)]), (first, second)))
    address = KafkaAddress.parse(url)
    topics = AdminClient(address.admin_settings()).list_topics(timeout=SECONDS).topics
    replicas = {
        name: [len(partition.replicas) for partition in topics[name].partitions.values()]
        for name in (address.topic, address.dead_letters)
    }
    assert replicas == {address.topic: [1] * 6, address.dead_letters: [1]}


@own_broker
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_all_parts_work_by_tls_and_a_password(mechanism: str) -> None:
    with secure_url(**{"sasl.mechanisms": mechanism}) as url:
        with closing(KafkaPublisher(url)) as publisher, closing(KafkaSource(url, max_receives=1)) as source:
            sooner_or_later(publisher.statistics)  # the first handshake of a broker that has just started is slow
            publisher.publish([event(1)])
            source.retry_after(receipts(take(source, 1)), 0)
            assert publisher.statistics().dead_letters == 1
        with closing(KafkaDeadLetters(url)) as dead_letters:
            assert [letter.body for letter in dead_letters.dead_letters(10)] == [body(1)]


@own_broker
@pytest.mark.parametrize(
    "wrong", [{"sasl.password": "another-password"}, {"ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"}]
)
def test_a_wrong_password_and_an_unknown_authority_are_an_unavailable_broker(wrong: dict[str, str]) -> None:
    with secure_url(**{"sasl.mechanisms": "SCRAM-SHA-256", **wrong}) as url:
        with closing(KafkaPublisher(url, timeout=2)) as publisher, pytest.raises(QueueUnavailableError) as caught:
            publisher.publish([event(1)])
        assert "another-password" not in repr(caught.value) + repr(caught.value.__cause__)


def test_a_batch_that_takes_longer_than_the_poll_interval_stays_with_its_consumer(url: str) -> None:
    busy = f"{url}&max.poll.interval.ms={int(SESSION_SECONDS * 1000)}"
    with closing(KafkaPublisher(url)) as publisher, closing(KafkaSource(busy)) as source:
        publisher.publish([event(number, customer_id=number) for number in range(20)])
        messages = take(source, 20)
        time.sleep(2 * SESSION_SECONDS)  # the work of the batch
        source.delete(receipts(messages))
        until(lambda: sum(committed(url).values()) == 20)  # receipts of a lost assignment would commit nothing
        assert source.receive(10, wait=0.2) == []


_CONSUMER = """
import sys
from core.queues.kafka import KafkaSource
source, last = KafkaSource(sys.argv[1]), []
for line in sys.stdin:
    if line == "delete\\n":
        source.delete([message.receipt_handle for message in last])
    last = source.receive(100, wait=0.2)
    print(len(last), flush=True)
"""


class Consumer:
    """A consumer in another process, which can be frozen."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CONSUMER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def receive(self, *, delete: bool = False) -> int:
        """Settle the last messages if asked to, and receive others; their number."""
        output, commands = _open(self.process.stdout), _open(self.process.stdin)
        commands.write("delete\n" if delete else "receive\n")
        commands.flush()
        return int(output.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_a_frozen_consumer_loses_its_partitions_and_can_settle_nothing_there(url: str) -> None:
    with closing(KafkaPublisher(url)) as publisher, closing(Consumer(url)) as frozen:
        publisher.publish([event(number) for number in range(5)])
        until(frozen.receive)
        frozen.process.send_signal(signal.SIGSTOP)
        with closing(KafkaSource(url)) as source:
            again = take(source, 5)
            frozen.process.send_signal(signal.SIGCONT)
            frozen.receive(delete=True)  # its receipts are of a lost assignment
            assert committed(url) == {}
            # The partition may go back to the other consumer: what counts is that one of them settles each message.
            source.delete(receipts(again[:2]))

            def all_are_settled() -> bool:
                frozen.receive(delete=True)
                source.delete(receipts(source.receive(100, wait=0.1)))
                source.delete(receipts(again))
                return sum(committed(url).values()) == 5

            until(all_are_settled)
