"""The command `audit-log reconcile`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from core.reconciliation import Reconciliation
from core.stores.tallies import minute_of
from local_runner.dead_letter_commands import ALL, event_of, opened

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
        sums = services.tallies.sums(start, end)
        received = (event_of(letter).get("received_at") for letter in services.dead_letters.dead_letters(ALL))
        minutes = [minute_of(datetime.fromisoformat(moment)) for moment in received if isinstance(moment, str)]
        return Reconciliation(
            accepted=sums["accepted"],
            stored=sums["stored"],
            repeated=sums["repeated"],
            dead_lettered=sum(start <= minute < end for minute in minutes),
            in_flight=int(str(services.checks["queue"]()["waiting"])),
        )


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
    return "every accepted event is accounted for" if difference == 0 else "a process died before it had noted them"
