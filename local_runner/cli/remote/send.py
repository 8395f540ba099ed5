"""Sends the lines of a file, and reports the lines that are not accepted."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import typer
import uuid_utils

from audit_log_client import Api, UnavailableError
from core.domain import strict_json
from core.errors import InvalidFieldsError, MalformedJSONError
from local_runner.cli.remote.event_file import batches


@dataclass(slots=True)
class Sent:
    """Numbers of lines. `repeated` are accepted ones with the id of an earlier line; see `Batch` for `skipped`."""

    accepted: int = 0
    repeated: int = 0
    skipped: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        repeated = f" ({self.repeated:,} of them repeat an event_id of the file)" if self.repeated else ""
        skipped = f", {self.skipped:,} of the service itself skipped" if self.skipped else ""
        return f"{self.accepted:,} accepted{repeated}, {self.rejected:,} not{skipped}"


def send_lines(
    api: Api,
    stream: BinaryIO,
    name: str | None,
    on_rejected: Callable[[int, str], None],
    on_progress: Callable[[], None],
) -> Sent:
    """Send every line of a file.

    Args:
        api: The service.
        stream: The file.
        name: Its name, from which its events get lasting ids; None for new ids, as for standard input.
        on_rejected: Called with the number of a line that is not accepted, from 1, and the reason.
        on_progress: Called after each batch.

    Raises:
        EventFileError: the file is not NDJSON, or damaged.
        UnavailableError: the service does not answer any more; the message says how to continue.
        RefusedError: the service accepts nothing from this client.
    """
    sent = Sent()
    for batch in batches(stream, name):
        rejected = dict(batch.refused)
        if batch.events:
            try:
                receipt = api.send(batch.events)
            except UnavailableError as exc:
                raise UnavailableError(f"{exc} {_how_to_continue(sent.accepted, name)}") from exc
            sent.accepted += len(receipt.accepted)
            sent.repeated += len(batch.repeated & receipt.accepted.keys())
            rejected |= {batch.numbers[index]: reason for index, reason in receipt.rejected.items()}
        for number, reason in sorted(rejected.items()):
            on_rejected(number, reason)
        sent.rejected += len(rejected)
        sent.skipped += batch.skipped
        on_progress()
    return sent


def one_event(event_type: str, customer: int, data: str, timestamp: datetime | None) -> bytes:
    """Encode an event with a new id.

    Raises:
        BadParameter: `data` is not JSON.
    """
    try:
        event_data = strict_json.loads(data.encode())
    except MalformedJSONError as exc:
        raise typer.BadParameter(str(exc), param_hint="--data") from None
    event = {
        "event_id": str(uuid_utils.uuid7()),
        "event_type": event_type,
        "customer_id": customer,
        "event_data": event_data,
        **({} if timestamp is None else {"timestamp_utc": int(timestamp.timestamp())}),
    }
    return json.dumps(event).encode()


def send_one(api: Api, event: bytes) -> str:
    """Send an event and return its id.

    Raises:
        InvalidFieldsError: it is not accepted.
    """
    receipt = api.send([event])
    if receipt.rejected:
        raise InvalidFieldsError("The event was not accepted:", [{"loc": [], "msg": receipt.rejected[0]}])
    return receipt.accepted[0]


def _how_to_continue(accepted: int, name: str | None) -> str:
    if name is None:
        return f"{accepted:,} events were accepted; without --name, sending standard input again stores them twice."
    return f"{accepted:,} events were accepted: run the same command again, which does not store them twice."
