"""`audit-log client ...`: registers API clients and changes them. Each change is itself an event of the audit log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from core.auth.client_registry import ClientRegistry, new_client
from core.auth.tokens import SCOPES
from core.domain.models import Client
from core.errors import ClientNotFoundError, InvalidFieldsError
from core.settings import Settings
from core.wiring import Services
from local_runner.bootstrap import open_database, prepare
from local_runner.cli.offline import existing_store, sqlite_file

app = typer.Typer(help="Registered API clients.", no_args_is_help=True)

_out = Console(highlight=False, markup=False)  # a name is no markup
_ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="Id as `audit-log client list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Name for people to recognise the client by.")],
    scope: Annotated[list[str] | None, typer.Option(help="Scope to grant; repeatable. Default: all scopes.")] = None,
    customer: Annotated[
        list[int] | None, typer.Option(help="Customer to limit the client to; repeatable. Default: all customers.")
    ] = None,
) -> None:
    """Register a client and print its secret, which cannot be shown again."""
    try:
        client, secret = new_client(name, scope or SCOPES, customer, time.time())
    except InvalidFieldsError as exc:
        error = exc.errors[0]
        option = f"--{str(error['loc'][0]).removesuffix('s')}"
        raise typer.BadParameter(error["msg"], param_hint=option) from None
    with _registry_or_new() as registry:
        registry.add(client)
    _print_secret(client, secret)


@app.command("list")
def list_clients() -> None:
    """List all clients, oldest first."""
    table = Table(
        Column("client id", no_wrap=True), "name", "scopes", "customers", "created", "last used", "state", box=None
    )
    with _registry() as registry:
        for client in registry.clients():
            table.add_row(client.client_id, client.name, *_cells(client))
    _out.print(table)


@app.command()
def show(client_id: _ClientId) -> None:
    """Show one client."""
    with _registry() as registry:
        client = registry.get(client_id)
    table = Table(show_header=False, box=None)
    headings = ("scopes", "customers", "created", "last used", "state")
    for heading, cell in [("client id", client_id), ("name", client.name), *zip(headings, _cells(client), strict=True)]:
        table.add_row(heading, cell)
    table.add_row("secrets", "2, while they are rotated" if client.previous_secret_digest else "1")
    _out.print(table)


@app.command()
def rotate(
    client_id: _ClientId,
    now: Annotated[
        bool, typer.Option("--now", help="Revoke the old secret immediately, for example after a leak.")
    ] = False,
) -> None:
    """Give a client a new secret. The old one stays valid until the next rotation."""
    with _registry() as registry:
        client, secret = registry.rotate(client_id, keep_previous=not now)
    _print_secret(client, secret)


@app.command()
def disable(client_id: _ClientId) -> None:
    """Refuse further tokens to a client. Its valid tokens end within half a minute."""
    with _registry() as registry:
        registry.disable(client_id)
    _out.print(f"{client_id} is disabled")


@contextmanager
def _registry() -> Iterator[ClientRegistry]:
    """Yield the clients of an event store that exists; create and migrate nothing."""
    with existing_store() as services:
        try:
            yield services.client_registry
        except ClientNotFoundError as exc:
            raise ClientNotFoundError(f"{exc} See `audit-log client list`.") from None


@contextmanager
def _registry_or_new() -> Iterator[ClientRegistry]:
    """Yield the clients of the event store, which is created first if there is none: a client may come before `serve`.

    Which directory that was is said on standard error, since another may have been meant.
    """
    settings = Settings.from_environ()
    path = sqlite_file(settings)
    is_new = path is not None and not path.exists()
    settings = prepare(settings)
    services = Services(settings, database=open_database(settings))
    try:
        yield services.client_registry
    finally:
        services.close()
    if path is not None and is_new:
        typer.echo(f"A new event store was created in {path.parent.absolute()}.", err=True)


def _cells(client: Client) -> tuple[str, str, str, str, str]:
    customers = "all" if client.customers is None else ", ".join(map(str, client.customers))
    last_used = "never" if client.last_used_at is None else f"{client.last_used_at:%Y-%m-%d %H:%M}"
    state = "active" if client.disabled_at is None else f"disabled {client.disabled_at:%Y-%m-%d %H:%M}"
    return " ".join(client.scopes), customers, f"{client.created_at:%Y-%m-%d %H:%M}", last_used, state


def _print_secret(client: Client, secret: str) -> None:
    typer.echo(f"client_id:     {client.client_id}")
    typer.echo(f"client_secret: {secret}")
    typer.echo("The secret is not stored and is not shown again.", err=True)
