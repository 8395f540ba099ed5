"""Export of the ledger as files: checkpoint, tiles and entries in the layout of C2SP tlog-tiles, for a static host."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from core.errors import AuditLogError
from core.ledger.checkpoints import MalformedCheckpointError, parse_checkpoint
from core.ledger.notes import MalformedNoteError, parse_note
from core.ledger.tiles import ENTRIES, TILE_WIDTH, Tile
from core.ledger.tree import NODE_HEIGHT
from core.ports.durable_files import PUBLIC, replace
from core.ports.ledger import LedgerProofs

_CHECKPOINT: Final = "checkpoint"
_TILES: Final = "tile"


class ExportError(AuditLogError):
    """The files cannot be written. The message says what to change."""


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield all bundles of entries and all tiles of a tree of `size` leaves, the last of each level partial."""
    level = 0
    while hashes := size >> NODE_HEIGHT * level:
        for name in (ENTRIES, level) if level == 0 else (level,):
            full, rest = divmod(hashes, TILE_WIDTH)
            yield from (Tile(name, number) for number in range(full))
            if rest:
                yield Tile(name, full, rest)
        level += 1


def export_ledger(proofs: LedgerProofs, directory: Path, progress: Callable[[int], None]) -> tuple[int, int]:
    """Write the files of the newest checkpoint; return its size and the number of new tiles.

    Each file is complete or absent, and the checkpoint is the last one. Tiles never change, so that those that exist
    stay, and an export that was interrupted continues. `progress` gets numbers of tiles.

    Raises:
        ExportError: the directory has another ledger, or cannot be written.
        ProofPendingError: no checkpoint is signed yet.
        StoreUnavailableError: trying again later continues.
    """
    checkpoint = proofs.checkpoint()
    written = 0
    try:
        _require_same_ledger(directory / _CHECKPOINT, checkpoint.note)
        for tile in tiles_of(checkpoint.size):
            file = directory / _TILES / tile.path
            if not file.exists():
                _write(file, proofs.tile(tile))
                written += 1
            progress(1)
        _write(directory / _CHECKPOINT, checkpoint.note)
    except OSError as exc:
        raise ExportError(f"{directory} cannot be written ({exc.strerror}): name another directory.") from None
    return checkpoint.size, written


def _require_same_ledger(file: Path, note: bytes) -> None:
    if not file.exists():
        return
    try:
        before, now = (parse_checkpoint(parse_note(each).text) for each in (file.read_bytes(), note))
    except (MalformedNoteError, MalformedCheckpointError):
        raise ExportError(f"{file} is not a checkpoint: export to another directory.") from None
    if before.origin != now.origin or before.size > now.size:
        raise ExportError(f"{file} is of another ledger, or of a later state of it: export to another directory.")


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, content, PUBLIC)
