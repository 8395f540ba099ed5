"""Outages of the brokers, missing topics, and use after a close."""

import secrets
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from core.errors import QueueFullError, QueueUnavailableError
from core.queues.kafka import KafkaPublisher, KafkaSource
from tests.support.builders import event
from tests.support.kafka import (
    PARTS,
    MockCluster,
    committed,
    queue_url,
    sooner_or_later,
    use,
    use_until_it_fails,
)
from tests.support.messages import body, take
from tests.support.waiting import retried, until, within


def require_unavailable(work: Callable[[], object]) -> None:
    with pytest.raises(QueueUnavailableError):
        work()


def test_an_unreachable_broker_is_reported_in_time_and_found_when_it_is_back(cluster: MockCluster) -> None:
    with queue_url(cluster) as url, closing(KafkaPublisher(url)) as publisher:
        cluster.go_down()
        within(4, lambda: require_unavailable(lambda: publisher.publish([event(1)])))
        within(4, lambda: require_unavailable(publisher.statistics))

        cluster.come_up()
        sooner_or_later(lambda: publisher.publish([event(2)]))
        assert publisher.statistics().partitions == 6


def test_a_check_of_slow_brokers_ends_within_its_bound(cluster: MockCluster) -> None:
    with queue_url(cluster) as url, closing(KafkaPublisher(url, timeout=2.0)) as publisher:
        sooner_or_later(publisher.statistics)
        cluster.answer_after(700)
        # Three responses in sequence would exceed it.
        within(2.6, lambda: retried(publisher.statistics, QueueUnavailableError))
        cluster.answer_after(1500)
        within(2.6, lambda: require_unavailable(publisher.statistics))


OFFSET_FETCH = 9  # https://kafka.apache.org/protocol#protocol_api_keys
NOT_COORDINATOR = 16


def test_a_check_waits_for_the_new_coordinator_of_a_group(cluster: MockCluster) -> None:
    """The admin client of librdkafka up to 2.16.1 ends the process here, by a segmentation fault."""
    with queue_url(cluster) as url, closing(KafkaPublisher(url)) as publisher:
        publisher.publish([event(1)])
        cluster.reject(OFFSET_FETCH, [NOT_COORDINATOR] * 3)
        assert sooner_or_later(publisher.statistics).waiting == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_broker_that_is_away_costs_little_and_is_found_again(cluster: MockCluster, part: Any) -> None:
    bound = {} if part is KafkaSource else {"timeout": 1.0}
    with queue_url(cluster) as url, closing(part(url, **bound)) as opened:
        sooner_or_later(lambda: use(opened))
        cluster.go_down()
        with pytest.raises(QueueUnavailableError):
            use_until_it_fails(opened)

        def use_in_vain() -> None:
            for _ in range(10):
                require_unavailable(lambda: use(opened))

        within(3, use_in_vain)
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
        until(lambda: list(committed(url).values()) == [2])


def test_more_than_the_client_may_keep_is_refused_as_a_full_queue(url: str) -> None:
    with closing(KafkaPublisher(f"{url}&queue.buffering.max.messages=5")) as publisher:
        with pytest.raises(QueueFullError):
            publisher.publish([event(number) for number in range(1000)])
        sooner_or_later(lambda: publisher.publish([event(1)]))


def test_a_topic_that_is_missing_and_is_not_made_is_named(cluster: MockCluster) -> None:
    missing = f"audit-log.test.{secrets.token_hex(6)}"
    url = f"kafka://{cluster.servers}/{missing}"  # a mock cluster creates no topics
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
