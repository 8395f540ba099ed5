"""`audit-log ledger ...`: the state and the keys of the ledger, and the consistency of its checkpoints."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.remote.options import ClientId, connected
from local_runner.cli.typer_app import App
from local_runner.cli.verify import NOT_PROVEN, Key, PolicyFile, trust

app = App(help="State and keys of the ledger, and the consistency of its checkpoints.", no_args_is_help=True)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:  # noqa: FBT002 - a flag of typer
    """Show the size of the ledger, and how much of it is signed.

    Ends with status 1 if stored events have had no index for two minutes.
    """
    from core.errors import ProofNotFoundError
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        facts = dict(services.database.ledger.check())
        try:
            checkpoint = services.proofs.checkpoint()
        except ProofNotFoundError:
            facts |= {"signed": 0, "origin": None}
        else:
            facts |= {"signed": checkpoint.size, "origin": checkpoint.note.decode().partition("\n")[0]}
    if as_json:
        typer.echo(formatting.to_json(facts))
    else:
        rows = [(name.replace("_", " "), "-" if value is None else str(value)) for name, value in facts.items()]
        formatting.console().print(formatting.properties(rows))


@app.command()
def key() -> None:
    """Print the public keys of the ledger, NAME+ID+BASE64, to publish where those who verify find them."""
    from core.stores.ledger.identity import ledger_keys
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        for each in ledger_keys(services.database.engine):
            typer.echo(each)


@app.command()
def policy() -> None:
    """Print a policy that trusts the ledger, for `audit-log verify --policy` (C2SP tlog-policy)."""
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        typer.echo(services.proofs.policy().decode(), nl=False)


@app.command()
def restart(
    origin: Annotated[str, typer.Option(metavar="NAME", help="Name of the ledger from now on.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the event that records it.")],
) -> None:
    """Sign the ledger under another origin, after a restore that lost signed entries.

    Stop the process that signs before, and run the command where it ran. The former guard is kept under another name.
    """
    from core.ledger.checkpoints import is_origin
    from core.stores.ledger.identity import restart as restart_ledger
    from local_runner.background.signer import GUARD_NAME
    from local_runner.cli.offline import existing_store

    if not is_origin(origin):
        raise typer.BadParameter("must be a name without spaces and plus signs", param_hint="--origin")
    now = datetime.now(UTC)
    with existing_store() as services:
        size = restart_ledger(services.database.engine, origin, reason, at=now)
        guard = services.settings.data_dir / GUARD_NAME
        if guard.exists():
            guard.rename(guard.with_name(f"{GUARD_NAME}-until-{now:%Y%m%dT%H%M%SZ}"))
    typer.echo(f"the {size:,} entries are those of {origin} now; set AUDIT_LOG_LEDGER_ORIGIN={origin}")


@app.command()
def consistency(  # noqa: PLR0913 - one parameter per option
    *,
    old: Annotated[
        Path, typer.Argument(metavar="OLD", exists=True, dir_okay=False, help="File with a former checkpoint.")
    ],
    proof: Annotated[
        Path | None,
        typer.Argument(metavar="PROOF", exists=True, dir_okay=False, help="Answer of /ledger/consistency."),
    ] = None,
    policy: PolicyFile = None,
    key: Key = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Service to ask for the proof, in place of the file PROOF.")
    ] = None,
    client_id: ClientId = None,
) -> None:
    """Verify that a former checkpoint is the beginning of a newer one, so that no entry under it was changed.

    Ends with status 3 if it is not.
    """
    from audit_log_client.ledger import NotProvenError, checkpoint_size, verify_consistency

    trusted = trust(policy, key)
    if (proof is None) == (url is None):
        raise typer.BadParameter("give either a file or --url", param_hint="PROOF")
    before = old.read_bytes()
    try:
        if proof:
            answer = proof.read_bytes()
        else:
            with connected(url or "", client_id) as api:
                answer = api.consistency(checkpoint_size(before, trusted))
        first, last = verify_consistency(before, answer, trusted)
    except NotProvenError as exc:
        typer.echo(f"NOT CONSISTENT: {exc}")
        raise typer.Exit(NOT_PROVEN) from None
    typer.echo(f"CONSISTENT: the first {first.size:,} of {last.size:,} entries in {last.origin} are those of {old}")
