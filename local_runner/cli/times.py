"""Times on the command line: how options take them and how tables show them, always in UTC."""

from datetime import UTC, datetime
from typing import Any

import typer

_EXAMPLES = "2026-01-31, 2026-01-31T14:30 or 2026-01-31T14:30:05Z"


def time_option(help_text: str) -> Any:
    """An option whose value is a time in ISO 8601; its command gets a datetime in UTC, or None."""
    return typer.Option(parser=_parse, metavar="TIME", help=f"{help_text} UTC, such as {_EXAMPLES}.")


def to_second(moment: datetime) -> str:
    """Date and time to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def to_minute(moment: datetime) -> str:
    """Date and time to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}"


def to_day(moment: datetime) -> str:
    """The date."""
    return f"{moment:%Y-%m-%d}"


def _parse(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time: use ISO 8601, such as {_EXAMPLES}.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
