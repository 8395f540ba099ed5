"""The `audit-log` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core import __version__
from core.auth.tokens import READ, WRITE, TokenIssuer
from core.errors import AuditLogError, InvalidFieldsError
from core.settings import Settings
from core.wiring import Services
from local_runner.bootstrap import load_or_create_secret
from local_runner.cli import formatting
from local_runner.cli.backup import backup
from local_runner.cli.clients import app as client_app
from local_runner.cli.dead_letters import app as dead_letter_app
from local_runner.cli.demo.command import demo
from local_runner.cli.load_test.command import load_test
from local_runner.cli.partitions import app as partitions_app
from local_runner.cli.reconcile import reconcile
from local_runner.cli.remote import commands
from local_runner.telemetry import logging_config

app = typer.Typer(
    help="The Audit Log Service: who did what and when. Settings come from AUDIT_LOG_* in the environment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("load-test")(load_test)
app.command()(commands.query)
app.command()(commands.tail)
app.command()(commands.send)
app.command()(commands.export)
app.command()(demo)
app.command()(backup)
app.command()(reconcile)
app.add_typer(client_app, name="client")
app.add_typer(dead_letter_app, name="dead-letters")
app.add_typer(partitions_app, name="partitions")


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit status 1, never a stack trace."""
    try:
        app()
    except InvalidFieldsError as exc:
        details = "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}" for error in exc.errors)
        _fail(f"{exc} {details}")
    except AuditLogError as exc:
        _fail(str(exc))


@app.command()
def serve(  # noqa: PLR0913 - one parameter per option
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    certfile: Annotated[Path | None, typer.Option(help="Certificate chain in PEM form: serve by TLS.")] = None,
    keyfile: Annotated[Path | None, typer.Option(help="Key of the certificate, PEM, not encrypted.")] = None,
    metrics_host: Annotated[str, typer.Option(help="Address of /metrics, and of /health and /ready.")] = "127.0.0.1",
    metrics_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the same; of several processes each takes the next.")
    ] = 8082,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes to serve from, on a broker only.")] = 1,
    dev: Annotated[bool, typer.Option("--dev", help="Restart the service when a source file changes.")] = False,
) -> None:
    """Serve the API, with queue, consumer and store in this process or in front of a broker (AUDIT_LOG_QUEUE_URL)."""
    if (certfile is None) != (keyfile is None):
        raise typer.BadParameter("--certfile and --keyfile go together")
    if dev and certfile:
        raise typer.BadParameter("--dev serves plain HTTP only")
    settings = _settings()
    logging_config.configure(settings.log_format)
    from local_runner import server  # noqa: PLC0415 - a second that the other commands need not wait
    from local_runner.http.uvicorn_server import Tls  # noqa: PLC0415 - as above

    management = server.ManagementAddress(metrics_host, range(metrics_port, metrics_port + workers))
    if dev:
        server.serve_with_reload(settings, host, port, management)
        return
    tls = Tls(certfile, keyfile) if certfile and keyfile else None
    server.serve(settings, host, port, management, tls, workers)


@app.command()
def worker(
    host: Annotated[str, typer.Option(help="Address of /health, /ready and /metrics.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the same.")] = 8081,
) -> None:
    """Store what comes from the broker of AUDIT_LOG_QUEUE_URL; run as many of these as there is work for."""
    settings = _settings()
    logging_config.configure(settings.log_format)
    from local_runner.worker import work  # noqa: PLC0415 - a second that the other commands need not wait

    work(settings, host, port)


@app.command()
def migrate() -> None:
    """Bring the database to the current schema. `serve` does so by itself."""
    from local_runner.bootstrap import migrate_database  # noqa: PLC0415 - a second that the other commands need not wait

    before, after = migrate_database(_settings())
    typer.echo(f"already at revision {after}" if before == after else f"migrated from {before or 'nothing'} to {after}")


@app.command()
def token(
    minutes: Annotated[int | None, typer.Option("--valid-minutes", help="How long it shall live.")] = None,
    subject: Annotated[str, typer.Option(help="The client that the token is for.")] = "cli",
    read_only: Annotated[bool, typer.Option("--read-only", help="A token that cannot write.")] = False,
    customer: Annotated[list[int] | None, typer.Option(help="Limit the token to this customer; repeatable.")] = None,
) -> None:
    """Print a token, made with the secret of this machine's service, which need not be running."""
    issuer: TokenIssuer = Services(load_or_create_secret(_settings())).issuer
    scopes = (READ,) if read_only else (WRITE, READ)
    text, _ = issuer.issue(subject, valid_minutes=minutes, scopes=scopes, customers=customer)
    typer.echo(text)


@app.command()
def openapi(
    output: Annotated[
        typer.FileTextWrite | None, typer.Option(help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Print the description of the API as OpenAPI 3.1."""
    from functions.pages.openapi import describe  # noqa: PLC0415 - only this command needs all handlers

    typer.echo(json.dumps(describe("/"), indent=2), file=output)  # ASCII, whatever the terminal's encoding


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """The Audit Log Service: who did what and when. Settings come from AUDIT_LOG_* in the environment."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def _settings() -> Settings:
    return Settings.from_environ()


def _fail(message: str) -> None:
    formatting.print_error(message)
    sys.exit(1)


if __name__ == "__main__":
    main()
