"""Verification of proof files: from the event through the tree to a checkpoint that the policy accepts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from audit_log_client.ledger.documents import Head, entry_of, parse_data, parse_head
from audit_log_client.ledger.encoding import decode_base64, decode_number
from audit_log_client.ledger.errors import NotProvenError
from audit_log_client.ledger.merkle import check_consistency, leaf_hash, root_of_inclusion
from audit_log_client.ledger.notes import MAX_BYTES, Cosignature, open_note
from audit_log_client.ledger.policy import Policy

_PROOF: Final = "c2sp.org/tlog-proof@v1"
_MAX_HASHES: Final = 63
_HASH_BYTES: Final = 32
_CHECKPOINT_LINES: Final = 3


class ProvenCheckpoint(NamedTuple):
    """A checkpoint that the policy accepts: the first `size` entries of the log have this root."""

    origin: str
    size: int
    root: bytes
    cosignatures: tuple[Cosignature, ...]


@dataclass(frozen=True, slots=True)
class ProvenEvent:
    """An event that is in a log."""

    index: int
    checkpoint: ProvenCheckpoint
    head: Head
    event_data: dict[str, Any] | None
    """None if no data file was given: `head.data` is proven to be its SHA-256."""


def verify_event(
    proof: bytes, policy: Policy, *, data: bytes | None = None, event_id: str | None = None
) -> ProvenEvent:
    """Verify that an event is in a log, under a checkpoint that the policy accepts.

    Args:
        proof: The `.tlog-proof` file (C2SP tlog-proof).
        policy: Trusted keys. From another source than the proof.
        data: The `.data` file, if the content of the event is to be proven as well.
        event_id: Id of the event that was asked for, if it is known: a valid proof of another event is refused.

    Raises:
        NotProvenError: the files do not prove it; the message names the step.
        VerifierUnavailableError: the library that checks signatures is not installed.
    """
    lines, note = _split(proof)
    if lines[:1] != [_PROOF]:
        raise NotProvenError(f"The file is not a proof: its first line is not {_PROOF}.")
    document = _field("extra", lines, 1, decode_base64, "line 2 is not `extra` and base64")
    index = _field("index", lines, 2, decode_number, "line 3 is not `index` and a number without leading zeros")
    path = _hashes(lines[3:])
    checkpoint = _open_checkpoint(note, policy)
    head = parse_head(document)
    if event_id is not None and head.event_id != event_id.lower():
        raise NotProvenError("The proof is that of another event than the one asked for.")
    root = root_of_inclusion(index, checkpoint.size, leaf_hash(entry_of(document, head)), path)
    if root != checkpoint.root:
        raise NotProvenError("The event is not in the tree of the checkpoint: the hashes lead to another root.")
    return ProvenEvent(index, checkpoint, head, None if data is None else parse_data(data, head))


def verify_consistency(old: bytes, proof: bytes, policy: Policy) -> tuple[ProvenCheckpoint, ProvenCheckpoint]:
    """Verify that the log of checkpoint `old` is the beginning of that of the checkpoint in `proof`; return both.

    Args:
        old: A checkpoint, a signed note.
        proof: `old SIZE`, hashes, an empty line and the new checkpoint, as `/ledger/consistency` returns them.
        policy: Trusted keys.

    Raises:
        NotProvenError: the files do not prove it; the message names the step.
        VerifierUnavailableError: the library that checks signatures is not installed.
    """
    lines, note = _split(proof)
    size = _field("old", lines, 0, decode_number, "line 1 is not `old` and a number without leading zeros")
    path = _hashes(lines[1:])
    before, after = _open_checkpoint(old, policy), _open_checkpoint(note, policy)
    if before.origin != after.origin:
        raise NotProvenError("The checkpoints are of two different logs.")
    if before.size != size:
        raise NotProvenError("The consistency proof begins at another size than that of the old checkpoint.")
    check_consistency(before.size, before.root, after.size, after.root, path)
    return before, after


def checkpoint_size(note: bytes, policy: Policy) -> int:
    """Verify a checkpoint, a signed note; return the number of entries that it covers.

    Raises:
        NotProvenError: it is malformed, or not signed as the policy asks for.
        VerifierUnavailableError: the library that checks signatures is not installed.
    """
    return _open_checkpoint(note, policy).size


def _split(proof: bytes) -> tuple[list[str], bytes]:
    """Return the lines before the first empty line, and the checkpoint after it."""
    if len(proof) > MAX_BYTES:
        raise NotProvenError(f"The file is not a proof: it is larger than {MAX_BYTES:,} bytes.")
    before, separator, note = proof.partition(b"\n\n")
    if not separator or not before.isascii():
        raise NotProvenError("The file is not a proof: it has no empty line, or other characters than ASCII before it.")
    return before.decode().split("\n"), note


def _field(name: str, lines: Sequence[str], place: int, decode: Any, otherwise: str) -> Any:
    line = lines[place] if place < len(lines) else ""
    try:
        if line.startswith(f"{name} "):
            return decode(line.removeprefix(f"{name} "))
    except ValueError:
        pass
    raise NotProvenError(f"The file is not a proof: {otherwise}.")


def _hashes(lines: Sequence[str]) -> list[bytes]:
    try:
        hashes = [decode_base64(line) for line in lines[: _MAX_HASHES + 1]]
    except ValueError:
        hashes = [b""]
    if len(hashes) > _MAX_HASHES or any(len(digest) != _HASH_BYTES for digest in hashes):
        raise NotProvenError("The file is not a proof: up to 63 hashes of 32 bytes in base64 are needed, one a line.")
    return hashes


def _open_checkpoint(note: bytes, policy: Policy) -> ProvenCheckpoint:
    opened = open_note(note, (*policy.logs, *policy.witnesses))
    lines = opened.text.removesuffix("\n").split("\n")
    origin = lines[0]
    if not any(key.name == origin for key in opened.logs):
        raise NotProvenError("The checkpoint is not signed by a trusted key of the log that it is of.")
    if not policy.quorum.is_met({cosignature.key for cosignature in opened.cosignatures}):
        raise NotProvenError("The checkpoint lacks cosignatures of witnesses that the policy asks for.")
    try:
        size, root = decode_number(lines[1]), decode_base64(lines[2])
    except (IndexError, ValueError):
        size, root = 0, b""
    if len(lines) != _CHECKPOINT_LINES or len(root) != _HASH_BYTES:
        raise NotProvenError("The text of the checkpoint is not an origin, a size and a root, one a line.")
    return ProvenCheckpoint(origin, size, root, opened.cosignatures)
