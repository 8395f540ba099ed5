"""`audit-log partitions ...`: the months of events on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table
from sqlalchemy import Engine

from core.settings import Settings
from core.stores import partitions
from core.stores.engine import open_engine
from core.stores.partitions import Partition

app = typer.Typer(help="The months that PostgreSQL keeps events in.", no_args_is_help=True)

_out = Console(highlight=False, markup=False)


@app.command("list")
def list_partitions() -> None:
    """Show all partitions, with PostgreSQL's estimates of their rows."""
    with _engine() as engine:
        _out.print(_table(partitions.partitions(engine)))


@app.command()
def create(
    ahead: Annotated[int, typer.Option(min=0, max=120, help="How many months beyond this one.")] = 3,
) -> None:
    """Make the partitions for this month and some ahead; events that are there already move into them."""
    with _engine() as engine:
        made = partitions.create(engine, ahead, now=datetime.now(UTC))
    _out.print(f"made {', '.join(made)}" if made else "all are there")


@app.command()
def drop(
    keep_months: Annotated[int, typer.Option(min=1, help="Full months to keep before this one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - a flag of typer
) -> None:
    """Delete the events of old months, for good. A retry of a deleted event would be stored again."""
    before = partitions.horizon(keep_months, now=datetime.now(UTC))
    with _engine() as engine:
        going = partitions.expired(engine, before=before)
        if going:
            _out.print(_table(going))
            if not yes:
                typer.confirm("Delete these events for good?", abort=True)
        ids = partitions.drop(engine, [partition.name for partition in going], before=before)
    _out.print(f"dropped {len(going)} partitions and {ids} ids" if going or ids else "nothing is that old")


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = open_engine(Settings.from_environ().store_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _table(found: list[Partition]) -> Table:
    table = Table(
        Column("partition", no_wrap=True), "from", "before", Column("rows", justify="right"), "size", box=None
    )
    for partition in found:
        table.add_row(
            partition.name,
            _day(partition.start),
            _day(partition.end),
            f"~{partition.rows}",
            decimal(partition.size),
        )
    return table


def _day(seconds: int | None) -> str:
    return "any other time" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
