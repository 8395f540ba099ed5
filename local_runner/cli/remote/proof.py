"""`audit-log proof ...`: the files that prove an event to a third party."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local_runner.cli.remote.options import ClientId, Url, connected
from local_runner.cli.typer_app import App

_DEFAULT_URL = "http://127.0.0.1:8000"

app = App(help="Files that prove an event to a third party.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Files that prove an event to a third party."""  # without a callback the only command would be the group


@app.command()
def get(
    *,
    event_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Id of an event; repeatable.")],
    output: Annotated[
        Path, typer.Option(metavar="DIRECTORY", file_okay=False, help="Directory for the files; created if missing.")
    ] = Path(),
    without_data: Annotated[
        bool, typer.Option("--without-data", help="Do not write ID.data: prove the event, but not show its content.")
    ] = False,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Get ID.tlog-proof and ID.data of events. Waits until new events are under a signed checkpoint."""
    with connected(url, client_id) as api:
        output.mkdir(parents=True, exist_ok=True)
        for event_id in event_ids:
            files = {".tlog-proof": api.proof(event_id)}
            if not without_data:
                files[".data"] = api.proof_data(event_id)
            for suffix, content in files.items():
                path = output / f"{event_id.lower()}{suffix}"
                path.write_bytes(content)
                typer.echo(path)
