"""Events as lines and as a table."""

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.table import Column, Table

from audit_log_client import StoredEvent
from local_runner.cli import formatting, times

_COLUMNS = (Column("time (UTC)", no_wrap=True), "event type", "customer", Column("data", overflow="fold"))


def as_line(event: StoredEvent) -> str:
    """Time, type, customer and data on one line."""
    type_ = formatting.visible(event["event_type"])
    return "  ".join((_time(event), type_, str(event["customer_id"]), formatting.to_json(event["event_data"])))


def as_table(events: Iterable[StoredEvent]) -> Table:
    """The same as a table."""
    rows = (
        (_time(event), event["event_type"], str(event["customer_id"]), formatting.json_cell(event["event_data"]))
        for event in events
    )
    return formatting.table(_COLUMNS, rows)


def _time(event: StoredEvent) -> str:
    return times.to_second(datetime.fromtimestamp(event["timestamp_utc"], UTC))
