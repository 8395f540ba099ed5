"""Files of events, as `audit-log send` reads them."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.domain.origin import ORIGIN
from local_runner.cli.remote.event_file import Batch, batches
from local_runner.cli.remote.event_stream import EventFileError
from local_runner.cli.remote.rejections import SHOWN, Rejections

ID = "01a20b6c-33a4-7461-840c-3a5021f191b5"
RECEIVED = {"received_at": "2026-01-31T12:00:00.123Z", "recorded_by": "client-1"}
EXPORTED: dict[str, Any] = {
    "event_id": ID, "event_type": "t", "customer_id": 1, "timestamp_utc": 5, "event_data": {"n": 1e19}, **RECEIVED,
}  # fmt: skip


def read(content: bytes) -> Batch:
    """The only batch of a file."""
    [batch] = batches(io.BytesIO(content), "name")
    return batch


def imported(event: dict[str, Any]) -> dict[str, Any]:
    [text] = read(json.dumps(event).encode()).events
    sent: dict[str, Any] = json.loads(text)
    return sent


def test_an_exported_event_keeps_id_and_time_and_gets_its_origin() -> None:
    sent = imported(EXPORTED)
    assert sent == {
        "event_id": ID, "event_type": "t", "customer_id": 1, "timestamp_utc": 5,
        "event_data": {"n": 1e19, ORIGIN: RECEIVED},
    }  # fmt: skip
    assert isinstance(sent["event_data"]["n"], float)


def test_an_import_that_is_exported_keeps_both_origins() -> None:
    first = imported(EXPORTED)
    later = {"received_at": "2026-02-01T00:00:00.000Z", "recorded_by": "client-2"}
    assert imported({**first, **later})["event_data"] == {"n": 1e19, ORIGIN: {**later, ORIGIN: RECEIVED}}


def test_events_of_the_service_itself_are_skipped_and_counted() -> None:
    batch = read(json.dumps({**EXPORTED, "event_type": "audit-log.client.created"}).encode())
    assert (batch.events, batch.refused, batch.skipped) == ([], {}, 1)


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"5",
        b"{}",
        b'{"event_id":"x","received_at":"now"}',
        b'{"event_id":"x","event_data":1,"received_at":"","recorded_by":""}',
        b'{"event_id":"x","event_id":"y","event_data":{},"received_at":"","recorded_by":""}',
    ],
)
def test_a_line_that_is_no_event_is_left_to_the_service(line: bytes) -> None:
    assert read(line).events == [line]


def test_repeats_within_a_file_are_known() -> None:
    other = {**EXPORTED, "event_id": ID.replace("0", "1")}
    batch = read("\n".join(map(json.dumps, (EXPORTED, other, EXPORTED))).encode())
    assert (len(batch.events), batch.repeated) == (3, {2})


def test_a_file_may_be_gzip_of_several_members() -> None:
    line = json.dumps(EXPORTED).encode() + b"\n"
    assert len(read(gzip.compress(line) + gzip.compress(line)).events) == 2


def test_incomplete_gzip_is_an_error() -> None:
    with pytest.raises(EventFileError, match="damaged or incomplete gzip"):
        read(gzip.compress(json.dumps(EXPORTED).encode())[:-9])


@pytest.mark.parametrize(
    ("content", "jq"),
    [
        (b'[{"event_type": "t"}]', r"jq -c '\.\[\]' FILE"),
        (b'\xef\xbb\xbf\n [\n{"event_type": "t"}\n]', r"jq -c '\.\[\]' FILE"),
        (b'{"events": [{"event_type": "t"}]}', r"jq -c '\.events\[\]' FILE"),
        (b'{\n  "events": [\n', r"jq -c '\.events\[\]' FILE"),
        (b'{\n  "event_type": "t"\n}\n{\n  "event_type": "t"\n}', r"jq -c '\.' FILE"),
        (b'{"event_type": "t",\n "customer_id": 1}', r"jq -c '\.' FILE"),
    ],
    ids=["array", "array over lines", "batch", "batch over lines", "objects over lines", "object on two lines"],
)
def test_json_of_another_form_is_refused_with_the_command_that_converts_it(content: bytes, jq: str) -> None:
    with pytest.raises(EventFileError, match=jq):
        read(content)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "mark"])
def test_an_export_as_csv_is_refused_with_the_command_that_writes_what_can_be_sent(mark: bytes) -> None:
    with pytest.raises(EventFileError, match=r"is CSV.*`audit-log export --output events\.ndjson`"):
        read(mark + b"event_id,event_type,customer_id,timestamp_utc,received_at,recorded_by,event_data\r\n")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b'{"a": 1\n{"b": 2}', b'{"a": 1', b'{"a": "' + b"x" * 20_000 + b'"}']
)
def test_other_files_are_read_line_by_line(content: bytes) -> None:
    read(content)


def test_a_reason_that_many_lines_have_is_printed_for_the_first_and_counted_for_the_others() -> None:
    printed: list[str] = []
    rejections = Rejections(printed.append)
    for number in range(1, 2501):
        rejections.add(number, "needs timestamp_utc" if number != 7 else "is too large")
    assert printed == [*(f"line {number}: needs timestamp_utc" for number in (1, 2, 3)), "line 7: is too large"]
    assert list(rejections.summary()) == ["2,496 more: needs timestamp_utc"]


def test_reasons_that_differ_in_every_line_are_bounded() -> None:
    printed: list[str] = []
    rejections = Rejections(printed.append)
    for number in range(5_000):
        rejections.add(number, f"reason {number}")
    assert len(printed) == SHOWN
    assert list(rejections.summary()) == [f"{5_000 - SHOWN:,} more, for other reasons"]


def test_a_file_is_read_from_disk_with_its_position(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(json.dumps(EXPORTED).encode() + b"\n")
    with path.open("rb") as file:
        assert len(list(batches(file, "name"))) == 1
        assert file.tell() == path.stat().st_size
