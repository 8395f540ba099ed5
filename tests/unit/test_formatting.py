"""What is printed says what the log says, whatever an event holds."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from local_runner.cli.remote import event_file, formatting

EVENT: Any = {
    "event_id": "01a20b6c-33a4-7461-840c-3a5021f191b5", "event_type": "a:warning:b", "customer_id": 1,
    "timestamp_utc": 0, "event_data": {"a": ":x: [red]"}, "received_at": "", "recorded_by": "x",
}  # fmt: skip


def test_neither_markup_nor_names_of_emoji_are_replaced() -> None:
    out = StringIO()
    Console(file=out, width=200, highlight=False, markup=False, emoji=False).print(formatting.as_table([EVENT]))
    assert "a:warning:b" in out.getvalue()
    assert ":x: [red]" in out.getvalue()


@pytest.mark.parametrize("character", ["\x1b", "\x9b", "\u202e", "\u2066"])
def test_characters_that_turn_or_command_are_escaped(character: str) -> None:
    event: Any = {**EVENT, "event_type": f"a{character}b".replace("\x1b", ""), "event_data": {"a": character}}
    assert character not in formatting.as_line(event)


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    sent = event_file._identified(b'\xef\xbb\xbf{"event_type": "a"}', 1, None)  # noqa: SLF001 - below what reads a file
    assert sent.endswith(b',"event_type": "a"}')
