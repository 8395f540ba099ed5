"""Looks at what was given up, and puts it back."""

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
"""How long a dead letter is hidden from others if this process dies while it looks."""

_Received = Mapping[str, Any]


class SQSDeadLetters:
    """Implements `DeadLetterQueue`.

    SQS has no look without a receive: who looks holds the messages for that moment, and others see the rest. It keeps
    no order either: of more than are asked for, those come that SQS gives first.
    """

    def __init__(self, url: str) -> None:
        """`url` as in `SQSAddress`, of the queue whose dead letters these are.

        Raises:
            InvalidSettingsError: the URL is not one of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url))
        self._working = Lock()

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `DeadLetterQueue.dead_letters`. SQS counts looks as receives: what is told is the queue's limit."""
        with self._working:
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
        """See `DeadLetterQueue.redrive`. Of the same content that was given up several times, some may need another."""
        wanted = None if message_ids is None else frozenset(message_ids)
        redriven = 0
        with self._working:
            dead_letters_url = redrive_policy(self._client).dead_letters_url
            put_back: set[str] = set()  # what fails again meanwhile stays: to go on could mean to go round without end
            held: list[_Received] = []
            try:
                while received := self._receive(dead_letters_url, MAX_ENTRIES):
                    held += received
                    chosen = [
                        message
                        for message in received
                        if (wanted is None or message["MessageId"] in wanted) and message["MD5OfBody"] not in put_back
                    ]
                    self._put_back(dead_letters_url, chosen)
                    put_back |= {message["MD5OfBody"] for message in chosen}
                    held = [message for message in held if message not in chosen]
                    redriven += len(chosen)
            finally:
                self._give_back(dead_letters_url, held)
        return redriven

    def close(self) -> None:
        """Disconnect, for good."""
        self._client.close()

    def _receive(self, dead_letters_url: str, at_most: int) -> list[_Received]:
        answer = self._client.call(
            "receive_message",
            queue_url=dead_letters_url,
            MaxNumberOfMessages=min(at_most, MAX_ENTRIES),
            WaitTimeSeconds=1,  # without a wait SQS asks some of its servers only
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages: list[_Received] = answer.get("Messages", [])
        return messages

    def _put_back(self, dead_letters_url: str, messages: Sequence[_Received]) -> None:
        bodies = [{"MessageBody": message["Body"]} for message in messages]
        if call_in_batches(self._client, "send_message_batch", bodies):
            raise QueueUnavailableError("SQS refuses to take a dead letter back: see the log.")
        receipts = [{"ReceiptHandle": message["ReceiptHandle"]} for message in messages]
        call_in_batches(self._client, "delete_message_batch", receipts, queue_url=dead_letters_url)

    def _give_back(self, dead_letters_url: str, messages: Sequence[_Received]) -> None:
        entries = [{"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0} for message in messages]
        call_in_batches(self._client, "change_message_visibility_batch", entries, queue_url=dead_letters_url)
