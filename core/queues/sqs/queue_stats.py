"""What is told of both queues: how much is in them, and where the dead letters are."""

import json
from dataclasses import dataclass

from core.errors import QueueUnavailableError
from core.queues.sqs.client import SQSClient


@dataclass(frozen=True)
class RedrivePolicy:
    """Where a queue's dead letters go, and after how many receives."""

    dead_letters_url: str
    max_receives: int


def queue_stats(client: SQSClient) -> dict[str, object]:
    """How many messages wait or are in flight, and how many were given up. SQS counts about, and a minute late.

    Raises:
        QueueUnavailableError: a queue cannot be reached, or has no dead letters.
    """
    attributes = _attributes(client, client.address.queue_url)
    policy = _policy(client, attributes)
    return {
        "waiting": _messages(attributes),
        "dead_letters": _messages(_attributes(client, policy.dead_letters_url)),
    }


def redrive_policy(client: SQSClient) -> RedrivePolicy:
    """The queue's own.

    Raises:
        QueueUnavailableError: the queue cannot be reached, or has none.
    """
    return _policy(client, _attributes(client, client.address.queue_url))


def _attributes(client: SQSClient, queue_url: str) -> dict[str, str]:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "RedrivePolicy",
    ]
    answer = client.call("get_queue_attributes", queue_url=queue_url, AttributeNames=names)
    attributes: dict[str, str] = answer.get("Attributes", {})
    return attributes


def _messages(attributes: dict[str, str]) -> int:
    return sum(int(value) for name, value in attributes.items() if name.startswith("Approximate"))


def _policy(client: SQSClient, attributes: dict[str, str]) -> RedrivePolicy:
    address = client.address
    if "RedrivePolicy" not in attributes:
        raise QueueUnavailableError(
            f"The SQS queue {address.name} has no dead-letter queue, so that a bad message would come again for days: "
            "give it a redrive policy."
        )
    policy = json.loads(attributes["RedrivePolicy"])
    name = policy["deadLetterTargetArn"].rpartition(":")[2]  # of the same account and region, as SQS requires
    return RedrivePolicy(f"{address.endpoint}/{address.account}/{name}", int(policy["maxReceiveCount"]))
