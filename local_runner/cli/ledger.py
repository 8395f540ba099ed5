"""`audit-log ledger ...`: the state and the keys of the ledger, and the consistency of its checkpoints."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.event_fields import reason_option
from local_runner.cli.remote.options import ClientId, connected
from local_runner.cli.typer_app import App
from local_runner.cli.verify import NOT_PROVEN, Key, PolicyFile, trust

if TYPE_CHECKING:
    from core.stores.ledger.checking.findings import Report

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
        formatting.print_table(formatting.properties(rows))


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
    """Print a policy that trusts the ledger and its witnesses, for `audit-log verify --policy` (C2SP tlog-policy)."""
    from functions.proofs.ledger import policy_of
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        typer.echo(policy_of(services).decode(), nl=False)


@app.command()
def check(
    processes: Annotated[
        int, typer.Option(metavar="COUNT", min=0, max=64, help="Processes to check in. Default: one per core.")
    ] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002 - a flag of typer
) -> None:
    """Recompute the ledger from the stored events, and name those that are changed, missing, added or moved.

    The service may run meanwhile. Ends with status 3 if something was found, and with 1 if it could not be checked.
    """
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from core.stores.ledger.checking.check import check_ledger
    from core.stores.ledger.file_guard import FileGuard
    from local_runner.background.signer import GUARD_NAME
    from local_runner.cli.offline import existing_store

    columns = (TextColumn("checking"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with existing_store() as services, formatting.progress(*columns) as bar:
        task = bar.add_task("", total=None)
        report = check_ledger(
            services.database.engine,
            last_note=FileGuard(services.settings.data_dir / GUARD_NAME).latest(),
            processes=processes,
            progress=lambda done, total: bar.update(task, advance=done, total=total),
        )
    if as_json:
        typer.echo(formatting.to_json(report.facts()))
    else:
        _print_report(report)
    if not report.is_whole:
        raise typer.Exit(NOT_PROVEN)


@app.command()
def adopt() -> None:
    """Seal the events that were stored before the ledger existed. The service may run meanwhile.

    From then on they can be proven like others; for the time before, nothing is proven. An interrupted adoption
    continues where it was.
    """
    from rich.progress import TextColumn

    from core.stores.ledger.former_events import adopt as adopt_events
    from local_runner.cli.offline import existing_store

    with existing_store() as services, formatting.progress(TextColumn("{task.completed:,} events")) as bar:
        task = bar.add_task("", total=None)
        count = adopt_events(
            services.database.engine, at=datetime.now(UTC), progress=lambda done: bar.update(task, advance=done)
        )
    typer.echo(f"adopted {formatting.events(count)}" if count else "every event is in the ledger")


@app.command()
def export(
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Directory for the files; created if it does not exist.")
    ],
) -> None:
    """Write checkpoint, tiles and entries as files for a static host (C2SP tlog-tiles).

    A further export to the same directory adds the missing files.
    """
    from rich.progress import TextColumn

    from local_runner.cli.ledger_export import export_ledger
    from local_runner.cli.offline import existing_store

    with existing_store() as services, formatting.progress(TextColumn("{task.completed:,} tiles")) as bar:
        task = bar.add_task("", total=None)
        size, written = export_ledger(services.proofs, directory, lambda done: bar.update(task, advance=done))
    typer.echo(f"{directory} has the {size:,} entries of the newest checkpoint; {written:,} files are new")


@app.command()
def restart(
    origin: Annotated[str, typer.Option(metavar="NAME", help="Name of the ledger from now on.")],
    reason: Annotated[str, reason_option()],
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


def _print_report(report: "Report") -> None:
    rows = [
        ("entries", f"{report.size:,}"),
        ("events", f"{report.events:,}"),
        ("erased", f"{report.erased:,}, as the log records"),
        ("deleted", f"{report.dropped:,} by retention, as the log records"),
        ("not adopted", f"{report.uncommitted:,}"),
        ("signatures", f"{report.signatures:,}"),
        ("guard", "not on this host" if report.guard is None else f"{report.guard:,} entries"),
    ]
    formatting.print_table(formatting.properties(rows))
    for finding in report.findings.named:
        of_event = [finding.event_id] if finding.event_id else []
        at_index = [] if finding.index is None else [f"entry {finding.index}"]
        typer.echo(formatting.visible(" ".join([finding.kind.upper(), *of_event, *at_index])) + f": {finding.detail}")
    total = sum(report.findings.counts.values())
    if total > len(report.findings.named):
        typer.echo(f"and {total - len(report.findings.named):,} more")
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.findings.counts.items()))
    typer.echo("WHOLE: every event is the one that was logged" if report.is_whole else f"NOT WHOLE: {counts}")
