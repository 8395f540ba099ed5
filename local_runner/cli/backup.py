"""The command `audit-log backup`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local_runner.cli import formatting


def backup(
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Directory for the copy; created if it does not exist.")
    ],
) -> None:
    """Copy the SQLite database of a running service, check the copy, and print its path.

    Its size is on standard error.
    """
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from sqlalchemy.engine import make_url

    from core.settings import Settings
    from local_runner.cli.offline import require_store_file
    from local_runner.cli.sqlite_backup import BackupError, back_up

    settings = Settings.from_environ()
    url = make_url(settings.store_url)
    if url.get_backend_name() != "sqlite":
        raise BackupError(
            f"The event store is on {url.get_backend_name()}: use pg_dump or pg_basebackup, mariadb-backup or "
            "mysqldump instead. See docs/guides/operations.md."
        )
    require_store_file(settings)
    source = Path(url.database or "")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise BackupError(f"{directory} cannot be created ({exc.strerror}): name another directory.") from None
    target = directory / f"{source.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    columns = (TextColumn("copying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with formatting.progress(*columns) as bar:
        task = bar.add_task("", total=None)
        size = back_up(source, target, lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(target)
    typer.echo(f"{size / 1e6:,.1f} MB, integrity checked", err=True)
