"""Signing: the newest checkpoint gets its signature once the tree contains everything that was signed before.

Order: the tree is committed; the guard is asked; the checkpoint is signed; the guard gets the note; the database gets
it. A checkpoint that was signed before its tree was committed could be rolled back, and one that was published before
the guard had it could be forgotten. A kill between two steps repeats them: Ed25519 gives one text one signature.
"""

from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select, update

from core.errors import LedgerForkError
from core.ledger.checkpoints import Checkpoint, MalformedCheckpointError, parse_checkpoint
from core.ledger.notes import MalformedNoteError, parse_note
from core.ledger.tree import root
from core.ports.ledger import CheckpointGuard, CheckpointKeys
from core.stores.connections import open_connection, open_read_connection
from core.stores.ledger.stored_tree import full_subtrees
from core.stores.schema import ledger_checkpoints

_NEWEST: Final = (
    select(ledger_checkpoints.c.size, ledger_checkpoints.c.root, ledger_checkpoints.c.note)
    .order_by(ledger_checkpoints.c.size.desc())
    .limit(1)
)
_ANY_NOTE: Final = select(ledger_checkpoints.c.size).where(ledger_checkpoints.c.note.is_not(None)).limit(1)
_STORE_NOTE: Final = (
    update(ledger_checkpoints)
    .where(ledger_checkpoints.c.size == bindparam("signed_size"), ledger_checkpoints.c.root == bindparam("signed_root"))
    .values(note=bindparam("signed_note"))
)

_ACTION: Final = (
    " Nothing is signed. If the database was restored from a backup, restore a newer one; otherwise compare the "
    "checkpoints in DATA_DIR/ledger with the database: somebody may have changed its history."
)


class CheckpointSigner:
    """Signs the checkpoints of the ledger in one database."""

    def __init__(self, engine: Engine, keys: CheckpointKeys, guard: CheckpointGuard) -> None:
        self._engine = engine
        self._keys = keys
        self._guard = guard

    def sign(self) -> int | None:
        """Sign the newest checkpoint; return its size, or None if there is none without signature.

        Raises:
            LedgerForkError: the ledger does not contain the checkpoint signed before. Nothing was signed.
            GuardUnavailableError: the guard could not be asked; trying again later helps.
            StoreUnavailableError: the database could not; trying again later helps.
        """
        with open_read_connection(self._engine) as connection:
            newest = connection.execute(_NEWEST).one_or_none()
            if newest is None or newest.root is None:
                return None
            checkpoint = Checkpoint(self._keys.origin, newest.size, newest.root)
            last = self._guard.latest()
            self._check(connection, checkpoint, last)
        if newest.note is not None:
            return None
        note = self._keys.sign(checkpoint.text).to_bytes()
        if note != last:
            self._guard.advance(last, note)
        with open_connection(self._engine) as connection:
            stored = {"signed_size": newest.size, "signed_root": newest.root, "signed_note": note.decode()}
            connection.execute(_STORE_NOTE, stored)
            connection.commit()
        return checkpoint.size

    def _check(self, connection: Connection, checkpoint: Checkpoint, last: bytes | None) -> None:
        """Check a checkpoint against the entries, and that it continues the last one that was signed."""
        full_subtree = full_subtrees(connection)
        if root(checkpoint.size, full_subtree) != checkpoint.root:
            raise LedgerForkError(f"The newest checkpoint is not that of the entries.{_ACTION}")
        if last is None:
            if connection.execute(_ANY_NOTE).first() is not None:
                raise LedgerForkError(f"The guard has lost the checkpoints that were signed.{_ACTION}")
            return
        try:
            note = parse_note(last)
            before = parse_checkpoint(note.text)
        except (MalformedNoteError, MalformedCheckpointError):
            raise LedgerForkError(f"The last checkpoint in the guard is damaged.{_ACTION}") from None
        if before.origin != checkpoint.origin or not self._keys.signed(note):
            raise LedgerForkError(f"The last checkpoint in the guard is not of this ledger and its keys.{_ACTION}")
        if before.size > checkpoint.size:
            raise LedgerForkError(f"The ledger has lost entries that were signed.{_ACTION}")
        if root(before.size, full_subtree) != before.root:
            raise LedgerForkError(f"The ledger has other entries than those that were signed.{_ACTION}")
