"""The command `audit-log erase`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option, reason_option
from local_runner.cli.operator_name import operator_name
from local_runner.cli.times import time_option


def erase(  # noqa: PLR0913 - one parameter per option
    *,
    event: Annotated[list[str] | None, typer.Option(metavar="ID", help="Event to erase; repeatable.")] = None,
    customer: Annotated[
        int | None, customer_option(help="Customer whose events are erased, in place of --event.")
    ] = None,
    before: Annotated[
        datetime | None, time_option("First time of the customer's events to keep. Default: now.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Erase type, customer and sender as well.")] = False,
    reason: Annotated[str, reason_option()],
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who. Default: the user of this command.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Erase the data of events permanently. Their rows stay, so that proofs and counts stay valid.

    The service may run meanwhile. An interrupted erasure continues when the command is run again.
    """
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn

    from core.domain.erasures import BEYOND
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
    request = Request(Selection(ids, customer, until), whole, reason, by or operator_name())
    with existing_store() as services:
        eraser = Eraser(services.database.engine)
        count = eraser.count(request, at=now)
        if count and not yes:
            part = "all of" if whole else "the data of"
            formatting.confirm(f"Erase {part} {formatting.events(count)} permanently?")
        with formatting.progress(TextColumn("erasing"), BarColumn(), TaskProgressColumn()) as bar:
            task = bar.add_task("", total=count)
            erased, _ = eraser.erase(request, at=now, progress=lambda done: bar.update(task, advance=done))
        left = eraser.scrub().left
    typer.echo(f"erased {formatting.events(erased)}" if erased else "no event is left to erase")
    typer.echo("Not reached:", err=True)
    for place in (*BEYOND, *([left] if left else [])):
        typer.echo(f"- {place}", err=True)


def _checked(kind: Any, value: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    try:
        checked: str = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise typer.BadParameter("must be the id of an event", param_hint="--event") from None
    return checked
