"""The wire format of Protocol Buffers, read by the library of its authors."""

import contextlib
import struct

import pytest
from google.protobuf.struct_pb2 import Value
from google.protobuf.wrappers_pb2 import BytesValue, DoubleValue, Int64Value
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from core.streams.protobuf import double, fields, fixed64, integer, length_delimited

INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = [0, 1, 127, 128, 16_383, 16_384, 2**63 - 1, -1, -(2**63)]


@given(INT64 | st.sampled_from(EDGES))
def test_integers_are_read_as_they_were(value: int) -> None:
    assert Int64Value.FromString(integer(1, value)).value == value


@given(st.floats(allow_nan=False))
def test_doubles_are_read_as_they_were(value: float) -> None:
    assert struct.pack("<d", DoubleValue.FromString(double(1, value)).value) == struct.pack("<d", value)


@given(st.binary(max_size=300))
def test_bytes_are_read_as_they_were(value: bytes) -> None:
    assert BytesValue.FromString(length_delimited(1, value)).value == value


@given(st.integers(0, 2**64 - 1))
def test_fixed_integers_are_read_as_they_were(value: int) -> None:
    assert LogRecord.FromString(fixed64(11, value)).observed_time_unix_nano == value


def test_numbers_of_fields_beyond_a_byte_are_read() -> None:
    value = Value.FromString(length_delimited(3, b"text") + length_delimited(1_000, b"unknown"))
    assert value.string_value == "text"


@given(INT64, st.text(max_size=300))
def test_what_the_library_writes_is_read(rejected: int, message: str) -> None:
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = message
    ((number, partial_success),) = fields(response.SerializeToString())
    assert number == 1
    assert isinstance(partial_success, bytes)
    read = dict(fields(partial_success))
    assert read.get(1, 0) == rejected % 2**64
    assert read.get(2, b"") == message.encode()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(number >= 0 for number, _ in fields(message))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x08", id="no value"),
        pytest.param(b"\x08" + b"\xff" * 11, id="an integer without an end"),
        pytest.param(b"\x0a\x05abcd", id="a text that is cut off"),
        pytest.param(b"\x09" + b"\0" * 7, id="a double that is cut off"),
        pytest.param(b"\x0b\x0c", id="a group"),
    ],
)
def test_a_damaged_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="The message"):
        list(fields(message))
