"""The command `audit-log reconcile`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local_runner.cli import formatting
from local_runner.cli.dead_letters import ALL
from local_runner.cli.times import time_option, to_minute

if TYPE_CHECKING:
    from core.domain.reconciliation import Reconciliation, Window
    from core.ports.queue import DeadLetter

_UNBALANCED: Final = 1
_SETTLING: Final = timedelta(minutes=1)
"""Younger events may not be counted yet: processes write their counts every second."""


def reconcile(
    *,
    since: Annotated[datetime | None, time_option("First minute to compare. Default: a day before --until.")] = None,
    until: Annotated[datetime | None, time_option("First minute not to compare. Default: a minute ago.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the accepted events with those that are stored, repeated, dead-lettered or in flight.

    Ends with status 1 if an accepted event is in none of these places.
    """
    from core.domain.reconciliation import Window, minute_of
    from core.stores.reconciliation import reconcile as gather
    from local_runner.cli.offline import existing_store

    end = until or datetime.now(UTC) - _SETTLING
    window = Window(minute_of(since), minute_of(end)) if since else Window.day_before(end)
    if window.start >= window.end:
        raise typer.BadParameter("must be before --until", param_hint="--since")
    with existing_store() as services:
        result = gather(
            window,
            services.database.event_counters,
            services.queue_statistics,
            dead_lettered=lambda: sum(_is_of(window, letter) for letter in services.dead_letters.dead_letters(ALL)),
            stored=services.database.rows_received,
        )
    first, last = (datetime.fromtimestamp(minute * 60, UTC) for minute in window)
    if as_json:
        typer.echo(formatting.to_json({"since": first.isoformat(), "until": last.isoformat(), **result.figures()}))
    else:
        typer.echo(f"received from {to_minute(first)} to {to_minute(last)} UTC")
        figures = [(name.replace("_", " "), f"{value:,}") for name, value in result.figures().items()]
        formatting.print_table(formatting.properties(figures))
        typer.echo(_verdict(result))
    if result.unaccounted:
        raise typer.Exit(_UNBALANCED)


def _is_of(window: Window, letter: DeadLetter) -> bool:
    """Whether the event in a dead letter was received in the window. A message without an event counts in none."""
    from pydantic import ValidationError

    from core.domain.models import Event

    try:
        return window.includes(Event.model_validate_json(letter.body).received_at)
    except ValidationError:
        return False


def _verdict(result: Reconciliation) -> str:
    if result.difference > 0:
        return "accepted events are missing"
    if result.difference < 0:
        return "more events are stored than were counted as accepted"
    return "every accepted event is accounted for" if result.accepted else "no event was accepted in this time"
