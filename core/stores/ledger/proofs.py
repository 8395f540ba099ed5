"""Proofs of stored events, read from the ledger in the database of the events."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, Select, select

from core.domain.models import Event
from core.errors import EventErasedError, ProofNotFoundError, ProofPendingError
from core.ledger.checkpoints import parse_checkpoint
from core.ledger.entries import data_document, head_document, head_of
from core.ledger.notes import parse_note
from core.ledger.proof_files import consistency_file, proof_file
from core.ledger.tiles import ENTRIES, Tile, encode_bundle
from core.ledger.tree import consistency_proof, inclusion_proof
from core.ports.ledger import Erased, SealedEvent, SignedCheckpoint
from core.stores.connections import open_read_connection
from core.stores.dialects import dialect_of
from core.stores.ledger.identity import RETRY_AFTER_SECONDS, ledger_keys
from core.stores.ledger.stored_tree import full_subtrees, read_entries, read_tile
from core.stores.schema import erasures, events, ledger_batches, ledger_checkpoints, ledger_cosignatures
from core.stores.sealing import salts_of

_NOTES: Final = (
    select(ledger_checkpoints.c.note, ledger_cosignatures.c.lines)
    .outerjoin(ledger_cosignatures, ledger_cosignatures.c.size == ledger_checkpoints.c.size)
    .where(ledger_checkpoints.c.note.is_not(None))
)
_COSIGNED: Final = (
    select(ledger_checkpoints.c.note, ledger_cosignatures.c.lines)
    .join_from(ledger_cosignatures, ledger_checkpoints, ledger_cosignatures.c.size == ledger_checkpoints.c.size)
    .where(ledger_checkpoints.c.note.is_not(None))
    .order_by(ledger_cosignatures.c.size.desc())
    .limit(1)
)
_PENDING: Final = (
    "The event is stored, and no signed checkpoint covers it yet: try again in {seconds} seconds. If that does not "
    "help, /ready says why no checkpoint is signed."
)
_UNCOMMITTED: Final = "The event was stored without a commitment, such as with AUDIT_LOG_LEDGER=off: it has no proof."
_NO_CHECKPOINT: Final = "No checkpoint of the ledger is signed yet."
_NOT_COSIGNED: Final = "No checkpoint of the ledger is cosigned by enough witnesses yet."
_NOT_SIGNED: Final = "No signed checkpoint has this size."


class SqlProofs:
    """Implements `LedgerProofs`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)

    def find(self, event_id: str) -> SealedEvent | None:
        """See `LedgerProofs.find`."""
        return next(iter(self.find_all([event_id])), None)

    def find_all(self, event_ids: Sequence[str]) -> list[SealedEvent]:
        """See `LedgerProofs.find_all`."""
        query: Select[Any] = self._dialect.select_by_ids(event_ids)
        query = query.add_columns(events.c.salts, ledger_batches.c.first_index, events.c.place)
        query = query.add_columns(erasures.c.by_event, erasures.c.head_salt, erasures.c.data_digest)
        query = query.outerjoin(erasures, erasures.c.event_id == events.c.event_id)
        query = query.outerjoin(ledger_batches, ledger_batches.c.number == events.c.batch)
        with open_read_connection(self._engine) as connection:
            return [_sealed(row) for row in connection.execute(query).mappings()]

    def prove(self, sealed: SealedEvent, size: int | None = None) -> bytes:
        """See `LedgerProofs.prove`."""
        with open_read_connection(self._engine) as connection:
            return _Prover(connection, size).prove(sealed)

    def prove_all(self, sealed: Sequence[SealedEvent]) -> list[bytes | None]:
        """See `LedgerProofs.prove_all`."""
        with open_read_connection(self._engine) as connection:
            prover = _Prover(connection)
            return [prover.prove_if_possible(each) for each in sealed]

    def data(self, sealed: SealedEvent) -> bytes:
        """See `LedgerProofs.data`."""
        if sealed.erasure:
            raise EventErasedError("The data of the event was erased. A proof that was made before stays valid.")
        if sealed.salts is None:
            raise ProofNotFoundError(_UNCOMMITTED)
        return data_document(sealed.event.event_data, sealed.salts)

    def checkpoint(self, *, cosigned: bool = False) -> SignedCheckpoint:
        """See `LedgerProofs.checkpoint`."""
        with open_read_connection(self._engine) as connection:
            if cosigned:
                return _required(_cosigned(connection), _NOT_COSIGNED)
            return _required(_checkpoint(connection))

    def consistency(self, old: int, size: int | None = None) -> bytes:
        """See `LedgerProofs.consistency`."""
        with open_read_connection(self._engine) as connection:
            checkpoint = _required(_checkpoint(connection, size))
            if not 0 <= old <= checkpoint.size:
                raise ProofNotFoundError("The ledger has no entries, or fewer than this number.")
            path = consistency_proof(old, checkpoint.size, full_subtrees(connection)) if old else []
        return consistency_file(old, path, checkpoint.note)

    def tile(self, tile: Tile) -> bytes:
        """See `LedgerProofs.tile`."""
        with open_read_connection(self._engine) as connection:
            checkpoint = _checkpoint(connection)
            if checkpoint is None or not tile.is_in(checkpoint.size):
                raise ProofNotFoundError("The signed part of the ledger does not have this tile.")
            if tile.level == ENTRIES:
                start = tile.number * Tile(0, 0).width
                return encode_bundle(read_entries(connection, start, start + tile.width))
            return b"".join(read_tile(connection, int(tile.level), tile.number, tile.width))

    def policy(self) -> bytes:
        """See `LedgerProofs.policy`."""
        return "".join([*(f"log {key}\n" for key in ledger_keys(self._engine)), "quorum none\n"]).encode()


class _Prover:
    """Proves events under one state of the ledger, whose checkpoints and tiles it reads once."""

    def __init__(self, connection: Connection, size: int | None = None) -> None:
        self._size = size
        self._checkpoint = _checkpoint(connection, size)
        self._cosigned = _cosigned(connection) if size is None else None
        self._subtrees = full_subtrees(connection)

    def prove(self, sealed: SealedEvent) -> bytes:
        head = _head(sealed)
        checkpoint = self._cosigned if self._cosigned and _covers(self._cosigned, sealed) else self._checkpoint
        if checkpoint is None and self._size is not None:
            raise ProofNotFoundError(_NOT_SIGNED)
        if checkpoint is None or sealed.index is None or (self._size is None and sealed.index >= checkpoint.size):
            raise ProofPendingError(_PENDING.format(seconds=RETRY_AFTER_SECONDS), RETRY_AFTER_SECONDS)
        if sealed.index >= checkpoint.size:
            raise ProofNotFoundError("The checkpoint of this size is older than the event.")
        path = inclusion_proof(sealed.index, checkpoint.size, self._subtrees)
        return proof_file(sealed.index, path, checkpoint.note, head)

    def prove_if_possible(self, sealed: SealedEvent) -> bytes | None:
        try:
            return self.prove(sealed)
        except ProofPendingError:
            raise
        except ProofNotFoundError:
            return None


def _sealed(row: RowMapping) -> SealedEvent:
    event = Event.model_construct(**{name: row[name] for name in Event.model_fields})
    salts = None if row["salts"] is None else salts_of(row["salts"])
    index = None if row["first_index"] is None else row["first_index"] + row["place"]
    erasure = None if row["by_event"] is None else Erased(row["head_salt"], row["data_digest"])
    return SealedEvent(event, salts, index, erasure)


def _head(sealed: SealedEvent) -> bytes:
    erasure = sealed.erasure
    if erasure and erasure.head_salt is not None and erasure.data_digest is not None:
        return head_of(sealed.event, erasure.head_salt, erasure.data_digest)
    if erasure:
        raise EventErasedError("The event was erased as a whole. A proof that was made before stays valid.")
    if sealed.salts is None:
        raise ProofNotFoundError(_UNCOMMITTED)
    return head_document(sealed.event, sealed.salts)


def _covers(checkpoint: SignedCheckpoint, sealed: SealedEvent) -> bool:
    return sealed.index is not None and sealed.index < checkpoint.size


def _required(checkpoint: SignedCheckpoint | None, otherwise: str = _NO_CHECKPOINT) -> SignedCheckpoint:
    if checkpoint is None:
        raise ProofPendingError(otherwise, RETRY_AFTER_SECONDS)
    return checkpoint


def _checkpoint(connection: Connection, size: int | None = None) -> SignedCheckpoint | None:
    """Return the newest signed checkpoint, or the one of this size, with its cosignatures."""
    query = _NOTES.order_by(ledger_checkpoints.c.size.desc()).limit(1)
    if size is not None:
        query = _NOTES.where(ledger_checkpoints.c.size == size)
    return _signed(connection, query)


def _cosigned(connection: Connection) -> SignedCheckpoint | None:
    """Return the newest checkpoint that enough witnesses cosigned, with their signatures."""
    return _signed(connection, _COSIGNED)


def _signed(connection: Connection, query: Select[Any]) -> SignedCheckpoint | None:
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    note = f"{row.note}{row.lines or ''}".encode()
    return SignedCheckpoint(parse_checkpoint(parse_note(note).text).size, note)
