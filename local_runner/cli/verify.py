"""The command `audit-log verify`. Reads the given files and nothing else: no settings, no service, no database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from local_runner.cli import formatting
from local_runner.cli.archives import ArchivedEvents, verify_archive

if TYPE_CHECKING:
    from audit_log_client.ledger import Policy, ProvenEvent

NOT_PROVEN: Final = 3
"""Exit status if a file does not prove its event."""

_ARCHIVE_SUFFIX: Final = ".ndjson.gz"
_DATA_SUFFIX: Final = ".data"
_NO_DATA: Final = "not in the files; the SHA-256 of its document is proven to be {}"

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Keys of logs and witnesses to trust (tlog-policy).",
    ),
]
Key = Annotated[str | None, typer.Option("--key", metavar="VKEY", help="Key of the ledger to trust, NAME+ID+BASE64.")]


def verify(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Proofs of events, ID.tlog-proof, or archives, .ndjson.gz.",
        ),
    ],
    policy: PolicyFile = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Verify proofs of events offline, without the service.

    The content of an event is verified if ID.data is in the directory of its proof. Get the key or the policy from
    another source than the proofs, such as a contract. Ends with status 3 if a proof is not valid.
    """
    from audit_log_client.ledger import NotProvenError, VerifierUnavailableError

    trusted = trust(policy, key)
    failed = False
    for file in files:
        try:
            if file.name.endswith(_ARCHIVE_SUFFIX):
                _print_archive(file, verify_archive(file, trusted), as_json=as_json)
                continue
            proven = _verify(file, trusted)
        except NotProvenError as exc:
            failed = True
            name = formatting.visible(str(file))
            typer.echo(_as_json(file, reason=str(exc)) if as_json else f"NOT PROVEN {name}: {exc}")
        except VerifierUnavailableError as exc:
            formatting.print_error(str(exc))
            raise typer.Exit(1) from None
        else:
            _print(file, proven, as_json=as_json)
    if failed:
        raise typer.Exit(NOT_PROVEN)


def trust(policy: Path | None, key: str | None) -> "Policy":
    """Return the policy that one of two options describes.

    Raises:
        typer.BadParameter: neither or both are given, or the one is malformed.
    """
    from audit_log_client.ledger import PolicyError, parse_policy, policy_of_key

    if (policy is None) == (key is None):
        raise typer.BadParameter("give either --policy FILE or --key VKEY")
    try:
        return parse_policy(policy.read_bytes()) if policy else policy_of_key(key or "")
    except PolicyError as exc:
        raise typer.BadParameter(str(exc), param_hint="--policy" if policy else "--key") from None


def _verify(file: Path, policy: "Policy") -> "ProvenEvent":
    from audit_log_client.ledger import verify_event

    data = file.with_suffix(_DATA_SUFFIX)
    content = data.read_bytes() if data.is_file() else None
    return verify_event(file.read_bytes(), policy, data=content, event_id=_event_id(file))


def _event_id(file: Path) -> str | None:
    """The event that a file is named after, so that the proof of another one under this name is refused."""
    try:
        return str(UUID(file.stem))
    except ValueError:
        return None


def _print_archive(file: Path, events: ArchivedEvents, *, as_json: bool) -> None:
    if as_json:
        typer.echo(_as_json(file, events=events.all, without_data=events.without_data))
        return
    without = f", of which {events.without_data:,} without their event_data" if events.without_data else ""
    typer.echo(f"PROVEN {formatting.visible(str(file))}: {formatting.events(events.all)}{without}")


def _print(file: Path, proven: "ProvenEvent", *, as_json: bool) -> None:
    if as_json:
        typer.echo(_as_json(file, **_facts(proven)))
    else:
        typer.echo(f"PROVEN {formatting.visible(str(file))}")
        formatting.print_table(formatting.properties(_rows(proven)))


def _rows(proven: "ProvenEvent") -> Iterator[tuple[str, str]]:
    head, checkpoint = proven.head, proven.checkpoint
    yield "entry", f"{proven.index:,} of {checkpoint.size:,} in {checkpoint.origin}"
    for name, value in _event(proven).items():
        yield name, value if isinstance(value, str) else formatting.to_json(value)
    if proven.event_data is None:
        yield "event_data", _NO_DATA.format(head.data)
    for name, time in _cosignatures(proven):
        yield "cosigned", f"by {name}, {time}"
    if not checkpoint.cosignatures:
        yield "cosigned", "by no witness of the policy: the ledger alone says that it signed no other history"


def _facts(proven: "ProvenEvent") -> dict[str, Any]:
    return {
        "origin": proven.checkpoint.origin,
        "index": proven.index,
        "size": proven.checkpoint.size,
        "event": _event(proven),
        "data_sha256": proven.head.data,
        "cosignatures": [{"name": name, "time": time} for name, time in _cosignatures(proven)],
    }


def _event(proven: "ProvenEvent") -> dict[str, Any]:
    event = {name: value for name, value in proven.head._asdict().items() if name != "data"}
    return event if proven.event_data is None else {**event, "event_data": proven.event_data}


def _cosignatures(proven: "ProvenEvent") -> Iterator[tuple[str, str]]:
    for cosignature in proven.checkpoint.cosignatures:
        yield cosignature.key.name, _to_text(cosignature.time)


def _to_text(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError):  # beyond the year 9999
        return f"{seconds} s"


def _as_json(file: Path, **facts: Any) -> str:
    return formatting.to_json({"file": str(file), "proven": "reason" not in facts, **facts})
