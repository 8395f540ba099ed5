"""Requests to a witness, `add-checkpoint` of C2SP tlog-witness, verified by the code that verifies proofs."""

from typing import Final, NamedTuple

from audit_log_client.ledger.encoding import decode_base64, decode_number
from audit_log_client.ledger.errors import NotProvenError
from audit_log_client.ledger.notes import open_note

_MAX_HASHES: Final = 63
_HASH_BYTES: Final = 32
_LINES: Final = 3


class MalformedSubmissionError(Exception):
    """The body is not that of `add-checkpoint`. The message names the fault."""


class Checkpoint(NamedTuple):
    """The text of a signed note, taken apart."""

    origin: str
    size: int
    root: bytes


class Submission(NamedTuple):
    """A checkpoint, and the proof that the one of size `old` is its beginning. No signature is verified yet."""

    old: int
    path: tuple[bytes, ...]
    note: bytes
    text: str
    checkpoint: Checkpoint


def parse_submission(body: bytes) -> Submission:
    """Decode the body of a request.

    Raises:
        MalformedSubmissionError: it has another form, or `old` is beyond the size of the checkpoint.
    """
    before, separator, note = body.partition(b"\n\n")
    lines = before.decode("latin-1").split("\n")
    if not separator or not lines[0].startswith("old ") or len(lines) > 1 + _MAX_HASHES:
        raise MalformedSubmissionError("The body needs a line `old SIZE`, up to 63 hashes, an empty line and a note.")
    try:
        old = decode_number(lines[0].removeprefix("old "))
        path = tuple(map(decode_base64, lines[1:]))
    except ValueError:
        raise MalformedSubmissionError("A number or a hash is malformed.") from None
    try:
        text = open_note(note, ()).text
        checkpoint = parse_checkpoint(text)
    except (NotProvenError, ValueError) as exc:
        raise MalformedSubmissionError(str(exc)) from None
    if any(len(digest) != _HASH_BYTES for digest in path):
        raise MalformedSubmissionError("A hash of the proof has not 32 bytes.")
    if old > checkpoint.size:
        raise MalformedSubmissionError("The old size is beyond that of the checkpoint.")
    return Submission(old, path, note, text, checkpoint)


def parse_checkpoint(text: str) -> Checkpoint:
    """Decode the text of a note.

    Raises:
        ValueError: it is not origin, size and root; extension lines are refused.
    """
    lines = text.removesuffix("\n").split("\n")
    if len(lines) == _LINES:
        checkpoint = Checkpoint(lines[0], decode_number(lines[1]), decode_base64(lines[2]))
        if len(checkpoint.root) == _HASH_BYTES:
            return checkpoint
    raise ValueError("The note is not a checkpoint of three lines: origin, size and root.")
