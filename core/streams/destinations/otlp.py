"""Destination `otlp`: log records of OpenTelemetry by OTLP/HTTP, in protobuf, to a collector or a product.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from pydantic import BaseModel, ConfigDict, Field

from core.ports.streams import Batch, BatchEntry, Limits, Receipt
from core.streams.answers import require_success
from core.streams.egress import Egress
from core.streams.settings_fields import EndpointUrl, Headers, revealed

_NAME: Final = "audit-log"
_SECOND: Final = 1_000_000_000
_MAX_SECONDS: Final = (2**64 - 1) // _SECOND  # in the year 2554; a later time is sent as 0, unknown
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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
        body: bytes = _request(batch).SerializeToString()
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


def _request(batch: Batch) -> ExportLogsServiceRequest:
    resource = Resource(attributes=[KeyValue(key="service.name", value=_value(_NAME))])
    logs = ScopeLogs(scope=InstrumentationScope(name=_NAME), log_records=map(_record, batch.entries))
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource, scope_logs=[logs])])


def _record(entry: BatchEntry) -> LogRecord:
    event = entry.event
    attributes = {"log.record.uid": event.event_id, "audit_log.customer_id": event.customer_id}
    return LogRecord(
        time_unix_nano=event.timestamp_utc * _SECOND if event.timestamp_utc <= _MAX_SECONDS else 0,
        observed_time_unix_nano=(event.received_at - _EPOCH) // timedelta(microseconds=1) * 1000,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=event.event_type,
        body=_value(dict(entry.record)),
        attributes=_members(attributes, 0),
    )


def _value(value: Any, depth: int = 0) -> AnyValue:
    """A JSON value as it is: integers keep 64 bits, null is a value without a kind."""
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return AnyValue(string_value=orjson.dumps(value).decode())
    made = AnyValue()
    match value:
        case str():
            made.string_value = value
        case bool():
            made.bool_value = value
        case int():
            made.int_value = value
        case float():
            made.double_value = value
        case dict():
            made.kvlist_value.CopyFrom(KeyValueList(values=_members(value, depth + 1)))
        case list():
            made.array_value.CopyFrom(ArrayValue(values=[_value(each, depth + 1) for each in value]))
    return made


def _members(value: dict[str, Any], depth: int) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(member, depth)) for name, member in value.items()]


def _rejected(body: bytes) -> int:
    """Number of records that the receiver did not take, which must not be sent again; 0 for another body."""
    try:
        return int(ExportLogsServiceResponse.FromString(body).partial_success.rejected_log_records)
    except DecodeError:
        return 0
