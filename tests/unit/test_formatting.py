"""Printed text is equal to the logged text, whatever an event holds."""

import io
import json
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated, Any

import pytest
import typer
from rich.console import Console
from rich.table import Column
from typer.testing import CliRunner

from local_runner.cli import formatting, times
from local_runner.cli.remote import event_display, event_file
from local_runner.cli.times import time_option

EVENT: Any = {
    "event_id": "01a20b6c-33a4-7461-840c-3a5021f191b5", "event_type": "a:warning:b", "customer_id": 1,
    "timestamp_utc": 0, "event_data": {"a": ":x: [red]"}, "received_at": "", "recorded_by": "x",
}  # fmt: skip

DECEIVING = {
    "\x1b": "\\u001b", "\n": "\\n", "\x7f": "\\u007f", "\x9b": "\\u009b", "\xa0": "\\u00a0", "\xad": "\\u00ad",
    "\u061c": "\\u061c", "\u115f": "\\u115f", "\u200b": "\\u200b", "\u200e": "\\u200e", "\u2028": "\\u2028",
    "\u202e": "\\u202e", "\u2066": "\\u2066", "\u3164": "\\u3164", "\ufe0f": "\\ufe0f", "\ufeff": "\\ufeff",
    "\uffa0": "\\uffa0", "\ud800": "\\ud800", "\U000e0001": "\\udb40\\udc01",
}  # fmt: skip
"""Characters that command a terminal, turn the direction of text or are invisible, and the escape of each."""


def printed(table: Any) -> str:
    out = StringIO()
    console = formatting.console()
    console.file, console.width = out, 200
    console.print(table)
    return out.getvalue()


def test_neither_markup_nor_names_of_emoji_are_replaced() -> None:
    assert "a:warning:b" in printed(formatting.table(["type"], [["a:warning:b"]]))
    assert ":x: [red]" in event_display.as_block(EVENT, None)


def test_a_second_table_has_no_rows_of_the_first() -> None:
    column = Column("type")
    printed(formatting.table([column], [["first"]]))
    assert "first" not in printed(formatting.table([column], []))


def test_a_table_in_a_narrow_terminal_lacks_no_character() -> None:
    table = formatting.table(["a", "b"], [["0123456789" * 3, "abcdefghij" * 3]])
    out = StringIO()
    Console(file=out, width=20).print(table)
    assert "…" not in out.getvalue()


def test_data_is_shown_as_conditions_and_broken_between_them_only() -> None:
    data: dict[str, Any] = {
        "admin_data": {"username": "a.berg", "ip": "203.0.113.66"},
        "roles": ["admin", "billing"],
        "success": False, "code": "7", "text": "two words", "none": {}, "a.b": None,
    }  # fmt: skip
    event: Any = {**EVENT, "event_data": data}
    block = event_display.as_block(event, 60)
    assert block.splitlines() == [
        "1970-01-01 00:00:00  01a20b6c-33a4-7461-840c-3a5021f191b5  a:warning:b  customer 1",
        "    admin_data.username=a.berg  admin_data.ip=203.0.113.66",
        '    roles=["admin","billing"]  success=false  code="7"',
        '    text="two words"  none={}  "a.b"=null',
    ]
    assert len(event_display.as_block(event, None).splitlines()) == 2


@pytest.mark.parametrize("character", DECEIVING, ids=ascii)
def test_a_character_that_could_deceive_is_shown_as_its_escape(character: str) -> None:
    escape = DECEIVING[character]
    assert formatting.visible(f"a{character}b") == f"a{escape}b"
    event: Any = {**EVENT, "event_type": f"a{character}b", "event_data": {f"c{character}": [f"d{character}"]}}
    shapes = (
        event_display.as_line(event),
        formatting.to_json(event),
        formatting.to_json(event, indent=2),
        event_display.as_block(event, None).replace("\n    ", " "),
        printed(formatting.table(["type"], [[event["event_type"]]])),
        printed(formatting.properties([("name", f"a{character}b")])),
    )
    for shape in shapes:
        assert f"a{escape}b" in shape
        assert character not in (shape if character != "\n" else event_display.as_line(event))


@pytest.mark.parametrize("character", DECEIVING, ids=ascii)
@pytest.mark.parametrize("indent", [None, 2])
def test_escaped_json_is_the_same_value(character: str, indent: int | None) -> None:
    value = {f"key {character}": [character, {"\\": 'é "☃" 😀 ' + character}]}
    assert json.loads(formatting.to_json(value, indent=indent)) == value


def test_an_escape_and_the_text_of_one_are_told_apart() -> None:
    assert formatting.visible("\u200b") == "\\u200b"
    assert formatting.visible("\\u200b") == "\\\\u200b"
    assert formatting.to_json("\\u200b") == '"\\\\u200b"'


def test_ordinary_text_stays_as_it_is() -> None:
    text = "user.login é ☃ 😀 日本語 עברית [bold] :smile:"
    assert formatting.visible(text) == text
    assert formatting.to_json(text) == f'"{text}"'


def test_a_progress_bar_is_for_terminals_only() -> None:
    bar = formatting.progress()
    assert bar.disable
    assert isinstance(bar.console, Console)
    assert bar.console.stderr


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    [batch] = event_file.batches(io.BytesIO(b'\xef\xbb\xbf{"event_type": "a"}'), None)
    assert batch.events[0].endswith(b',"event_type": "a"}')


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31", 1_769_817_600),
        ("2026-01-31T14:30", 1_769_869_800),
        ("2026-01-31 14:30", 1_769_869_800),
        ("2026-01-31T14:30:05", 1_769_869_805),
        ("2026-01-31T14:30:05.123Z", 1_769_869_805.123),
        ("2026-01-31T15:30:05+01:00", 1_769_869_805),
    ],
)
def test_a_time_is_iso_8601_and_utc_unless_it_says_otherwise(text: str, seconds: float) -> None:
    result = invoke_with_time(text)
    assert (result.exit_code, result.stdout) == (0, f"{seconds}\n" if seconds % 1 else f"{seconds}.0\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1769869805", "2026-01-31 14:30:05"),
        ("now", "2026-02-01 10:20:30"),
        ("today", "2026-02-01 00:00:00"),
        ("Yesterday", "2026-01-31 00:00:00"),
        ("90m", "2026-02-01 08:50:30"),
        ("1h", "2026-02-01 09:20:30"),
        ("7d", "2026-01-25 10:20:30"),
    ],
)
def test_a_time_may_be_unix_seconds_or_before_now(text: str, expected: str) -> None:
    now = datetime(2026, 2, 1, 10, 20, 30, tzinfo=UTC)
    assert times.to_second(times.parse(text, now)) == expected


@pytest.mark.parametrize("text", ["last week", "", "2026-13-01", "1769869805123", "14:30", "99999999d", "1h30m"])
def test_another_text_is_no_time_and_the_error_shows_one(text: str) -> None:
    result = invoke_with_time(text)
    assert result.exit_code == 2
    assert "--since" in result.stderr
    assert "Times are UTC, such as 2026-01-31" in " ".join(result.stderr.replace("│", " ").split())
    assert "%" not in result.stderr


def invoke_with_time(text: str) -> Any:
    app = typer.Typer()

    @app.command()
    def command(since: Annotated[Any, time_option("Start.")]) -> None:
        typer.echo(since.timestamp())

    return CliRunner().invoke(app, ["--since", text], env={"COLUMNS": "200"})


class Terminal(StringIO):
    """Standard output of a command in a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [10, 30, 60])
def test_a_table_in_a_terminal_that_is_too_narrow_has_all_columns(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    columns: list[Column | str] = [
        Column("client id", no_wrap=True),
        "scopes",
        Column("last used", min_width=10, overflow="fold"),
        "state",
    ]
    row = ["client-f9de96da185217c7", "events:read events:write", "2026-01-31", "active"]
    formatting.print_table(formatting.table(columns, [row]))
    formatting.print_table(formatting.properties([("oldest pending seconds", "0.25"), ("size", "7")]))
    for text in ("client id", "scopes", "last used", "state", row[0], "events:rea", *row[2:], "seconds", "0.25", "7"):
        assert text in terminal.getvalue()


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", "ä\\u20ac\\ud83d\\ude00"), ("utf-8", "ä€😀")])
def test_a_character_that_the_terminal_has_no_code_for_is_escaped(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    formatting.escape_what_cannot_be_encoded()
    typer.echo(formatting.to_json("ä€😀"))
    assert written.getvalue().decode(encoding) == f'"{shown}"\n'


@pytest.mark.parametrize(("number", "shown"), [(0, "0 days"), (1, "1 day"), (1200, "1,200 days")])
def test_a_noun_agrees_with_its_number(number: int, shown: str) -> None:
    assert formatting.counted(number, "day") == shown


def test_a_row_of_a_table_is_one_line_outside_of_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    formatting.console().print(formatting.table(("id", "reason"), [("1", "a long reason " * 20), ("2", "short")]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1)[1].strip() for line in lines] == ["reason", ("a long reason " * 20).strip(), "short"]
