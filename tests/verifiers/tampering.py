"""Every way to change a proof or its documents that a verifier without the ledger can see."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import NamedTuple

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Files(NamedTuple):
    """What a verifier gets."""

    proof: bytes
    data: bytes
    key: str


def tamperings(files: Files, other: Files) -> Iterator[tuple[str, Files]]:
    """Name and files of each tampering with a proof of at least two hashes; `other` has a proof of another event."""
    proof, data, key = files
    top, _, note = proof.partition(b"\n\n")
    version, extra, index, *hashes = top.split(b"\n")
    text, _, signatures = note.partition(b"\n\n")
    origin, size, root = text.split(b"\n")
    number, count = int(index.split(b" ")[1]), int(size)

    def made(head: bytes = extra, at: bytes = index, path: list[bytes] = hashes, rest: bytes = note) -> Files:
        return Files(b"\n".join([version, head, at, *path]) + b"\n\n" + rest, data, key)

    def signed(size: bytes = size, root: bytes = root, more: bytes = b"", origin: bytes = origin) -> bytes:
        return b"\n".join([origin, size, root]) + more + b"\n\n" + signatures

    yield "a hash is missing", made(path=hashes[:-1])
    yield "a hash too many", made(path=[*hashes, hashes[-1]])
    yield "no hash", made(path=[])
    yield "two hashes swapped", made(path=[hashes[1], hashes[0], *hashes[2:]])
    yield "a hash changed", made(path=[b64encode(bytes(32)), *hashes[1:]])
    yield "a hash of 31 bytes", made(path=[b64encode(b64decode(hashes[0])[:31]), *hashes[1:]])
    for name, at in {
        "one more": number + 1,
        "one less": number - 1,
        "the size": count,
        "beyond": 2**64 + number,
    }.items():
        yield f"index {name}", made(at=b"index %d" % at)
    yield "index with a leading zero", made(at=b"index 0%d" % number)
    yield "index with a sign", made(at=b"index +%d" % number)
    yield "size one more", made(rest=signed(b"%d" % (count + 1)))
    yield "size one less", made(rest=signed(b"%d" % (count - 1)))
    yield "size 0", made(rest=signed(b"0"))
    yield "another root", made(rest=signed(root=b64encode(bytes(32))))
    yield "an extension line", made(rest=signed(more=b"\nextension"))
    yield "another origin", made(rest=signed(origin=b"other.example.org/ledger"))
    yield "CRLF", Files(proof.replace(b"\n", b"\r\n"), data, key)
    yield "no signature", made(rest=text + b"\n\n")
    yield "a signature by another key", made(rest=text + b"\n\n" + other_signature(signatures))
    yield "a signature changed", made(rest=text + b"\n\n" + flipped(signatures))
    yield "a hash in base64 that is not canonical", made(path=[not_canonical(hashes[0]), *hashes[1:]])
    yield "a proof cut off", Files(proof[: len(proof) // 2], data, key)
    yield "no proof", Files(b"", data, key)
    yield "another version", Files(proof.replace(b"@v1", b"@v2", 1), data, key)
    yield "the proof of another event", Files(other.proof, other.data, key)
    yield "the head of another event", made(head=other.proof.split(b"\n")[1])
    document = b64decode(extra.split(b" ")[1])
    for field, value in {
        "customer_id": 43,
        "event_type": "user.logout",
        "recorded_by": "x",
        "timestamp_utc": 1,
    }.items():
        first, salt, content = document.split(b"\n", 2)
        head = json.dumps({**json.loads(content), field: value}, separators=(",", ":")).encode()
        yield f"{field} changed", made(head=b"extra " + b64encode(b"\n".join([first, salt, head])))
    yield "the salt changed", made(head=b"extra " + b64encode(re.sub(rb"(?<=/1\n)..", b"00", document, count=1)))
    yield "the data changed", Files(proof, data.replace(b"number", b"Number"), key)
    yield "the data of another event", Files(proof, other.data, key)
    yield "a line break after the data", Files(proof, data + b"\n", key)
    name, ident, public = key.split("+", 2)
    yield "a key of another name", Files(proof, data, f"other.example.org+{ident}+{public}")
    wrong = b64encode(b"\1" + bytes(range(32))).decode()
    yield "another key under the same id", Files(proof, data, f"{name}+{ident}+{wrong}")


def flipped(signatures: bytes) -> bytes:
    """Signature lines in which a bit of each signature is another one."""
    return _each(signatures, lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]))


def other_signature(signatures: bytes) -> bytes:
    """Signature lines of a key with another id."""
    return _each(signatures, lambda signature: bytes([signature[0] ^ 1]) + signature[1:])


def _each(signatures: bytes, change: Callable[[bytes], bytes]) -> bytes:
    lines = [line.rsplit(b" ", 1) for line in signatures.splitlines()]
    return b"".join(b"%b %b\n" % (start, b64encode(change(b64decode(text)))) for start, text in lines)


def not_canonical(text: bytes) -> bytes:
    """Base64 of the same 32 bytes, with other bits where no byte is."""
    return text[:-2] + bytes([ALPHABET[ALPHABET.index(text[-2]) + 1]]) + b"="
