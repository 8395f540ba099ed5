"""`audit-log partitions ...`: the monthly partitions of the events on PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.times import to_day
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from core.stores.partitions import Partition
    from core.stores.retention import ExpiredMonth

app = App(help="Monthly partitions of the events on PostgreSQL.", no_args_is_help=True)


@app.command("list")
def list_partitions() -> None:
    """List all partitions, with PostgreSQL's estimates of their rows."""
    from core.stores import partitions

    with _engine() as engine:
        _print(partitions.partitions(engine))


@app.command()
def create(
    ahead: Annotated[
        int, typer.Option(metavar="MONTHS", min=0, max=120, help="Number of months to create after the current one.")
    ] = 3,
) -> None:
    """Create the partitions of this month and the next ones. Events of these months are moved into them."""
    from core.stores import partitions

    with _engine() as engine:
        made = partitions.create(engine, ahead, now=datetime.now(UTC))
    typer.echo(f"created {', '.join(made)}" if made else "all partitions exist")


@app.command()
def drop(
    keep_months: Annotated[
        int, typer.Option(metavar="MONTHS", min=1, help="Number of full months to keep before the current one.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,  # noqa: FBT002 - a flag of typer
) -> None:
    """Delete the events of old months permanently. A retry of a deleted event would be stored again."""
    from core.stores import retention

    now = datetime.now(UTC)
    before = retention.horizon(keep_months, now=now)
    with _engine() as engine:
        expired = retention.expired(engine, before=before)
        if expired:
            _print_expired(expired)
            if not yes:
                typer.confirm("Delete these events permanently?", abort=True)
        deletion = retention.delete_expired(engine, before=before, now=now)
    for month, events in deletion.events.items():
        typer.echo(f"dropped {month}: {events} events")
    if not deletion.events:
        typer.echo(f"dropped {deletion.ids} ids of deleted events" if deletion.ids else "no event is that old")


@contextmanager
def _engine() -> Iterator[Engine]:
    from core.settings import Settings
    from core.wiring import Services
    from local_runner.cli.offline import require_store_file

    settings = Settings.from_environ()
    require_store_file(settings)
    services = Services(settings)
    try:
        yield services.database.engine
    finally:
        services.close()


def _print(found: Sequence[Partition]) -> None:
    from rich.filesize import decimal
    from rich.table import Column

    columns = (Column("partition", no_wrap=True), "from", "before", Column("rows", justify="right"), "size")
    rows = (
        (each.name, _day(each.start), _day(each.end), f"~{each.rows}", decimal(each.size))
        for each in found
    )  # fmt: skip
    formatting.console().print(formatting.table(columns, rows))


def _print_expired(expired: Sequence[ExpiredMonth]) -> None:
    from rich.filesize import decimal
    from rich.table import Column

    columns = ("month", Column("table", no_wrap=True), Column("rows", justify="right"), "size")
    rows = (
        (
            each.month,
            each.table,
            f"~{each.rows}" if each.size else str(each.rows),
            decimal(each.size) if each.size else "",
        )
        for each in expired
    )
    formatting.console().print(formatting.table(columns, rows))


def _day(seconds: int | None) -> str:
    return "any other time" if seconds is None else to_day(datetime.fromtimestamp(seconds, UTC))
