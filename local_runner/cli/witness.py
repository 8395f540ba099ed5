"""`audit-log witness ...`: a witness of other ledgers, which needs no settings, database or service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from core.ledger.cosigning import Cosigner

app = App(help="Witness of other ledgers: cosigns their checkpoints (C2SP tlog-witness).", no_args_is_help=True)

_MAX_PORT: Final = 65535

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the witness, such as witness.example.org.")]
KeyFile = Annotated[
    Path, typer.Option("--key-file", metavar="FILE", help="Ed25519 private key in PEM form; created if missing.")
]


@app.command()
def serve(  # noqa: PLR0913 - one parameter per option
    *,
    name: Name,
    key_file: KeyFile,
    policy: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Keys of the logs, as `audit-log ledger policy` prints them; lines of several logs go together.",
        ),
    ],
    state: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Directory of the checkpoints that were cosigned last. Never restore it."),
    ],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=_MAX_PORT, help="Port to listen on.")] = 8083,
) -> None:
    """Cosign checkpoints of other ledgers, if they continue those that this witness has seen before."""
    from audit_log_client.ledger import PolicyError, parse_policy
    from local_runner.background.witness.cosigning import Witness
    from local_runner.background.witness.server import serve_witness
    from local_runner.telemetry import logging_config

    try:
        logs = parse_policy(policy.read_bytes()).logs
    except PolicyError as exc:
        raise typer.BadParameter(str(exc), param_hint="--policy") from None
    logging_config.configure("console")
    serve_witness(Witness(_cosigner(name, key_file), logs, state), host, port)


@app.command()
def key(*, name: Name, key_file: KeyFile) -> None:
    """Print the public key of the witness, NAME+ID+BASE64, for the policies of the logs and of those who verify."""
    typer.echo(_cosigner(name, key_file).verifier_key)


def _cosigner(name: str, file: Path) -> "Cosigner":
    import contextlib

    from core.ledger.checkpoints import is_origin
    from core.ledger.cosigning import read_cosigner
    from core.ledger.keys import generate_key
    from local_runner.bootstrap import create_private_file

    if not is_origin(name):
        raise typer.BadParameter("must be a name without spaces and plus signs", param_hint="--name")
    if not file.exists():
        with contextlib.suppress(FileExistsError):
            create_private_file(file, generate_key().strip())
    return read_cosigner(name, file)
