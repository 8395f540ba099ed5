"""Ports of the ledger: proofs of stored events, and a memory of signed checkpoints outside of the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.domain.models import Event
from core.ledger.notes import Note
from core.ledger.tiles import Tile


class SignedCheckpoint(NamedTuple):
    """A checkpoint as a signed note, and the number of entries that it covers."""

    size: int
    note: bytes


class Erased(NamedTuple):
    """The rest that an erasure of an event leaves. None twice if it was erased as a whole."""

    head_salt: bytes | None
    data_digest: bytes | None
    """SHA-256 of the data document."""


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """A stored event with the salts that open its commitment, and its index in the ledger."""

    event: Event
    salts: bytes | None
    """None if the event was stored without a commitment."""
    index: int | None
    """None until a round of integration after the event was stored."""
    erasure: Erased | None = None
    """The rest that an erasure left, if the event was erased."""


class LedgerProofs(Protocol):
    """Makes proofs of events.

    Every method raises StoreUnavailableError if the database is unreachable; trying again later helps.
    """

    def find(self, event_id: str) -> SealedEvent | None:
        """Return the event with this id, a UUID in lower case; None if it is not stored."""

    def find_all(self, event_ids: Sequence[str]) -> list[SealedEvent]:
        """Return those of the events with these ids that are stored, in any order. At most some hundred ids."""

    def prove(self, sealed: SealedEvent, size: int | None = None) -> bytes:
        """Return the proof file of an event (C2SP tlog-proof) under the checkpoint of `size`.

        Without `size` it is the newest one that witnesses cosigned, or if that does not cover the event, the newest.

        Raises:
            ProofPendingError: no signed checkpoint covers the event yet.
            ProofNotFoundError: the event has no commitment, or there is no such checkpoint, or it does not cover it.
            EventErasedError: the event was erased as a whole.
        """

    def prove_all(self, sealed: Sequence[SealedEvent]) -> list[bytes | None]:
        """Return what `prove` returns for each, or None for one that it raises ProofNotFoundError for.

        Takes a fraction of the time, since events that were stored together share hashes.

        Raises:
            ProofPendingError: no signed checkpoint covers an event yet.
        """

    def data(self, sealed: SealedEvent) -> bytes:
        """Return the data document of an event.

        Raises:
            ProofNotFoundError: the event has no commitment.
            EventErasedError: its data was erased.
        """

    def checkpoint(self, *, cosigned: bool = False) -> SignedCheckpoint:
        """Return the newest signed checkpoint, or the newest that enough witnesses cosigned.

        Raises:
            ProofPendingError: there is none yet.
        """

    def consistency(self, old: int, size: int | None = None) -> bytes:
        """Return the proof that the first `old` entries are the beginning of the checkpoint of `size`, or the newest.

        From 0 entries there is nothing to prove, and the proof has no hashes.

        Raises:
            ProofPendingError: the checkpoint is not signed yet.
            ProofNotFoundError: `old` is more than the checkpoint covers.
        """

    def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile or of a bundle of entries.

        Raises:
            ProofNotFoundError: the newest signed checkpoint does not cover all of it.
        """

    def policy(self) -> bytes:
        """Return the public keys of the ledger (C2SP tlog-policy).

        Raises:
            ProofPendingError: no process has signed with a key yet.
        """


class EventOrder(Protocol):
    """Gives stored events their indices in the ledger."""

    def integrate(self) -> int:
        """Give some of the events that have none their indices; return the number of events.

        Raises:
            StoreUnavailableError: no event got one; trying again later helps.
        """

    def check(self) -> dict[str, object]:
        """Implement `Check`: events get their indices in time.

        Raises:
            StoreUnavailableError: they do not, or the database is unreachable.
        """


class CheckpointKeys(Protocol):
    """Signs the checkpoints of one ledger, and recognizes them."""

    origin: str
    """Name of the ledger and of its keys."""

    @property
    def public_keys(self) -> dict[bytes, bytes]:
        """Public keys by their key ids."""

    def sign(self, text: str) -> Note:
        """Sign the text of a checkpoint with each key; one text always gets the same signatures."""

    def signed(self, note: Note) -> bool:
        """Whether one of the keys signed the note, and no signature in their names is wrong."""


class CheckpointGuard(Protocol):
    """Remembers the last signed checkpoint outside of the database, whose history someone may change or restore."""

    def latest(self) -> bytes | None:
        """Return the last checkpoint, a signed note; None if none was signed.

        Raises:
            GuardUnavailableError: the guard cannot be read.
        """

    def advance(self, expected: bytes | None, note: bytes) -> None:
        """Replace the last checkpoint, which must be `expected`, by `note`, durably.

        Raises:
            GuardUnavailableError: the guard cannot be written, or another process advanced it meanwhile.
        """
