"""The command `audit-log reconcile`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from core.domain.models import Event
from core.domain.reconciliation import Reconciliation
from core.ports.queue import DeadLetter
from core.stores.event_counters import minute_of
from local_runner.cli.dead_letters import ALL, opened

_UNBALANCED: Final = 1
_SETTLED: Final = timedelta(minutes=1)
"""What is younger may still be on its way into the tallies."""

_FORMATS: Final = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


def reconcile(
    *,
    since: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="UTC, to the minute. Default: a day before --until.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_FORMATS, help="UTC, to the minute. Default: a minute ago.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare what was accepted with what is stored, repeated, dead-lettered or in flight.

    Ends with status 1 if an accepted event is in none of these places.
    """
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC) - _SETTLED
    start = since.replace(tzinfo=UTC) if since else end - timedelta(days=1)
    if start >= end:
        raise typer.BadParameter("must be before --until", param_hint="--since")
    result = _reconciled(minute_of(start), minute_of(end))
    if as_json:
        figures = {**vars(result), "difference": result.difference}
        typer.echo(orjson.dumps({"since": start, "until": end, **figures}))
    else:
        Console().print(_table(result, start, end))
    if result.difference > 0:
        raise typer.Exit(_UNBALANCED)


def _reconciled(start: int, end: int) -> Reconciliation:
    with opened() as services:
        # In the order in which events move: what moves on meanwhile is counted twice, and never missed.
        in_flight = int(str(services.checks["queue"]()["waiting"]))
        minutes = [_minute_of(letter) for letter in services.dead_letters.dead_letters(ALL)]
        sums = services.event_counters.sums(start, end)
        return Reconciliation(
            accepted=sums["accepted"],
            stored=sums["stored"],
            repeated=sums["repeated"],
            dead_lettered=sum(minute is not None and start <= minute < end for minute in minutes),
            in_flight=in_flight,
        )


def _minute_of(letter: DeadLetter) -> int | None:
    """When its event was received; None for what is no event of ours."""
    try:
        return minute_of(Event.model_validate_json(letter.body).received_at)
    except ValidationError:
        return None


def _table(result: Reconciliation, start: datetime, end: datetime) -> Table:
    table = Table(title=f"received {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC", show_header=False)
    for name, value in vars(result).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    table.add_section()
    table.add_row("difference", f"{result.difference:,}", _meaning(result.difference))
    return table


def _meaning(difference: int) -> str:
    if difference > 0:
        return "accepted, and nowhere to be found"
    return "every accepted event is accounted for" if difference == 0 else "accepted, and not counted as that"
