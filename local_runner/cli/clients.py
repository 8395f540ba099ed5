"""`audit-log client ...`: who may get tokens. Every change is itself an event of the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from core.auth import clients
from core.auth.tokens import SCOPES
from core.domain.models import Client
from core.errors import AuditLogError
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from local_runner.bootstrap import prepare

app = typer.Typer(help="Who may get tokens.", no_args_is_help=True)

_out = Console(highlight=False, markup=False)  # a name is no markup
_ClientId = Annotated[str, typer.Argument(help="The client's id, as `audit-log client list` shows it.")]


class NoSuchClientError(AuditLogError):
    """There is no client with this id. See `audit-log client list`."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the client is, for people.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; repeatable. Default: write and read.")
    ] = None,
    customer: Annotated[list[int] | None, typer.Option(help="Limit it to this customer; repeatable.")] = None,
) -> None:
    """Register a client and print its secret, which is shown this once."""
    scopes = scope or list(SCOPES)
    if unknown := set(scopes) - set(SCOPES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: use {' or '.join(SCOPES)}", param_hint="--scope")
    now = datetime.now(UTC)
    try:
        client, secret = clients.create(name, scopes, customer, at=now)
    except ValidationError as exc:
        error = exc.errors(include_input=False)[0]
        raise typer.BadParameter(error["msg"], param_hint=f"--{str(error['loc'][0]).removesuffix('s')}") from None
    with _store() as store:
        store.save_client(client, clients.audit_event("client.created", client.client_id, at=now, **_facts(client)))
    _print_secret(client, secret)


@app.command("list")
def list_clients() -> None:
    """Show all clients."""
    table = Table(
        Column("client id", no_wrap=True), "name", "scopes", "customers", "created", "last used", "state", box=None
    )
    with _store() as store:
        for client in store.clients():
            table.add_row(client.client_id, client.name, *_cells(client))
    _out.print(table)


@app.command()
def show(client_id: _ClientId) -> None:
    """Show one client."""
    with _store() as store:
        client = _known(store, client_id)
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
        bool, typer.Option("--now", help="Let the old secret count no more, such as when it leaked.")
    ] = False,
) -> None:
    """Give a client a new secret; the old one counts on until the next rotation, so that nothing stops meanwhile."""
    at = datetime.now(UTC)
    with _store() as store:
        client, secret = clients.rotate(_known(store, client_id), keep_previous=not now)
        store.save_client(client, clients.audit_event("client.rotated", client_id, at=at, old_secret_counts=not now))
    _print_secret(client, secret)


@app.command()
def disable(client_id: _ClientId) -> None:
    """Let a client get no more tokens; those it has count for half a minute at the most."""
    at = datetime.now(UTC)
    with _store() as store:
        client = clients.disable(_known(store, client_id), at=at)
        store.save_client(client, clients.audit_event("client.disabled", client_id, at=at))
    _out.print(f"{client_id} is disabled")


@contextmanager
def _store() -> Iterator[SqlClientStore]:
    settings = prepare(Settings.from_environ())
    engine = open_engine(settings.store_url)
    try:
        yield SqlClientStore(engine)
    finally:
        engine.dispose()


def _known(store: SqlClientStore, client_id: str) -> Client:
    client = store.client(client_id)
    if client is None:
        raise NoSuchClientError(f"There is no client {client_id!r}: see `audit-log client list`.")
    return client


def _facts(client: Client) -> dict[str, object]:
    return {
        "name": client.name,
        "scopes": list(client.scopes),
        "customers": None if client.customers is None else list(client.customers),
    }


def _cells(client: Client) -> tuple[str, str, str, str, str]:
    customers = "all" if client.customers is None else ", ".join(map(str, client.customers))
    last_used = "never" if client.last_used_at is None else f"{client.last_used_at:%Y-%m-%d %H:%M}"
    state = "active" if client.disabled_at is None else f"disabled {client.disabled_at:%Y-%m-%d %H:%M}"
    return " ".join(client.scopes), customers, f"{client.created_at:%Y-%m-%d %H:%M}", last_used, state


def _print_secret(client: Client, secret: str) -> None:
    typer.echo(f"client_id:     {client.client_id}")
    typer.echo(f"client_secret: {secret}")
    typer.echo("The secret is kept nowhere and is not shown again.", err=True)
