"""Programs of other authors verify cases: `build/verifiers/bin/python tests/verifiers/outside.py < cases.json`.

Runs in an environment without this service. A case is a folder with `proof`, and `data` or not, or with `old`, a former
checkpoint, and `consistency`. Prints a JSON object: by case and by program an empty text, or why it is refused.
"""

import contextlib
import io
import json
import sys
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import gmtime, strftime
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from proofbundle.cli import main as proofbundle
from rekor_verifier.merkle_proof import DEFAULT_HASHER, verify_consistency
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
from sigstore.errors import VerificationError

Program = Callable[[Path, str, str], None]
"""Raises an error for a case, given its folder, key and event id, that the program refuses."""


class Keyring:
    """The key of the ledger, as sigstore asks for it."""

    def __init__(self, key: str) -> None:
        name, ident, public = key.split("+", 2)
        self.name, self.ident = name, bytes.fromhex(ident)
        self._key = Ed25519PublicKey.from_public_bytes(b64decode(public)[1:])

    def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
        """Raise VerificationError for a wrong signature."""
        if key_id != self.ident:
            raise VerificationError("another key")
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            raise VerificationError("the signature is wrong") from None


def read_checkpoint(text: str, keyring: Keyring) -> SignedCheckpoint:
    """A checkpoint that the key signed, by sigstore."""
    checkpoint = SignedCheckpoint.from_text(text)
    checkpoint.signed_note.verify(keyring, keyring.ident)
    if checkpoint.checkpoint.origin != keyring.name:
        raise VerificationError("another ledger")
    return checkpoint


def entry_of(folder: Path, event_id: str) -> bytes:
    """The entry that the documents have, which a reader makes by hand before asking a program for it."""
    line = next(line for line in (folder / "proof").read_text().split("\n") if line.startswith("extra "))
    document = b64decode(line.removeprefix("extra "))
    head = json.loads(document.split(b"\n", 2)[2])
    if head["event_id"] != event_id:
        raise VerificationError("another event")
    data = folder / "data"
    if data.exists() and sha256(data.read_bytes()).hexdigest() != head["data"]:
        raise VerificationError("other data")
    month = strftime("%Y-%m", gmtime(head["timestamp_utc"]))
    return f"audit-log.event/1 {month} {sha256(document).hexdigest()}\n".encode()


def by_sigstore(folder: Path, key: str, event_id: str) -> None:
    """Signature, root and path."""
    proof, _, checkpoint = (folder / "proof").read_bytes().decode().partition("\n\n")
    version, _extra, index, *hashes = proof.split("\n")
    if version != "c2sp.org/tlog-proof@v1":
        raise VerificationError("no proof")
    keyring = Keyring(key)
    read = read_checkpoint(checkpoint, keyring).checkpoint
    inclusion = SimpleNamespace(
        log_index=int(index.removeprefix("index ")),
        tree_size=read.log_size,
        hashes=[b64decode(text) for text in hashes],
        root_hash=bytes.fromhex(read.log_hash),
        checkpoint=SimpleNamespace(envelope=checkpoint),
    )
    body = entry_of(folder, event_id)
    entry = SimpleNamespace(
        _inner=SimpleNamespace(
            inclusion_proof=inclusion, canonicalized_body=body, log_id=SimpleNamespace(key_id=keyring.ident)
        )
    )
    if not 0 <= inclusion.log_index < inclusion.tree_size:
        raise VerificationError("an index beyond the tree")
    verify_merkle_inclusion(entry)
    verify_checkpoint(keyring, entry)


def by_proofbundle(folder: Path, key: str, event_id: str) -> None:
    """The command, with the entry in a file."""
    (folder / "entry").write_bytes(entry_of(folder, event_id))
    command = ["verify-proof", str(folder / "proof"), "--payload-file", str(folder / "entry"), "--log-vkey", key]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = proofbundle([*command, "--expected-origin", key.partition("+")[0]])
    if status:
        raise VerificationError(output.getvalue())


def by_rekor_verifier(folder: Path, key: str, event_id: str) -> None:  # noqa: ARG001 - a `Program`
    """Consistency of a former checkpoint with the one of the proof."""
    keyring = Keyring(key)
    old = read_checkpoint((folder / "old").read_text(), keyring).checkpoint
    proof, _, checkpoint = (folder / "consistency").read_text().partition("\n\n")
    size, *hashes = proof.split("\n")
    new = read_checkpoint(checkpoint, keyring).checkpoint
    if size != f"old {old.log_size}":
        raise VerificationError("another former size")
    proofs = [b64decode(text).hex() for text in hashes]
    verify_consistency(DEFAULT_HASHER, old.log_size, new.log_size, proofs, old.log_hash, new.log_hash)


def verdict(program: Program, case: dict[str, str]) -> str:
    """An empty text, or why a program refuses the case."""
    try:
        program(Path(case["folder"]), case["key"], case["event_id"])
    except Exception as exc:  # noqa: BLE001 - whatever a program of others raises
        return f"{type(exc).__name__}: {exc}"[:200]
    except SystemExit as exc:
        return f"status {exc.code}"
    return ""


def main() -> None:
    """Verify the cases of standard input."""
    result = {}
    for case in json.load(sys.stdin):
        programs: dict[str, Program] = {"sigstore": by_sigstore, "proofbundle": by_proofbundle}
        if (Path(case["folder"]) / "consistency").exists():
            programs = {"rekor-verifier": by_rekor_verifier}
        result[case["folder"]] = {name: verdict(program, case) for name, program in programs.items()}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
