"""The channel between a service and its storing process: JSON documents over one stream socket.

A batch of events in the spool is one document that says where they are. Without a spool it is a sequence of documents
with a part of its records each, so that no encoding holds the interpreter lock of the accepting process for long; the
last one has no `more`. Between batches the service asks to integrate what they stored into the ledger. The reply is one
document. The end of the stream is the only order to stop.

    runs    {"runs": [[first, last, segment, position, size, receives]], "traceparents": [[number, traceparent]]}
    part    {"records": [records of an SQS event], "more": true}
    ledger  {"integrate": true}
    reply   {"counts": {counter: amount}, "measures": {histogram: [values]}} and one of
            {"result": a `BatchResponse`, or the number of integrated events},
            {"store_unavailable": {"message": text, "cause": text or null}}, {"failed": text}
"""

import socket
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import orjson

from local_runner.queue.spooled import Run
from local_runner.spool.extents import Extent

PART_RECORDS: Final = 200
_LENGTH: Final = Struct(">Q")
_AT_ONCE: Final = 1 << 20

Document = dict[str, Any]


class ChannelClosedError(Exception):
    """The other process has ended."""


def send(channel: socket.socket, document: Mapping[str, Any]) -> None:
    """Send a document.

    Raises:
        ChannelClosedError: the other process has ended.
    """
    content = orjson.dumps(document)
    try:
        channel.sendall(_LENGTH.pack(len(content)) + content)
    except OSError as exc:
        raise ChannelClosedError from exc


def receive(channel: socket.socket) -> Document:
    """Wait for a document.

    Raises:
        ChannelClosedError: the other process has ended, or shut the channel down.
    """
    (length,) = _LENGTH.unpack(_read(channel, _LENGTH.size))
    document: Document = orjson.loads(_read(channel, length))
    return document


def send_batch(channel: socket.socket, records: Sequence[Mapping[str, Any]]) -> None:
    """Send the records of a batch.

    Raises:
        ChannelClosedError: the other process has ended.
    """
    for start in range(0, len(records), PART_RECORDS):
        end = start + PART_RECORDS
        send(channel, {"records": records[start:end], "more": end < len(records)})


def send_runs(channel: socket.socket, runs: Sequence[Run]) -> None:
    """Send where the events of a batch are.

    Raises:
        ChannelClosedError: the other process has ended.
    """
    places = [(*run.extent, run.receive_count) for run in runs]
    traceparents = {number: traceparent for run in runs for number, traceparent in run.traceparents.items()}
    send(channel, {"runs": places, "traceparents": [*traceparents.items()]})


def send_integrate(channel: socket.socket) -> None:
    """Ask to integrate.

    Raises:
        ChannelClosedError: the other process has ended.
    """
    send(channel, {"integrate": True})


class Batch(NamedTuple):
    """A received batch: records of an SQS event, or runs of events in the spool."""

    records: list[Any]
    runs: list[Run]


def receive_batch(channel: socket.socket) -> Batch | None:
    """Wait for a batch, or for the order to integrate: None.

    Raises:
        ChannelClosedError: the other process has ended, or shut the channel down.
    """
    part = receive(channel)
    if "integrate" in part:
        return None
    if "runs" in part:
        traceparents = dict(part["traceparents"])
        return Batch(
            [], [Run(Extent(*place), 0.0, traceparents, receive_count=count) for *place, count in part["runs"]]
        )
    records: list[Any] = part["records"]
    while part["more"]:
        part = receive(channel)
        records += part["records"]
    return Batch(records, [])


def _read(channel: socket.socket, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        try:
            part = channel.recv(min(length, _AT_ONCE))
        except OSError as exc:
            raise ChannelClosedError from exc
        if not part:
            raise ChannelClosedError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
