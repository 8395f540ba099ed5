"""Acknowledgements and order of the deliveries of one channel."""

from collections.abc import Sequence

import pytest

from core.queues.rabbitmq.delivery_tracker import RabbitMQDelivery, RabbitMQDeliveryTracker


def pushed(*tags: int) -> tuple[RabbitMQDeliveryTracker, list[str]]:
    """A tracker whose deliveries were all received, and their receipts."""
    deliveries = RabbitMQDeliveryTracker()
    for tag in tags:
        deliveries.add(RabbitMQDelivery(tag, f"message {tag}", "{}", 1, 0.0))
    return deliveries, [message.receipt_handle for message in deliveries.take(len(tags), 0, 0)]


def settle(deliveries: RabbitMQDeliveryTracker, receipts: Sequence[str]) -> list[tuple[int, bool]]:
    acknowledgements = deliveries.settle(deliveries.release(receipts))
    return [(each.tag, each.multiple) for each in acknowledgements]


@pytest.mark.parametrize(
    ("chosen", "acknowledged"),
    [
        ([0, 1, 2, 3], [(4, True)]),
        ([3, 2, 1, 0], [(4, True)]),
        ([0, 1], [(2, True)]),
        ([1, 3], [(2, False), (4, False)]),
        ([0, 3], [(1, True), (4, False)]),
        ([], []),
    ],
)
def test_all_up_to_a_tag_are_acknowledged_at_once_only_if_all_are_settled(
    chosen: list[int], acknowledged: list[tuple[int, bool]]
) -> None:
    deliveries, receipts = pushed(1, 2, 3, 4)

    assert settle(deliveries, [receipts[index] for index in chosen]) == acknowledged


def test_what_was_settled_before_does_not_count_again() -> None:
    deliveries, receipts = pushed(1, 2, 3)

    assert settle(deliveries, receipts[1:2]) == [(2, False)]
    assert settle(deliveries, receipts[:2]) == [(1, True)]
    assert settle(deliveries, receipts) == [(3, True)]


def test_a_message_that_waits_for_its_retry_is_not_acknowledged_with_younger_ones() -> None:
    deliveries, receipts = pushed(1, 2, 3)
    deliveries.release(receipts[:1])

    assert settle(deliveries, receipts[1:]) == [(2, False), (3, False)]


def test_deliveries_of_a_lost_channel_are_not_acknowledged() -> None:
    deliveries, receipts = pushed(1, 2)
    released = deliveries.release(receipts)
    deliveries.lose()

    assert deliveries.settle(released) == []


def test_a_retry_that_is_due_comes_before_what_waits() -> None:
    deliveries, receipts = pushed(1, 2)
    deliveries.add(RabbitMQDelivery(3, "message 3", "{}", 1, 0.0))

    deliveries.schedule_retry(deliveries.release(receipts), 0)

    assert [message.message_id for message in deliveries.take(3, 0, 0)] == ["message 1", "message 2", "message 3"]
    assert deliveries.settle(deliveries.release(receipts)) == []
