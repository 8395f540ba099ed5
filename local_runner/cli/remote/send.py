"""Sending the lines of a file, and telling what became of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import uuid_utils

from audit_log_client import Api, UnavailableError
from core.domain import strict_json
from local_runner.cli.remote.event_file import batches


@dataclass(slots=True)
class Sent:
    """How many lines the service accepted and refused."""

    accepted: int = 0
    rejected: int = 0


def send_lines(
    api: Api,
    stream: BinaryIO,
    name: str | None,
    on_rejected: Callable[[int, str], None],
    on_progress: Callable[[int], None],
) -> Sent:
    """Send every line; `on_rejected` gets number and reason of those not taken, `on_progress` the bytes dealt with.

    Raises:
        UnavailableError: the service went away; the message says what to do.
        RefusedError: it takes nothing from this client.
    """
    sent = Sent()
    for batch in batches(stream, name):
        rejected = dict(batch.refused)
        if batch.events:
            try:
                receipt = api.send(batch.events)
            except UnavailableError as exc:
                raise UnavailableError(f"{exc} {_what_to_do(sent.accepted, name)}") from exc
            sent.accepted += len(receipt.accepted)
            rejected |= {batch.numbers[index]: reason for index, reason in receipt.rejected.items()}
        for number, reason in sorted(rejected.items()):
            on_rejected(number, reason)
        sent.rejected += len(rejected)
        on_progress(batch.position)
    return sent


def one_event(event_type: str, customer: int, data: str, timestamp: int | None) -> bytes:
    """The JSON of an event with a new id.

    Raises:
        MalformedJSONError: `data` is not JSON.
    """
    event = {
        "event_id": str(uuid_utils.uuid7()),
        "event_type": event_type,
        "customer_id": customer,
        "event_data": strict_json.loads(data.encode()),
        **({} if timestamp is None else {"timestamp_utc": timestamp}),
    }
    return json.dumps(event).encode()


def _what_to_do(accepted: int, name: str | None) -> str:
    if name is None:
        return (
            f"{accepted:,} events were accepted before; lines from standard input can only be told apart with --name."
        )
    return f"{accepted:,} events were accepted before: run the same command again, and those are not stored twice."
