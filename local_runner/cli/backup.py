"""The command `audit-log backup`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from core.settings import Settings
from local_runner.cli.sqlite_backup import BackupError, back_up


def backup(
    directory: Annotated[Path, typer.Argument(help="Where to put the copy; made if it is not there.")],
) -> None:
    """Copy the SQLite database of a running service, check the copy, and print its name."""
    url = make_url(Settings.from_environ().store_url)
    if url.get_backend_name() != "sqlite":
        raise BackupError(
            f"The event store is on {url.get_backend_name()}, which has better tools for this: "
            "pg_dump or pg_basebackup, mariadb-backup or mysqldump. See docs/guides/operations.md."
        )
    source = Path(url.database or "")
    if not source.is_file():
        raise BackupError(f"There is no database {source}: check AUDIT_LOG_DATA_DIR and AUDIT_LOG_DATABASE_URL.")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise BackupError(f"{directory} cannot be made ({exc.strerror}).") from None
    target = directory / f"{source.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    columns = (TextColumn("copying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        size = back_up(source, target, lambda done, total: progress.update(task, completed=done, total=total))
    typer.echo(f"{target}  {size / 1e6:,.1f} MB, integrity checked")
