import json
import logging
from typing import Any

import pytest

from local_runner.telemetry import logging_config
from local_runner.telemetry.log_limit import RECORDS, SECONDS, RecordLimit
from tests.support.fakes import FakeClock

log = logging.getLogger("tests.logs")


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def fail_with(token: str) -> None:
    raise ValueError(f"a bad token of {len(token)} characters")


def test_each_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    log.info("stored", extra={"events": 3, "reason": "two\nlines"})
    log.warning("%s is late\nby far", "the batch")

    first, second = json_lines(capsys)

    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": "stored", "level": "info", "logger": "tests.logs", "events": 3, "reason": "two\nlines"}
    assert (second["event"], second["level"]) == ("the batch is late\nby far", "warning")


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    try:
        fail_with("x" * 5)
    except ValueError:
        log.exception("handler_failed", extra={"request_id": "r-1"})

    (line,) = json_lines(capsys)

    assert (line["event"], line["request_id"]) == ("handler_failed", "r-1")
    (raised,) = line["exception"]
    assert (raised["exc_type"], raised["exc_value"]) == ("ValueError", "a bad token of 5 characters")
    assert raised["frames"][-1]["name"] == "fail_with"


def test_each_try_to_send_spans_is_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").error("Failed to export spans batch")
    assert json_lines(capsys) == []


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_does_not_tell_what_its_variables_held(
    log_format: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "very-secret"
    logging_config.configure(log_format)
    try:
        fail_with(secret)
    except ValueError:
        log.exception("handler_failed")

    assert secret not in capsys.readouterr().err


def test_what_json_cannot_hold_is_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    log.info("odd \udcff", extra={"bytes": b"\xff", "kind": ValueError("x")})

    (line,) = json_lines(capsys)

    assert line["event"] == "odd \udcff"
    assert (line["bytes"], line["kind"]) == (r"b'\xff'", "ValueError('x')")


def test_the_console_gets_plain_text_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("console")
    log.info("stored", extra={"events": 3})
    try:
        fail_with("x")
    except ValueError:
        log.exception("handler_failed")

    text = capsys.readouterr().err

    assert "\x1b" not in text
    assert "[info     ] stored" in text
    assert "events=3" in text
    assert "Traceback (most recent call last):" in text
    assert "ValueError: a bad token of 1 characters" in text


def test_less_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    log.debug("details")

    assert json_lines(capsys) == []


def test_alembic_does_not_tell_of_its_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    logging.getLogger("alembic.runtime.plugins").info("setup plugin")

    assert json_lines(capsys) == []


def test_a_flood_of_one_record_is_sampled_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("json")
    for number in range(1000):
        log.warning(f"{number} is no message")  # noqa: G004 - as some libraries do
        log.log(logging.ERROR if number == 999 else logging.DEBUG, "another_place")

    lines = json_lines(capsys)

    assert [line["event"] for line in lines] == [f"{number} is no message" for number in range(10)] + ["another_place"]


def test_after_a_flood_the_next_record_says_how_many_were_left_out() -> None:
    clock = FakeClock()
    limit = RecordLimit(clock)
    kept = []
    for seconds in (0, 0, SECONDS, 0):
        clock.now += seconds
        kept += [record for record in map(_record, range(RECORDS + 5)) if limit.filter(record)]

    assert [vars(record).get("sampled") for record in kept] == [
        *[None] * RECORDS,
        2 * 5 + RECORDS,
        *[None] * (RECORDS - 1),
    ]


def test_records_of_requests_have_their_own_limit() -> None:
    limit = RecordLimit()
    assert all(limit.filter(_record(number, "audit_log.request")) for number in range(1000))


def _record(number: int, name: str = "tests.logs") -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, __file__, 1, f"message {number}", None, None)


def test_configuring_again_replaces_the_format(capsys: pytest.CaptureFixture[str]) -> None:
    logging_config.configure("console")
    logging_config.configure("json")
    log.info("once")

    assert [line["event"] for line in json_lines(capsys)] == ["once"]
