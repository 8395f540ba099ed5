"""Rebalances, failed commits and retries of a Kafka consumer, at moments that a broker seldom gives."""

from core.ports.queue import Message
from core.queues.kafka.delivery_tracker import ConsumerRecord, KafkaDeliveryTracker


def filled(*offsets: int) -> KafkaDeliveryTracker:
    deliveries = KafkaDeliveryTracker()
    deliveries.assign([0], {})
    deliveries.add(0, [ConsumerRecord(offset, b"42", b"{}", 1.0) for offset in offsets])
    return deliveries


def take(deliveries: KafkaDeliveryTracker) -> list[Message]:
    return deliveries.take(10, wait=0, window=0)


def test_what_was_released_before_its_partition_went_is_not_held_after() -> None:
    deliveries = filled(5)
    released = deliveries.release([message.receipt_handle for message in take(deliveries)])

    deliveries.revoke([0])
    deliveries.schedule_retry(released, 0, counted=True)

    assert take(deliveries) == []


def test_a_partition_that_comes_back_knows_nothing_of_its_earlier_time() -> None:
    deliveries = filled(5, 6)
    earlier = deliveries.release([message.receipt_handle for message in take(deliveries)])
    deliveries.revoke([0])
    deliveries.assign([0], {})
    deliveries.add(0, [ConsumerRecord(5, b"42", b"{}", 1.0)])

    deliveries.settle(earlier)

    assert deliveries.to_commit() == {}
    assert [message.message_id for message in take(deliveries)] == ["0-5"]


def test_what_waits_is_gone_with_its_partition() -> None:
    deliveries = filled(5, 6, 7)
    first, second, _third = take(deliveries)
    deliveries.schedule_retry(deliveries.release([first.receipt_handle]), 0, counted=True)
    deliveries.add(0, [ConsumerRecord(8, b"42", b"{}", 1.0)])

    assert deliveries.revoke([0]) == {}
    assert take(deliveries) == []
    assert deliveries.release([second.receipt_handle]) == []


def test_a_commit_that_failed_is_asked_for_again_and_offsets_may_have_gaps() -> None:
    deliveries = filled(5, 9, 12)
    deliveries.settle(deliveries.release([message.receipt_handle for message in take(deliveries)[:2]]))

    assert (deliveries.to_commit(), deliveries.to_commit()) == ({0: 12}, {})
    deliveries.commit_failed([0])
    assert deliveries.to_commit() == {0: 12}
    deliveries.commit_failed([0])
    assert deliveries.revoke() == {0: 12}


def test_a_partition_that_was_paused_before_it_went_is_resumed_when_it_comes_back() -> None:
    deliveries = filled(5, 6)
    assert deliveries.throttle(2) == ([], [])  # taken for paused, and full
    deliveries.revoke([0])
    assert not deliveries.any_paused()

    deliveries.assign([0], {})

    assert deliveries.any_paused()
    assert deliveries.throttle(2) == ([], [0])
    assert not deliveries.any_paused()


def test_retries_that_are_due_together_keep_their_order_and_come_before_younger_messages() -> None:
    deliveries = filled(5, 6, 7)
    released = deliveries.release([message.receipt_handle for message in take(deliveries)])
    deliveries.add(0, [ConsumerRecord(8, b"42", b"{}", 1.0)])

    deliveries.schedule_retry(released, 0)

    assert [message.message_id for message in take(deliveries)] == ["0-5", "0-6", "0-7", "0-8"]
