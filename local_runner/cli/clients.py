"""`audit-log client ...`: registers API clients and changes them. Each change is itself an event of the audit log."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from core.errors import ClientNotFoundError, InvalidFieldsError
from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option
from local_runner.cli.times import to_day
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.auth.client_registry import ClientRegistry
    from core.domain.models import Client

SCOPES: Final = ("events:write", "events:read", "events:erase", "streams:manage")
"""Those of `core.auth.tokens`, for the help."""

app = App(help="Registered API clients.", no_args_is_help=True)

_ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="Id as `audit-log client list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(metavar="NAME", help="Name for people to recognise the client by.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help=f"Scope to grant: {', '.join(SCOPES)}; repeatable. Default: the first two."),
    ] = None,
    customer: Annotated[
        list[int] | None,
        customer_option(help="Customer to limit the client to; repeatable. Default: all customers."),
    ] = None,
) -> None:
    """Register a client and print its secret, which cannot be shown again.

    The event store must exist: start `audit-log serve` first, or run `audit-log migrate`.
    """
    from core.auth.client_registry import new_client
    from local_runner.cli.offline import name_default_directory

    try:
        client, secret = new_client(name, scope or SCOPES[:2], customer, time.time())
    except InvalidFieldsError as exc:
        error = exc.errors[0]
        option = f"--{str(error['loc'][0]).removesuffix('s')}"
        raise typer.BadParameter(error["msg"], param_hint=option) from None
    with _registry() as registry:
        registry.add(client)
    name_default_directory()
    _print_secret(client, secret)


@app.command("list")
def list_clients() -> None:
    """List all clients, oldest first."""
    with _registry() as registry:
        rows = [_facts(client) for client in registry.clients()]
    if not rows:
        typer.echo("There are no clients.", err=True)
        return
    from rich.table import Column

    widths = {"name": 4, "scopes": 12, "customers": 9, "last used": 10, "state": 8}  # so that no word is broken
    columns = [Column("client id", no_wrap=True)]
    columns += [Column(name, min_width=width, overflow="fold") for name, width in widths.items()]
    table = formatting.table(columns, ([facts[str(column.header)] for column in columns] for facts in rows))
    formatting.print_table(table)


@app.command()
def show(client_id: _ClientId) -> None:
    """Show one client."""
    with _registry() as registry:
        client = registry.get(client_id)
    secrets = "2, while they are rotated" if client.previous_secret_digest else "1"
    formatting.print_table(formatting.properties({**_facts(client), "secrets": secrets}.items()))


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
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        try:
            yield services.client_registry
        except ClientNotFoundError as exc:
            raise ClientNotFoundError(f"{exc} See `audit-log client list`.") from None


def _facts(client: Client) -> dict[str, str]:
    """What `list` and `show` print of a client, by heading."""
    return {
        "client id": client.client_id,
        "name": client.name,
        "scopes": " ".join(client.scopes),
        "customers": "all" if client.customers is None else ", ".join(map(str, client.customers)),
        "created": to_day(client.created_at),
        "last used": "never" if client.last_used_at is None else to_day(client.last_used_at),
        "state": "active" if client.disabled_at is None else f"disabled {to_day(client.disabled_at)}",
    }


def _print_secret(client: Client, secret: str) -> None:
    typer.echo(f"client_id:     {client.client_id}")
    typer.echo(f"client_secret: {secret}")
    typer.echo("The secret is not stored and is not shown again.", err=True)
    if client.disabled_at is not None:
        typer.echo("The client stays disabled: it gets no token.", err=True)
