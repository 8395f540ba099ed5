"""The channel between a service and its storing process: JSON documents over one stream socket.

A batch is a sequence of documents with a part of its records each, so that no encoding holds the interpreter lock of
the accepting process for long; the last one has no `more`. The reply is one document. The end of the stream is the only
order to stop.

    part    {"records": [records of an SQS event], "more": true}
    reply   {"counts": {counter: amount}, "measures": {histogram: [values]}} and one of
            {"result": a `BatchResponse`}, {"store_unavailable": {"message": text, "cause": text or null}},
            {"failed": text}
"""

import socket
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, Final

import orjson

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


def receive_batch(channel: socket.socket) -> list[Any]:
    """Wait for a batch, and return its records.

    Raises:
        ChannelClosedError: the other process has ended, or shut the channel down.
    """
    records: list[Any] = []
    more = True
    while more:
        part = receive(channel)
        records += part["records"]
        more = part["more"]
    return records


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
