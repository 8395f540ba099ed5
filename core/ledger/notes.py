"""Signed notes (C2SP signed-note): a text with signature lines."""

import base64
import binascii
import re
from hashlib import sha256
from typing import Final, NamedTuple

ED25519: Final = 1
"""Signature type of Ed25519."""

_MAX_SIGNATURES: Final = 100
_KEY_ID_BYTES: Final = 4
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINE: Final = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


class MalformedNoteError(ValueError):
    """The bytes are not a signed note. They did not come from a ledger, or were changed on the way."""


class Signature(NamedTuple):
    """One signature line. Name and key id say which key made it."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The signature as a line of a note."""
        return f"\u2014 {self.name} {_base64(self.key_id + self.signature)}\n"


class Note(NamedTuple):
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """Encode the note."""
        return f"{self.text}\n{''.join(each.line for each in self.signatures)}".encode()


def parse_note(data: bytes) -> Note:
    """Decode a note.

    Raises:
        MalformedNoteError: not a note of valid UTF-8 without control characters, with 1 to 100 signature lines.
    """
    try:
        text, separator, lines = data.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise MalformedNoteError("Not a signed note: it is not UTF-8.") from None
    signatures = lines.split("\n")
    if not separator or signatures.pop() or not 0 < len(signatures) <= _MAX_SIGNATURES or _CONTROL.search(text + lines):
        raise MalformedNoteError("Not a signed note: a text, an empty line and 1 to 100 signature lines are needed.")
    return Note(f"{text}\n", tuple(map(_parse_signature, signatures)))


def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Return the four bytes that identify a key together with its name."""
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, signature_type: int, public_key: bytes) -> str:
    """Return a public key as text: `NAME+KEY ID+BASE64`, a vkey."""
    digest = key_id(name, signature_type, public_key)
    return f"{name}+{digest.hex()}+{_base64(bytes([signature_type]) + public_key)}"


def _parse_signature(line: str) -> Signature:
    match = _LINE.fullmatch(line)
    try:
        decoded = base64.b64decode(match[2], validate=True) if match else b""
    except binascii.Error:
        decoded = b""
    if match is None or len(decoded) <= _KEY_ID_BYTES or _base64(decoded) != match[2]:
        raise MalformedNoteError("Not a signed note: a signature line is malformed.")
    return Signature(match[1], decoded[:_KEY_ID_BYTES], decoded[_KEY_ID_BYTES:])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
