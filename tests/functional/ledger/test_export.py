"""`audit-log ledger export`: the files from which a reader rebuilds the tree."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.ledger.checkpoints import parse_checkpoint
from core.ledger.keys import LedgerKeys
from core.ledger.notes import parse_note
from core.ledger.tree import leaf_hash
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.integration import Ledger
from core.stores.ledger.proofs import SqlProofs
from core.stores.ledger.signing import CheckpointSigner
from core.stores.ledger.stored_tree import StoredTree
from core.stores.sql import SqlEventStore
from local_runner.cli.ledger_export import ExportError, export_ledger, tiles_of
from tests.support.builders import event
from tests.unit.ledger.trees import Tree

KEYS = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.generate()])


class Exported:
    """A signed ledger that grows, and its export."""

    def __init__(self, store: SqlEventStore, folder: Path) -> None:
        self.engine = store._engine  # noqa: SLF001 - a store shows it to no other code
        self.store = store
        self.folder = folder
        self.directory = folder / "public"
        self.stored = 0
        fix_origin(self.engine, KEYS.origin, "")
        publish_keys(self.engine, KEYS)

    def grow(self, count: int) -> None:
        self.store.add([event(self.stored + number) for number in range(count)])
        self.stored += count
        Ledger(self.engine, StoredTree()).integrate()
        CheckpointSigner(self.engine, KEYS, FileGuard(self.folder / "guard")).sign()

    def export(self) -> int:
        return export_ledger(SqlProofs(self.engine), self.directory, lambda _: None)[1]

    def files(self) -> set[str]:
        return {str(each.relative_to(self.directory)) for each in self.directory.rglob("*") if each.is_file()}


@pytest.fixture
def exported(sqlite_store: SqlEventStore, tmp_path: Path) -> Exported:
    return Exported(sqlite_store, tmp_path)


def test_the_entries_of_the_files_have_the_root_of_the_checkpoint(exported: Exported) -> None:
    exported.grow(600)
    assert exported.export() == 7
    assert exported.files() == {
        "checkpoint", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88",
        "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
    }  # fmt: skip
    checkpoint = parse_checkpoint(parse_note((exported.directory / "checkpoint").read_bytes()).text)
    tree = Tree(0)
    for name in ("000", "001", "002.p/88"):
        bundle = (exported.directory / "tile" / "entries" / name).read_bytes()
        while bundle:
            size = int.from_bytes(bundle[:2], "big")
            tree.leaves.append(leaf_hash(bundle[2 : 2 + size]))
            bundle = bundle[2 + size :]
    assert (checkpoint.size, checkpoint.root) == (600, tree.root(600))


def test_a_further_export_adds_what_is_missing(exported: Exported) -> None:
    exported.grow(600)
    exported.export()
    assert exported.export() == 0
    (exported.directory / "tile" / "0" / "001").unlink()
    assert exported.export() == 1
    exported.grow(1)
    assert exported.export() == 2, "the partial tiles of the larger size"


def test_the_directory_of_another_ledger_is_left_alone(exported: Exported) -> None:
    exported.grow(1)
    exported.directory.mkdir()
    other = LedgerKeys("other.example.org", [Ed25519PrivateKey.generate()])
    note = other.sign("other.example.org\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").to_bytes()
    for content, reason in ((note, "another ledger"), (b"text", "not a checkpoint")):
        (exported.directory / "checkpoint").write_bytes(content)
        with pytest.raises(ExportError, match=reason):
            exported.export()
        assert exported.files() == {"checkpoint"}


def test_a_directory_that_cannot_be_written_is_named(exported: Exported) -> None:
    exported.grow(1)
    exported.directory.write_text("a file")
    with pytest.raises(ExportError, match="cannot be written"):
        exported.export()


def test_a_ledger_of_every_size_has_tiles_up_to_its_root() -> None:
    assert [tile.path for tile in tiles_of(0)] == []
    assert [tile.path for tile in tiles_of(256)] == ["entries/000", "0/000", "1/000.p/1"]
    assert len(list(tiles_of(65_536))) == 256 * 2 + 1 + 1
