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
    formatting.print_table(formatting.table(columns, rows))


def _day(seconds: int | None) -> str:
    return "any other time" if seconds is None else to_day(datetime.fromtimestamp(seconds, UTC))
