"""Signed notes (C2SP signed-note) and cosignatures of witnesses (C2SP tlog-cosignature), for Ed25519 keys."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple

from audit_log_client.ledger.encoding import MAX_NUMBER, decode_base64
from audit_log_client.ledger.errors import NotProvenError, PolicyError, VerifierUnavailableError

LOG: Final = 1
"""Signature type of a log: Ed25519 over the text."""

WITNESS: Final = 4
"""Signature type of a witness: Ed25519 over a time and the text."""

MAX_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 100

_PUBLIC_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_TIME_BYTES: Final = 8
_VKEY: Final = re.compile(r"([^\s+\x00-\x1f\x7f]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_LINE: Final = re.compile(r"\u2014 ([^\s+]+) (\S+)")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class VerifierKey(NamedTuple):
    """A public key with the name of its owner."""

    name: str
    key_id: bytes
    signature_type: int
    public_key: bytes


class Cosignature(NamedTuple):
    """A witness's statement that it saw this checkpoint, and none that contradicts it, until a time."""

    key: VerifierKey
    time: int
    """Unix seconds, as the witness states them."""


class OpenedNote(NamedTuple):
    """A text, and the keys whose signatures over it are right."""

    text: str
    logs: tuple[VerifierKey, ...]
    cosignatures: tuple[Cosignature, ...]


def parse_key(text: str) -> VerifierKey:
    """Decode a public key of the form NAME+ID+BASE64 (a vkey).

    Raises:
        PolicyError: `text` has another form, its id belongs to another key, or the key is not an Ed25519 key of a log
            or a witness.
    """
    match = _VKEY.fullmatch(text)
    try:
        decoded = decode_base64(match[3]) if match else b""
    except ValueError:
        match = None
    if match is None:
        raise PolicyError("A key has the form NAME+ID+BASE64, such as `audit-log ledger key` prints it.")
    name, key_id = match[1], bytes.fromhex(match[2])
    if sha256(name.encode() + b"\n" + decoded).digest()[:_KEY_ID_BYTES] != key_id:
        raise PolicyError("A key does not match its id: a character of it was changed.")
    if decoded[0] not in {LOG, WITNESS} or len(decoded) != 1 + _PUBLIC_KEY_BYTES:
        raise PolicyError("A key is of a kind that this verifier does not know: it knows Ed25519, types 1 and 4.")
    return VerifierKey(name, key_id, decoded[0], decoded[1:])


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Decode a note and verify every signature in it that one of `keys` is said to have made.

    Signatures of other keys are ignored. The note may be signed by none of them.

    Raises:
        NotProvenError: the bytes are not a note, or a signature in the name of one of `keys` is wrong.
        VerifierUnavailableError: the library is not installed.
    """
    known = {(key.name, key.key_id): key for key in keys}
    text, lines = _split(data)
    logs: dict[VerifierKey, None] = {}
    cosignatures: dict[VerifierKey, Cosignature] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        try:
            decoded = decode_base64(match[2]) if match else b""
        except ValueError:
            decoded = b""
        if match is None or len(decoded) <= _KEY_ID_BYTES:
            raise NotProvenError("The checkpoint has a malformed signature line.")
        key = known.get((match[1], decoded[:_KEY_ID_BYTES]))
        if key is None:
            continue
        if key.signature_type == LOG:
            _verify(key, decoded[_KEY_ID_BYTES:], text.encode())
            logs[key] = None
        else:
            cosignatures[key] = _verify_cosignature(key, decoded[_KEY_ID_BYTES:], text)
    return OpenedNote(text, tuple(logs), tuple(cosignatures.values()))


def _split(data: bytes) -> tuple[str, list[str]]:
    if len(data) > MAX_BYTES:
        raise NotProvenError(f"The checkpoint is larger than {MAX_BYTES:,} bytes.")
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        raise NotProvenError("The checkpoint is not UTF-8.") from None
    if _CONTROL.search(decoded):
        raise NotProvenError("The checkpoint has a control character, such as a carriage return.")
    text, separator, rest = decoded.rpartition("\n\n")
    lines = rest.split("\n")
    if not separator or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise NotProvenError("The checkpoint is not a text, an empty line and 1 to 100 signature lines.")
    return f"{text}\n", lines


def _verify_cosignature(key: VerifierKey, signature: bytes, text: str) -> Cosignature:
    time = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES or time > MAX_NUMBER:
        raise NotProvenError("A cosignature of a witness in the policy is malformed.")
    _verify(key, signature[_TIME_BYTES:], f"cosignature/v1\ntime {time}\n{text}".encode())
    return Cosignature(key, time)


def _verify(key: VerifierKey, signature: bytes, message: bytes) -> None:
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - with the extra `verify`
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError:
        raise VerifierUnavailableError(
            "Signatures need the library cryptography: pip install 'audit-log-client[verify]'."
        ) from None
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except InvalidSignature:
        who = "log" if key.signature_type == LOG else "witness"
        raise NotProvenError(f"The signature of the {who} over the checkpoint is wrong.") from None
