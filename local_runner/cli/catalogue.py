"""`audit-log catalogue ...`: the files that describe event types."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.typer_app import App

app = App(help="The files that describe event types (AUDIT_LOG_CATALOGUE).", no_args_is_help=True)


@app.callback()
def catalogue() -> None:
    """The files that describe event types (AUDIT_LOG_CATALOGUE)."""


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of EVENT_TYPE.json files.")],
) -> None:
    """Compile all files and try their `examples`. Prints each problem with its place, or the digest."""
    from core.domain.catalogue.reading import InvalidCatalogueError, try_examples
    from core.stores.catalogue_folder import load_catalogue, read_files

    try:
        catalogue = load_catalogue(folder, strict=False)
        problems = [*try_examples(catalogue, read_files(folder))]
    except InvalidCatalogueError as exc:
        problems = exc.problems
    for problem in problems:
        formatting.print_error(str(problem))
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{formatting.counted(len(catalogue.types), 'event type')}, SHA-256 {catalogue.digest}")
