"""The options that these commands share: where the service is, who asks, which events are meant."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local_runner.cli import formatting
from local_runner.cli.times import time_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_log_client import Api, Credentials, Filters

PATIENCE: Final = 60.0
"""Seconds of pauses that a service which is restarted or overloaded is given."""

# Not AUDIT_LOG_*: those are the settings of the service, which refuses what it does not know.
Url = Annotated[str, typer.Option(envvar="AUDIT_CLIENT_URL", help="Where the service is.")]
ClientId = Annotated[
    str | None,
    typer.Option(
        envvar="AUDIT_CLIENT_ID",
        help="The client to ask as. Its secret is AUDIT_CLIENT_SECRET, or is asked for. AUDIT_CLIENT_TOKEN takes the "
        "place of both; a service with AUDIT_LOG_AUTH=open needs none of them.",
    ),
]
EventTypes = Annotated[
    list[str] | None, typer.Option("--event-type", help="Only this type; repeat for any of several.")
]
Customers = Annotated[list[int] | None, typer.Option("--customer", help="Only this customer; repeatable.")]
Since = Annotated[datetime | None, time_option("Only events from this time on.")]
Until = Annotated[datetime | None, time_option("Only events up to this time.")]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH=VALUE", help="A value in event_data: admin_data.username=admin; repeatable."),
]


def filters(
    event_types: list[str] | None,
    customers: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    where: list[str] | None,
) -> Filters:
    """The options as the client takes them."""
    from audit_log_client import Filters  # noqa: PLC0415 - an HTTP client that the other commands need not load

    data = tuple(path.partition("=")[::2] for path in where or ())
    if any("=" not in pair for pair in where or ()):
        raise typer.BadParameter("must be PATH=VALUE, such as admin_data.username=admin", param_hint="--where")
    return Filters(tuple(event_types or ()), tuple(customers or ()), _unix(since), _unix(until), data)


@contextmanager
def connected(url: str, client_id: str | None, patience: float = PATIENCE) -> Iterator[Api]:
    """The service, which has just answered; what it refuses ends the command with one line and status 1."""
    from audit_log_client import Api, AuditLogClientError  # noqa: PLC0415 - as above

    credentials = _credentials(client_id)
    try:
        # Whoever mistyped the address should not have to wait; a service that was there once is waited for.
        with Api(url, credentials, patience=0) as probe:
            probe.check()
        with Api(url, credentials, patience=patience) as api:
            yield api
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--url") from None
    except AuditLogClientError as exc:
        formatting.print_error(str(exc))
        raise typer.Exit(1) from None


def _credentials(client_id: str | None) -> Credentials:
    from audit_log_client import ClientSecret, Token  # noqa: PLC0415 - as above

    if token := os.environ.get("AUDIT_CLIENT_TOKEN"):
        return Token(token)
    if client_id is None:
        return None
    secret = os.environ.get("AUDIT_CLIENT_SECRET") or typer.prompt(f"Secret of {client_id}", hide_input=True, err=True)
    return ClientSecret(client_id, secret)


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
