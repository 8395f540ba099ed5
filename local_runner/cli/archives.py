"""Verification of archives: each event of the file is in the ledger, as the proof in its line shows."""

import gzip
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from audit_log_client.ledger import Policy


class ArchivedEvents(NamedTuple):
    """Numbers of the events of an archive."""

    all: int
    without_data: int
    """Events that the archive proves without their event_data, as it has those whose data was erased."""


def verify_archive(file: Path, policy: "Policy") -> ArchivedEvents:
    """Verify all lines of an archive; return the numbers of its events.

    Raises:
        NotProvenError: a line is not proven, or its event is another one than its proof is about.
        VerifierUnavailableError: the library that checks signatures is not installed.
    """
    from audit_log_client.ledger import NotProvenError

    number = without_data = 0
    try:
        with gzip.open(file, "rb") as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 - the number of lines
                without_data += not _verify_line(line, policy)
    except NotProvenError as exc:
        raise NotProvenError(f"Line {number}: {exc}") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        raise NotProvenError(f"Line {number + 1} cannot be read: the archive is damaged.") from None
    if not number:
        raise NotProvenError("The archive has no event.")
    return ArchivedEvents(number, without_data)


def _verify_line(line: bytes, policy: "Policy") -> bool:
    """Verify one event; return whether its data is proven as well."""
    from audit_log_client.ledger import NotProvenError, verify_event

    event: dict[str, Any] = json.loads(line)
    proof = event.pop("proof", None)
    if proof is None:
        raise NotProvenError("The event has no proof: it was stored without a commitment.")
    data = proof["data"].encode() if "data" in proof else None
    proven = verify_event(proof["file"].encode(), policy, data=data, event_id=str(event["event_id"]))
    shown = {name: value for name, value in proven.head._asdict().items() if name != "data"}
    if event != {**shown, "event_data": proven.event_data if data is not None else {}}:
        raise NotProvenError("The event is not the one that its proof is about.")
    return data is not None
