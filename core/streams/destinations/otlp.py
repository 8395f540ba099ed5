"""Destination `otlp`: log records of OpenTelemetry by OTLP/HTTP, in protobuf, to a collector or a product.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
https://opentelemetry.io/docs/specs/otel/logs/data-model/

The numbers of fields are those of opentelemetry-proto 1, whose messages are stable, in `opentelemetry/proto`:
https://github.com/open-telemetry/opentelemetry-proto/tree/v1.9.0/opentelemetry/proto
"""

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from core.ports.streams import Batch, BatchEntry, Limits, Receipt
from core.streams.answers import require_success
from core.streams.egress import Egress
from core.streams.protobuf import double, fields, fixed64, integer, length_delimited
from core.streams.settings_fields import EndpointUrl, Headers, revealed

_NAME: Final = "audit-log"
_SECOND: Final = 1_000_000_000
_MAX_SECONDS: Final = (2**64 - 1) // _SECOND  # in the year 2554; a later time is sent as 0, unknown
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEVERITY_INFO: Final = 9
_MAX_INT64: Final = 2**63 - 1
MAX_DEPTH: Final = 24
"""Objects and arrays below this depth are JSON texts: parsers of protobuf stop at 100 messages inside each other."""


class Config(BaseModel):
    """Settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["otlp"] = "otlp"
    url: EndpointUrl
    gzip: bool = Field(default=True, description="Whether bodies are compressed.")


class Secrets(BaseModel):
    """Secret settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    headers: Headers = {}


class OtlpDestination:
    """Implements `Destination`."""

    limits = Limits()

    def __init__(self, config: Config, secrets: Secrets, egress: Egress) -> None:
        self._config = config
        self._egress = egress
        self._headers = {
            **revealed(secrets.headers),
            "Content-Type": "application/x-protobuf",
            **({"Content-Encoding": "gzip"} if config.gzip else {}),
        }

    def send(self, batch: Batch) -> Receipt:
        """See `Destination.send`."""
        body = encode_request(batch)
        sent = gzip.compress(body, mtime=0) if self._config.gzip else body
        answer = self._egress.post(self._config.url, sent, self._headers)
        require_success(answer)
        return Receipt(answer.status, min(_rejected(answer.body), len(batch.entries)))

    def close(self) -> None:
        """There is nothing to close: each request has a connection."""


def open_destination(_stream_id: str, config: Config, secrets: Secrets, egress: Egress) -> OtlpDestination:
    """See `core.ports.streams`."""
    egress.check(config.url)
    return OtlpDestination(config, secrets, egress)


def operator_only(_config: Config, _secrets: Secrets) -> str | None:
    """See `core.ports.streams`."""
    return None


def encode_request(batch: Batch) -> bytes:
    """Return the ExportLogsServiceRequest of a batch."""
    resource = _message(1, _members(1, {"service.name": _NAME}, 0))
    scope = _message(1, _text(1, _NAME))
    records = b"".join(_message(2, _record(entry)) for entry in batch.entries)
    return _message(1, resource, _message(2, scope, records))


def _record(entry: BatchEntry) -> bytes:
    """A LogRecord."""
    event = entry.event
    attributes = {"log.record.uid": event.event_id, "audit_log.customer_id": event.customer_id}
    return b"".join(
        (
            fixed64(1, event.timestamp_utc * _SECOND if event.timestamp_utc <= _MAX_SECONDS else 0),
            integer(2, _SEVERITY_INFO),
            _text(3, "INFO"),
            _message(5, _value(dict(entry.record))),
            _members(6, attributes, 0),
            fixed64(11, (event.received_at - _EPOCH) // timedelta(microseconds=1) * 1000),
            _text(12, event.event_type),
        )
    )


def _value(value: Any, depth: int = 0) -> bytes:
    """A JSON value as an AnyValue: integers keep 64 bits, null is a value without a kind."""
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return length_delimited(1, orjson.dumps(value))
    encoded = b""
    match value:
        case str():
            encoded = _text(1, value)
        case bool():
            encoded = integer(2, value)
        case int():
            encoded = integer(3, value)
        case float():
            encoded = double(4, value)
        case list():
            encoded = _message(5, *(_message(1, _value(each, depth + 1)) for each in value))
        case dict():
            encoded = _message(6, _members(1, value, depth + 1))
    return encoded


def _members(number: int, value: dict[str, Any], depth: int) -> bytes:
    """A repeated field of the type KeyValue."""
    return b"".join(
        _message(number, _text(1, name), _message(2, _value(member, depth))) for name, member in value.items()
    )


def _text(number: int, value: str) -> bytes:
    return length_delimited(number, value.encode())


def _message(number: int, *parts: bytes) -> bytes:
    return length_delimited(number, b"".join(parts))


def _rejected(body: bytes) -> int:
    """Number of records that the receiver did not take, which must not be sent again; 0 for another body.

    It is `rejected_log_records` in `partial_success` of an ExportLogsServiceResponse.
    """
    rejected = 0
    try:
        for number, partial_success in fields(body):
            if number == 1 and isinstance(partial_success, bytes):
                for inner, value in fields(partial_success):
                    if inner == 1 and isinstance(value, int):
                        rejected = value
    except ValueError:
        return 0
    return rejected if rejected <= _MAX_INT64 else 0
