"""`audit-log client ...`: registers API clients and changes them. Each change is itself an event of the audit log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Column

from core.auth.client_registry import ClientRegistry, new_client
from core.auth.tokens import SCOPES
from core.domain.models import Client
from core.errors import ClientNotFoundError, InvalidFieldsError
from core.settings import Settings
from core.wiring import Services
from local_runner.bootstrap import open_database, prepare
from local_runner.cli import formatting
from local_runner.cli.offline import existing_store, store_file
from local_runner.cli.times import to_minute
from local_runner.cli.typer_app import App

app = App(help="Registered API clients.", no_args_is_help=True)

_ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="Id as `audit-log client list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(metavar="NAME", help="Name for people to recognise the client by.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help=f"Scope to grant: {' or '.join(SCOPES)}; repeatable. Default: both."),
    ] = None,
    customer: Annotated[
        list[int] | None,
        typer.Option(metavar="ID", help="Customer to limit the client to; repeatable. Default: all customers."),
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
    with _registry() as registry:
        rows = [_facts(client) for client in registry.clients()]
    columns = ("name", "scopes", "customers", "created", "last used", "state")
    table = formatting.table(
        [Column("client id", no_wrap=True), *columns],
        ([facts["client id"], *(facts[column] for column in columns)] for facts in rows),
    )
    formatting.console().print(table)


@app.command()
def show(client_id: _ClientId) -> None:
    """Show one client."""
    with _registry() as registry:
        client = registry.get(client_id)
    secrets = "2, while they are rotated" if client.previous_secret_digest else "1"
    formatting.console().print(formatting.properties({**_facts(client), "secrets": secrets}.items()))


@app.command()
def rotate(
    client_id: _ClientId,
    now: Annotated[
        bool,
        typer.Option("--now", help="Revoke the old secret and all tokens of the client, for example after a leak."),
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
    typer.echo(f"{formatting.visible(client_id)} is disabled")


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
    path = store_file(settings)
    is_new = path is not None and not path.exists()
    settings = prepare(settings)
    services = Services(settings, database=open_database(settings))
    try:
        yield services.client_registry
    finally:
        services.close()
    if path is not None and is_new:
        typer.echo(f"A new event store was created in {path.parent.absolute()}.", err=True)


def _facts(client: Client) -> dict[str, str]:
    """What `list` and `show` print of a client, by heading."""
    return {
        "client id": client.client_id,
        "name": client.name,
        "scopes": " ".join(client.scopes),
        "customers": "all" if client.customers is None else ", ".join(map(str, client.customers)),
        "created": to_minute(client.created_at),
        "last used": "never" if client.last_used_at is None else to_minute(client.last_used_at),
        "state": "active" if client.disabled_at is None else f"disabled {to_minute(client.disabled_at)}",
    }


def _print_secret(client: Client, secret: str) -> None:
    typer.echo(f"client_id:     {client.client_id}")
    typer.echo(f"client_secret: {secret}")
    typer.echo("The secret is not stored and is not shown again.", err=True)
