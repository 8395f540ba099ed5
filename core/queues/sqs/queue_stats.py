"""Queue statistics: message counts and the redrive policy, which names the dead-letter queue."""

import json
from dataclasses import dataclass

from core.errors import QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.sqs.client import SQSClient


@dataclass(frozen=True)
class RedrivePolicy:
    """The dead-letter queue's URL, and the number of receives after which SQS moves a message there."""

    dead_letters_url: str
    max_receives: int


def queue_statistics(client: SQSClient) -> QueueStatistics:
    """Return the number of messages that wait or are in flight, and of dead letters.

    The counts of SQS are approximate and up to a minute old.

    Raises:
        QueueUnavailableError: a queue is unreachable, or has no redrive policy.
    """
    attributes = _attributes(client, client.address.queue_url)
    policy = _policy(client, attributes)
    return QueueStatistics(
        waiting=_messages(attributes),
        dead_letters=_messages(_attributes(client, policy.dead_letters_url)),
    )


def redrive_policy(client: SQSClient) -> RedrivePolicy:
    """Read the queue's redrive policy.

    Raises:
        QueueUnavailableError: the queue is unreachable, or has none.
    """
    return _policy(client, _attributes(client, client.address.queue_url))


def _attributes(client: SQSClient, queue_url: str) -> dict[str, str]:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "RedrivePolicy",
    ]
    response = client.call("get_queue_attributes", queue_url=queue_url, AttributeNames=names)
    attributes: dict[str, str] = response.get("Attributes", {})
    return attributes


def _messages(attributes: dict[str, str]) -> int:
    return sum(int(value) for name, value in attributes.items() if name.startswith("Approximate"))


def _policy(client: SQSClient, attributes: dict[str, str]) -> RedrivePolicy:
    address = client.address
    if "RedrivePolicy" not in attributes:
        raise QueueUnavailableError(
            f"The SQS queue {address.name} has no dead-letter queue, so a bad message would be redelivered for days: "
            "give it a redrive policy."
        )
    policy = json.loads(attributes["RedrivePolicy"])
    name = policy["deadLetterTargetArn"].rpartition(":")[2]  # SQS requires the same account and region
    return RedrivePolicy(f"{address.endpoint}/{address.account}/{name}", int(policy["maxReceiveCount"]))
