"""`audit-log hold ...`: legal holds, which keep events from erasure and retention."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option, reason_option, type_option
from local_runner.cli.operator_name import operator_name
from local_runner.cli.times import time_option, to_second
from local_runner.cli.typer_app import App

app = App(help="Legal holds, which keep events from erasure and retention.", no_args_is_help=True)

Reason = Annotated[str, reason_option()]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who. Default: the user of this command.")]


@app.command()
def place(  # noqa: PLR0913 - one parameter per option
    *,
    customer: Annotated[int | None, customer_option(help="Customer whose events are kept.")] = None,
    event_type: Annotated[str | None, type_option(help="Type of the events.")] = None,
    since: Annotated[datetime | None, time_option("First time of the events.")] = None,
    until: Annotated[datetime | None, time_option("First time after the events.")] = None,
    reason: Reason,
    by: By = None,
) -> None:
    """Keep the events for which all conditions apply, and print the id of the hold."""
    from core.stores import holds
    from local_runner.cli.offline import existing_store

    if customer is None and event_type is None and since is None and until is None:
        raise typer.BadParameter("give a customer, a type or a time: a hold on everything stops all erasure")
    if since and until and since >= until:
        raise typer.BadParameter("must be before --until", param_hint="--since")
    first, end = (int(moment.timestamp()) if moment else None for moment in (since, until))
    with existing_store() as services:
        hold = holds.place(
            services.database.engine,
            holds.Hold(customer, event_type, first, end, reason),
            by=by or operator_name(),
            at=datetime.now(UTC),
        )
    typer.echo(hold.hold_id)


@app.command("list")
def list_holds(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False) -> None:  # noqa: FBT002 - a flag of typer
    """List the holds that are not released."""
    from rich.table import Column

    from core.stores import holds
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        found = holds.active(services.database.engine)
    if as_json:
        for hold in found:
            placed = hold.placed_at.isoformat() if hold.placed_at else None
            facts = {"hold_id": hold.hold_id, **hold.scope, "reason": hold.reason, "placed_at": placed}
            typer.echo(formatting.to_json(facts))
        return
    if not found:
        typer.echo("There are no holds.")
        return
    rows = [
        (
            hold.hold_id,
            "any" if hold.customer_id is None else str(hold.customer_id),
            "any" if hold.event_type is None else hold.event_type,
            _time(hold.since),
            _time(hold.until),
            hold.reason,
        )
        for hold in found
    ]
    # The id is in one piece, to be copied.
    columns = (Column("hold", no_wrap=True), "customer", "type", "since", "until", "reason")
    formatting.print_table(formatting.table(columns, rows))


@app.command()
def release(
    *,
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="Id of the hold.")],
    reason: Reason,
    by: By = None,
) -> None:
    """Release a hold: its events can be erased and deleted again."""
    from core.stores import holds
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        holds.release(services.database.engine, hold_id, reason=reason, by=by or operator_name(), at=datetime.now(UTC))
    typer.echo(f"released {hold_id}")


def _time(seconds: int | None) -> str:
    return "any" if seconds is None else to_second(datetime.fromtimestamp(seconds, UTC))
