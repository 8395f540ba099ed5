"""Lists and redrives the dead letters in SQS."""

from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import Any, Final

from core.errors import QueueUnavailableError
from core.ports.queue import DeadLetter
from core.queues.sqs.address import SQSAddress
from core.queues.sqs.batches import MAX_ENTRIES, call_in_batches
from core.queues.sqs.client import SQSClient
from core.queues.sqs.queue_stats import redrive_policy

HIDDEN_SECONDS: Final = 600
"""Visibility timeout of a dead letter while it is listed or redriven. It matters only if this process dies."""

_Received = Mapping[str, Any]


class SQSDeadLetters:
    """Implements `DeadLetterQueue`.

    SQS can only show messages by delivering them. While they are listed, other consumers see the rest. There is no
    order either: a limit selects the messages that SQS happens to deliver first.
    """

    def __init__(self, url: str) -> None:
        """Parse `url` (see `SQSAddress`), that of the queue whose redrive policy names the dead-letter queue.

        Raises:
            InvalidSettingsError: not the URL of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url))
        self._exclusive = Lock()

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Implement `DeadLetterQueue.dead_letters`.

        The receive count is the limit of the redrive policy, because SQS counts each listing as a receive.
        """
        with self._exclusive:
            policy = redrive_policy(self._client)
            messages: list[_Received] = []
            try:
                while len(messages) < limit and (
                    received := self._receive(policy.dead_letters_url, limit - len(messages))
                ):
                    messages += received
            finally:
                self._give_back(policy.dead_letters_url, messages)
        messages.sort(key=lambda message: int(message["Attributes"]["SentTimestamp"]))
        return [DeadLetter(message["MessageId"], message["Body"], policy.max_receives) for message in messages]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Implement `DeadLetterQueue.redrive`. Messages with equal bodies may need a second redrive."""
        wanted = None if message_ids is None else frozenset(message_ids)
        redriven = 0
        with self._exclusive:
            dead_letters_url = redrive_policy(self._client).dead_letters_url
            redriven_bodies: set[str] = set()  # keeps out messages that fail again, which could repeat without end
            held: list[_Received] = []
            try:
                while received := self._receive(dead_letters_url, MAX_ENTRIES):
                    held += received
                    chosen = [
                        message
                        for message in received
                        if (wanted is None or message["MessageId"] in wanted)
                        and message["MD5OfBody"] not in redriven_bodies
                    ]
                    self._put_back(dead_letters_url, chosen)
                    redriven_bodies |= {message["MD5OfBody"] for message in chosen}
                    held = [message for message in held if message not in chosen]
                    redriven += len(chosen)
            finally:
                self._give_back(dead_letters_url, held)
        return redriven

    def close(self) -> None:
        """Disconnect permanently."""
        self._client.close()

    def _receive(self, dead_letters_url: str, limit: int) -> list[_Received]:
        response = self._client.call(
            "receive_message",
            queue_url=dead_letters_url,
            MaxNumberOfMessages=min(limit, MAX_ENTRIES),
            WaitTimeSeconds=1,  # a poll without a wait asks only some of the servers of SQS
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages: list[_Received] = response.get("Messages", [])
        return messages

    def _put_back(self, dead_letters_url: str, messages: Sequence[_Received]) -> None:
        bodies = [{"MessageBody": message["Body"]} for message in messages]
        if call_in_batches(self._client, "send_message_batch", bodies):
            raise QueueUnavailableError("SQS rejects a dead letter: see sqs_entries_rejected in the log.")
        receipts = [{"ReceiptHandle": message["ReceiptHandle"]} for message in messages]
        call_in_batches(self._client, "delete_message_batch", receipts, queue_url=dead_letters_url)

    def _give_back(self, dead_letters_url: str, messages: Sequence[_Received]) -> None:
        entries = [{"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0} for message in messages]
        call_in_batches(self._client, "change_message_visibility_batch", entries, queue_url=dead_letters_url)
