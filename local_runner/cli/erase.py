"""The command `audit-log erase`."""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from local_runner.cli import formatting
from local_runner.cli.times import time_option

_BEYOND: Final = (
    "backups, and copies of the database",
    "exports, proofs and pages that were handed out, and what readers of the feed keep",
    "dead letters and messages of a broker that have the event: `audit-log dead-letters list` shows those",
    "the spool of a running service, until the events that it has are stored and its file is removed",
)


def erase(  # noqa: PLR0913 - one parameter per option
    *,
    event: Annotated[list[str] | None, typer.Option(metavar="ID", help="Event to erase; repeatable.")] = None,
    customer: Annotated[
        int | None, typer.Option(metavar="ID", help="Customer whose events are erased, in place of --event.")
    ] = None,
    before: Annotated[
        datetime | None, time_option("First time of the customer's events to keep. Default: now.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Erase type, customer and sender as well.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the event that records it.")],
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who. Default: the user of this command.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase the data of events permanently. Their rows stay, so that proofs and counts stay valid.

    The service may run meanwhile. An interrupted erasure continues when the command is run again.
    """
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn

    from core.domain.models import EventId
    from core.stores.erasing import Eraser, Request, Selection
    from local_runner.cli.offline import existing_store

    if bool(event) == (customer is not None):
        raise typer.BadParameter("give either events or a customer", param_hint="--event")
    if before is not None and customer is None:
        raise typer.BadParameter("goes together with --customer", param_hint="--before")
    now = datetime.now(UTC)
    until = int((before or now).timestamp()) if customer is not None else None
    ids = tuple(dict.fromkeys(_checked(EventId, each) for each in event or ()))
    request = Request(Selection(ids, customer, until), whole, reason, by or getpass.getuser())
    with existing_store() as services:
        eraser = Eraser(services.database.engine)
        count = eraser.count(request, at=now)
        if count and not yes:
            part = "all of" if whole else "the data of"
            typer.confirm(f"Erase {part} {count:,} events permanently?", abort=True)
        with formatting.progress(TextColumn("erasing"), BarColumn(), TaskProgressColumn()) as bar:
            task = bar.add_task("", total=count)
            erased = eraser.erase(request, at=now, progress=lambda done: bar.update(task, advance=done))
        left = eraser.scrub()
    typer.echo(f"erased {erased:,} events" if erased else "no event is left to erase")
    typer.echo("Not reached:", err=True)
    for place in (*_BEYOND, *([left] if left else [])):
        typer.echo(f"- {place}", err=True)


def _checked(kind: Any, value: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    try:
        checked: str = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise typer.BadParameter("must be the id of an event", param_hint="--event") from None
    return checked
