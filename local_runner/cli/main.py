"""The `audit-log` command: its sub-commands, and how errors end them.

Modules of commands import the rest of the service when they run: help and completion need its half a second not at all.
"""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from core import __version__
from core.errors import AuditLogError, InvalidFieldsError, as_sentence
from local_runner.cli import formatting
from local_runner.cli.alert_rules import app as alert_rule_app
from local_runner.cli.backup import backup
from local_runner.cli.catalogue import app as catalogue_app
from local_runner.cli.clients import app as client_app
from local_runner.cli.dead_letters import app as dead_letter_app
from local_runner.cli.demo.command import demo
from local_runner.cli.erase import erase
from local_runner.cli.event_fields import client_name, customer_option
from local_runner.cli.holds import app as hold_app
from local_runner.cli.ledger import app as ledger_app
from local_runner.cli.load_test.command import load_test
from local_runner.cli.partitions import app as partitions_app
from local_runner.cli.reconcile import reconcile
from local_runner.cli.remote import commands
from local_runner.cli.remote.output_file import STANDARD_STREAM, output_file
from local_runner.cli.remote.proof import app as proof_app
from local_runner.cli.retention import app as retention_app
from local_runner.cli.streams import app as stream_app
from local_runner.cli.typer_app import App
from local_runner.cli.verify import verify
from local_runner.cli.witness import app as witness_app

_MAX_PORT: Final = 65535
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

app = App(
    help="The Audit Log Service: who did what and when. Settings come from AUDIT_LOG_* in the environment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command. An error of the service, or of a file, ends it with one line on standard error and status 1."""
    formatting.escape_what_cannot_be_encoded()
    try:
        app()
    except InvalidFieldsError as exc:
        formatting.print_error(f"{str(exc).removesuffix(' see errors.')} {as_sentence(exc.errors)}")  # they are here
        sys.exit(1)
    except AuditLogError as exc:
        formatting.print_error(str(exc))
        sys.exit(1)
    except OSError as exc:
        if exc.errno not in _NO_ROOM:
            if exc.filename is None:
                raise
            formatting.print_error(
                f"{exc.filename} cannot be used ({exc.strerror}): check the path and the permissions of this user."
            )
            sys.exit(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # buffered bytes would fail again at the exit
        name = exc.filename or "The output"
        formatting.print_error(f"{name} cannot be written ({exc.strerror}): make room on its disk, or choose another.")
        sys.exit(1)


def serve(  # noqa: PLR0913 - one parameter per option
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=_MAX_PORT, help="Port to listen on.")] = 8000,
    certfile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain in PEM form; serves HTTPS.")
    ] = None,
    keyfile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Private key of the certificate in PEM form, not encrypted.")
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of /metrics, and of /health and /ready.")
    ] = "127.0.0.1",
    metrics_port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            min=1,
            max=_MAX_PORT,
            help="Metrics port. With several workers, each uses the next free port.",
        ),
    ] = 8082,
    workers: Annotated[
        int, typer.Option(metavar="COUNT", min=1, max=64, help="Processes to serve from; only with a broker.")
    ] = 1,
    dev: Annotated[bool, typer.Option("--dev", help="Restart the service when a source file changes.")] = False,
) -> None:
    """Serve the API, with queue, consumer and store in this process, or with a broker (AUDIT_LOG_QUEUE_URL)."""
    if (certfile is None) != (keyfile is None):
        raise typer.BadParameter("--certfile and --keyfile go together")
    if dev and certfile:
        raise typer.BadParameter("--dev serves plain HTTP only")
    from core.settings import Settings

    settings = Settings.from_environ()  # before imports that take long: a wrong setting is reported at once
    from local_runner import server
    from local_runner.http.uvicorn_server import Tls
    from local_runner.telemetry import logging_config

    logging_config.configure(settings.log_format)
    management = server.ManagementAddress(metrics_host, range(metrics_port, metrics_port + workers))
    if dev:
        server.serve_with_reload(settings, host, port, management)
        return
    tls = Tls(certfile, keyfile) if certfile and keyfile else None
    server.serve(settings, host, port, management, tls, workers)


def worker(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of /health, /ready and /metrics.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=_MAX_PORT, help="Port of /health, /ready and /metrics.")
    ] = 8081,
) -> None:
    """Store the events of the broker (AUDIT_LOG_QUEUE_URL). Run as many workers as the load needs."""
    from core.settings import Settings

    settings = Settings.from_environ()  # before imports that take long: a wrong setting is reported at once
    from local_runner.telemetry import logging_config
    from local_runner.worker import work

    logging_config.configure(settings.log_format)
    work(settings, host, port)


def migrate() -> None:
    """Create the database, or bring it to the current schema. `serve` and `worker` do so at their start."""
    from core.settings import Settings
    from local_runner.bootstrap import migrate_database
    from local_runner.cli.offline import store_name

    settings = Settings.from_environ()
    before, after = migrate_database(settings)
    if before is None:
        typer.echo(f"created {store_name(settings)} at revision {after}")
    else:
        typer.echo(f"already at revision {after}" if before == after else f"migrated from {before} to {after}")


def token(
    minutes: Annotated[
        int | None,
        typer.Option("--valid-minutes", metavar="MINUTES", min=1, help="Lifetime. Default: that of the service."),
    ] = None,
    subject: Annotated[
        str, typer.Option(metavar="CLIENT", parser=client_name, help="Client that events are recorded by.")
    ] = "cli",
    read_only: Annotated[bool, typer.Option("--read-only", help="Grant events:read only.")] = False,
    customer: Annotated[
        list[int] | None,
        customer_option(help="Customer to limit the token to; repeatable. Default: all customers."),
    ] = None,
) -> None:
    """Print an access token, signed with the secret of this machine's service, which need not be running."""
    from core.auth.tokens import READ, WRITE
    from core.wiring import Services
    from local_runner.cli.offline import settings_with_secret

    issuer = Services(settings_with_secret()).issuer
    scopes = (READ,) if read_only else (WRITE, READ)
    try:
        text, _ = issuer.issue(subject, valid_minutes=minutes, scopes=scopes, customers=customer)
    except InvalidFieldsError as exc:
        raise typer.BadParameter(exc.errors[0]["msg"], param_hint="--valid-minutes") from None
    typer.echo(text)


def openapi(
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="File to write. Default: -, standard output.", dir_okay=False, allow_dash=True
        ),
    ] = STANDARD_STREAM,
) -> None:
    """Print the description of the API as OpenAPI 3.1."""
    from functions.pages.openapi import describe
    from functions.routes import ROUTES

    with output_file(output) as file:
        file.write(json.dumps(describe(ROUTES), indent=2).encode("ascii") + b"\n")


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True)] = False,
) -> None:
    """The Audit Log Service: who did what and when. Settings come from AUDIT_LOG_* in the environment."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


_RUN: Final = "Run the service"
_USE: Final = "Use a running service"
_PROVE: Final = "Prove events"
_MANAGE: Final = "Manage the data of a service"

_COMMANDS: Final[list[tuple[str, Callable[..., Any]]]] = [
    (_RUN, serve), (_RUN, worker), (_RUN, demo),
    (_USE, commands.query), (_USE, commands.show), (_USE, commands.tail),
    (_USE, commands.send), (_USE, commands.export), (_USE, load_test),
    (_PROVE, verify),
    (_MANAGE, token), (_MANAGE, migrate), (_MANAGE, backup), (_MANAGE, erase), (_MANAGE, reconcile),
    (_MANAGE, openapi),
]  # fmt: skip
"""Panel of the help and function of each command, in the order of the help."""

for _panel, _function in _COMMANDS:
    app.command(_function.__name__.replace("_", "-"), rich_help_panel=_panel)(_function)
for _name, _group in {"proof": proof_app, "ledger": ledger_app, "witness": witness_app}.items():
    app.add_typer(_group, name=_name, rich_help_panel=_PROVE)
_GROUPS: Final = {
    "catalogue": catalogue_app,
    "client": client_app,
    "dead-letters": dead_letter_app,
    "hold": hold_app,
    "partitions": partitions_app,
    "retention": retention_app,
    "stream": stream_app,
    "alert-rule": alert_rule_app,
}
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name, rich_help_panel=_MANAGE)
