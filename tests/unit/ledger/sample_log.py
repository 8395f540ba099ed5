"""A small log of events, with its proofs as the service makes them."""

from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.domain.models import Event
from core.ledger.checkpoints import Checkpoint
from core.ledger.entries import commitment_of, data_document, entry, head_document, month_of
from core.ledger.keys import LedgerKeys
from core.ledger.notes import Note, Signature, key_id
from core.ledger.proof_files import consistency_file, proof_file
from core.ledger.tree import consistency_proof, inclusion_proof, leaf_hash
from tests.support.builders import event
from tests.unit.ledger.trees import Tree

ORIGIN = "audit.example.org/ledger"


def private_key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))


class SampleLog:
    """A log of `size` events. `seed` makes its key, and `salt` its salts."""

    def __init__(self, size: int = 11, *, origin: str = ORIGIN, seed: int = 1, salt: int = 7) -> None:
        self.events = [event(number, event_data={"number": number, "é": "\u2028"}) for number in range(size)]
        self.salts = bytes([salt] * 32)
        self.keys = LedgerKeys(origin, [private_key(seed)])
        self.vkey = self.keys.verifier_keys[0]

    @cached_property
    def tree(self) -> Tree:
        tree = Tree(len(self.events))
        entries = [entry(month_of(each.timestamp_utc), commitment_of(each, self.salts)) for each in self.events]
        tree.leaves = list(map(leaf_hash, entries))
        return tree

    def checkpoint(self, size: int | None = None) -> Note:
        size = len(self.events) if size is None else size
        return self.keys.sign(Checkpoint(self.keys.origin, size, self.tree.root(size)).text)

    def proof(self, index: int, size: int | None = None) -> bytes:
        size = len(self.events) if size is None else size
        path = inclusion_proof(index, size, self.tree.full_subtree)
        return proof_file(index, path, self.checkpoint(size).to_bytes(), head_document(self.events[index], self.salts))

    def consistency(self, old: int, new: int | None = None) -> bytes:
        new = len(self.events) if new is None else new
        return consistency_file(
            old, consistency_proof(old, new, self.tree.full_subtree), self.checkpoint(new).to_bytes()
        )

    def data(self, index: int) -> bytes:
        return data_document(self.event(index).event_data, self.salts)

    def event(self, index: int) -> Event:
        return self.events[index]


def cosigned(note: Note, name: str, key: Ed25519PrivateKey, time: int = 1_769_860_800) -> Note:
    """The note with the cosignature of a witness (C2SP tlog-cosignature)."""
    ident = key_id(name, 4, key.public_key().public_bytes_raw())
    made = key.sign(f"cosignature/v1\ntime {time}\n{note.text}".encode())
    signature = Signature(name, ident, time.to_bytes(8, "big") + made)
    return note._replace(signatures=(*note.signatures, signature))
