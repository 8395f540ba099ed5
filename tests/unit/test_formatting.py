"""Printed text is equal to the logged text, whatever an event holds."""

import json
from io import StringIO
from typing import Annotated, Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from local_runner.cli import formatting
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
    shown = printed(event_display.as_table([EVENT]))
    assert "a:warning:b" in shown
    assert ":x: [red]" in shown


def test_a_second_table_has_no_rows_of_the_first() -> None:
    printed(event_display.as_table([EVENT]))
    assert "a:warning:b" not in printed(event_display.as_table([]))


@pytest.mark.parametrize("character", DECEIVING, ids=ascii)
def test_a_character_that_could_deceive_is_shown_as_its_escape(character: str) -> None:
    escape = DECEIVING[character]
    assert formatting.visible(f"a{character}b") == f"a{escape}b"
    event: Any = {**EVENT, "event_type": f"a{character}b", "event_data": {f"c{character}": [f"d{character}"]}}
    shapes = (
        event_display.as_line(event),
        formatting.to_json(event),
        formatting.to_json(event, indent=2),
        printed(event_display.as_table([event])),
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
    sent = event_file._identified(b'\xef\xbb\xbf{"event_type": "a"}', 1, None)  # noqa: SLF001 - below what reads a file
    assert sent.endswith(b',"event_type": "a"}')


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


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "1769869805", "14:30"])
def test_another_text_is_no_time_and_the_error_shows_one(text: str) -> None:
    result = invoke_with_time(text)
    assert result.exit_code == 2
    assert "--since" in result.stderr
    assert "is not a time: use ISO 8601, such as 2026-01-31" in " ".join(result.stderr.replace("│", " ").split())
    assert "%" not in result.stderr


def invoke_with_time(text: str) -> Any:
    app = typer.Typer()

    @app.command()
    def command(since: Annotated[Any, time_option("Start.")]) -> None:
        typer.echo(since.timestamp())

    return CliRunner().invoke(app, ["--since", text], env={"COLUMNS": "200"})
