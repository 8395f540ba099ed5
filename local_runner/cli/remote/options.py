"""Options shared by the commands for a running service: its address, the credentials, and which events to select."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option
from local_runner.cli.times import time_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_log_client import Api, Credentials, Filters

PATIENCE: Final = 60.0
"""Seconds to spend on pauses between retries while a service is restarting or overloaded."""

_DATA_PREFIX: Final = "event_data."

# Not AUDIT_LOG_*: those are the settings of the service, which refuses names that it does not know.
Url = Annotated[str, typer.Option(envvar="AUDIT_CLIENT_URL", metavar="URL", help="Address of the service.")]
ClientId = Annotated[
    str | None,
    typer.Option(
        envvar="AUDIT_CLIENT_ID",
        metavar="CLIENT_ID",
        help="Client to authenticate as. Its secret is read from AUDIT_CLIENT_SECRET, or asked for. A token in "
        "AUDIT_CLIENT_TOKEN replaces both. A service with AUDIT_LOG_AUTH=open needs none of them.",
    ),
]
EventTypes = Annotated[
    list[str] | None,
    typer.Option("--event-type", metavar="TYPE", help="Select events of this type; repeat to select several types."),
]
Customers = Annotated[
    list[int] | None,
    customer_option(help="Select events of this customer; repeat to select several."),
]
Since = Annotated[datetime | None, time_option("Select events from this time on.")]
Until = Annotated[datetime | None, time_option("Select events up to this time.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH=VALUE",
        help="Select events with this value in event_data, such as actor.id=u-17 or, with an operator, "
        "'rows[gt]=1000'; repeatable.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="FIELD=VALUE",
        help="Select by a parameter of GET /event, such as 'event_type[prefix]=user.' or 'q=some words'; repeatable.",
    ),
]


def filters(  # noqa: PLR0913, PLR0917 - one parameter per option
    event_types: list[str] | None,
    customers: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    where: list[str] | None,
    fields: list[str] | None,
) -> Filters:
    """Convert the options to the client's filters.

    Raises:
        BadParameter: a condition has no value, or the time range is empty.
    """
    from audit_log_client import Filters

    data = _pairs(where, "--where", "PATH=VALUE, such as actor.id=u-17")
    for path, _ in data:
        if path.startswith(_DATA_PREFIX):
            shown = formatting.visible(path.removeprefix(_DATA_PREFIX))
            typer.echo(f"Paths of --where begin inside event_data: did you mean {shown}?", err=True)
    others = _pairs(fields, "--filter", "FIELD=VALUE, such as 'event_type[prefix]=user.'")
    if since and until and since > until:
        raise typer.BadParameter("must not be after --until", param_hint="--since")
    return Filters(tuple(event_types or ()), tuple(customers or ()), _unix(since), _unix(until), data, others)


def _pairs(texts: list[str] | None, option: str, form: str) -> tuple[tuple[str, str], ...]:
    pairs = [text.partition("=") for text in texts or ()]
    if not all(separator for _, separator, _ in pairs):
        raise typer.BadParameter(f"must be {form}", param_hint=option)
    return tuple((name, value) for name, _, value in pairs)


@contextmanager
def connected(url: str, client_id: str | None, patience: float = PATIENCE) -> Iterator[Api]:
    """Yield the API of a service that has just answered. An error of it ends the command with one line and status 1.

    Raises:
        BadParameter: the URL is malformed, or a secret is needed and cannot be asked for.
        Exit: the service does not answer or refuses a request.
    """
    from audit_log_client import Api, AuditLogClientError

    credentials = _credentials(client_id)
    try:
        api = Api(url, credentials, patience=patience, on_retry=_OutageReport(patience))
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--url") from None
    try:
        with api:
            _check(api, url, credentials)
            yield api
    except AuditLogClientError as exc:
        formatting.print_error(str(exc))
        raise typer.Exit(1) from None


def _check(api: Api, url: str, credentials: Credentials) -> None:
    """Fail at once at a mistyped address. A service that was reachable is waited for.

    Raises:
        AuditLogClientError: the message says what to do.
    """
    from audit_log_client import RefusedError

    try:
        api.check(patience=0)
    except RefusedError as exc:
        if exc.status == HTTPStatus.NOT_FOUND:
            reason = f"The service is not at {url} (status 404): check the port and the path of the address."
        elif exc.status == HTTPStatus.UNAUTHORIZED and credentials is None:
            reason = f"{url} requires a registered client: pass --client-id, or set AUDIT_CLIENT_TOKEN."
        else:
            raise
        raise RefusedError(reason, exc.status) from None


class _OutageReport:
    """Prints why a request is retried, once for each reason in a row."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._last = ""

    def __call__(self, failure: Exception) -> None:
        if (reason := str(failure)) != self._last:
            self._last = reason
            typer.echo(f"{formatting.visible(reason)} Retrying for up to {self._patience:.0f} s.", err=True)


def _credentials(client_id: str | None) -> Credentials:
    from audit_log_client import ClientSecret, Token

    if token := os.environ.get("AUDIT_CLIENT_TOKEN"):
        return Token(token)
    if client_id is None:
        return None
    if secret := os.environ.get("AUDIT_CLIENT_SECRET"):
        return ClientSecret(client_id, secret)
    if not sys.stdin.isatty():
        raise typer.BadParameter("set AUDIT_CLIENT_SECRET: there is no terminal to ask on", param_hint="--client-id")
    return ClientSecret(client_id, formatting.ask_secret(f"Secret of {client_id}"))


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
