"""Requests of OTLP, compared with those that the messages of OpenTelemetry's own package make."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from core.ports.streams import Batch, BatchEntry
from core.streams.destinations.otlp import encode_request
from core.streams.formats.native import native
from tests.support.builders import event
from tests.support.odd_events import odd_events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def value_of(value: Any) -> AnyValue:
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
        case list():
            made.array_value.CopyFrom(ArrayValue(values=map(value_of, value)))
        case dict():
            made.kvlist_value.CopyFrom(KeyValueList(values=members_of(value)))
    return made


def members_of(value: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=value_of(member)) for name, member in value.items()]


def record_of(entry: BatchEntry) -> LogRecord:
    event = entry.event
    time = event.timestamp_utc * 10**9
    return LogRecord(
        time_unix_nano=time if time < 2**64 else 0,
        observed_time_unix_nano=round(event.received_at.timestamp() * 1000) * 1_000_000,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=event.event_type,
        body=value_of(dict(entry.record)),
        attributes=members_of({"log.record.uid": event.event_id, "audit_log.customer_id": event.customer_id}),
    )


def request_of(batch: Batch) -> ExportLogsServiceRequest:
    resource = Resource(attributes=members_of({"service.name": "audit-log"}))
    logs = ScopeLogs(scope=InstrumentationScope(name="audit-log"), log_records=map(record_of, batch.entries))
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource, scope_logs=[logs])])


def test_events_of_every_shape_are_those_of_the_published_messages() -> None:
    entries = [BatchEntry(index, each, native(each, "unused")) for index, each in enumerate(odd_events(300))]
    batch = Batch("stream-1", entries)
    assert ExportLogsServiceRequest.FromString(encode_request(batch)) == request_of(batch)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=5))
def test_all_of_json_is_that_of_the_published_messages(data: dict[str, Any]) -> None:
    batch = Batch("stream-1", [BatchEntry(0, event(1), {"event_data": data})])
    assert ExportLogsServiceRequest.FromString(encode_request(batch)) == request_of(batch)
