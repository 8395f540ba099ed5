"""Times on the command line: how options take them and how tables show them, always in UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import typer

_FORMS: Final = (
    "2026-01-31, '2026-01-31 14:30', 2026-01-31T14:30:05.123Z, 1767225600 (Unix seconds), today, yesterday, "
    "or 90m, 24h and 7d (ago)"
)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d+)([smhdw])")
_UNIX: Final = re.compile(r"\d{9,12}(\.\d+)?")
_MILLISECONDS: Final = re.compile(r"\d{13}")


def time_option(help_text: str) -> Any:
    """An option whose value is a time in one of the forms of `parse`; its command gets a datetime in UTC, or None."""
    return typer.Option(parser=parse, metavar="TIME", help=f"{help_text} UTC: {_FORMS}.")


def to_second(moment: datetime) -> str:
    """Date and time to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def to_minute(moment: datetime) -> str:
    """Date and time to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}"


def to_day(moment: datetime) -> str:
    """The date."""
    return f"{moment:%Y-%m-%d}"


def parse(text: str, now: datetime | None = None) -> datetime:
    """Parse ISO 8601 (a date is its first second; UTC unless it has an offset), Unix seconds, or a time before `now`.

    Raises:
        BadParameter: the text is in none of these forms.
    """
    now = now or datetime.now(UTC)
    try:
        return _parse(text.strip().lower(), now)
    except (ValueError, OverflowError):
        hint = " This looks like milliseconds." if _MILLISECONDS.fullmatch(text) else ""
        raise typer.BadParameter(f"{text!r} is not a time.{hint} Times are UTC, such as {_FORMS}.") from None


def _parse(text: str, now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if text in named:
        return named[text]
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text.upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
