"""The stored tree, signing and proofs, on every database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, select, update

from audit_log_client.ledger import policy_of_key, verify_consistency, verify_event
from core.errors import LedgerForkError, ProofNotFoundError, ProofPendingError
from core.ledger.checkpoints import parse_checkpoint
from core.ledger.keys import LedgerKeys
from core.ledger.notes import parse_note
from core.ledger.tiles import ENTRIES, Tile
from core.ledger.tree import leaf_hash
from core.stores.engine import open_engine
from core.stores.ledger import adoption
from core.stores.ledger.adoption import Adoption
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.integration import Ledger
from core.stores.ledger.proofs import SqlProofs
from core.stores.ledger.signing import CheckpointSigner
from core.stores.ledger.stored_tree import StoredTree
from core.stores.schema import ledger_batches, ledger_checkpoints, ledger_nodes
from core.stores.sql import SqlEventStore
from tests.support.builders import event
from tests.support.ledger import batches, indices
from tests.unit.ledger.trees import Tree

KEYS = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
POLICY = policy_of_key(KEYS.verifier_keys[0])
SIZES = (1, 254, 3, 400, 7)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, StoredTree())


@pytest.fixture
def signer(engine: Engine, tmp_path: Path) -> CheckpointSigner:
    return CheckpointSigner(engine, KEYS, FileGuard(tmp_path / "ledger"))


@pytest.fixture
def proofs(engine: Engine) -> SqlProofs:
    return SqlProofs(engine)


@pytest.fixture
def grow(sql_store: SqlEventStore, ledger: Ledger) -> Callable[[int], None]:
    """Store so many new events, and give them indices."""
    stored = 0

    def more(count: int) -> None:
        nonlocal stored
        sql_store.add([event(stored + number) for number in range(count)])
        stored += count
        assert ledger.integrate() == count

    return more


def reference(engine: Engine) -> Tree:
    """The tree over the leaves in the order of their indices, by the definition."""
    tree = Tree(0)
    for batch in batches(engine):
        for month, commitment in zip(batch.months, batch.commitments, strict=True):
            year, number = divmod(month, 12)
            text = f"audit-log.event/1 {1970 + year}-{number + 1:02} {commitment.hex()}\n"
            tree.leaves.append(leaf_hash(text.encode()))
    return tree


def test_every_stored_event_of_every_round_is_proven(
    engine: Engine, signer: CheckpointSigner, proofs: SqlProofs, grow: Callable[[int], None]
) -> None:
    sizes, old = [], None
    for count in SIZES:
        grow(count)
        sizes.append(signer.sign())
        if old is not None:
            consistency = proofs.consistency(parse_checkpoint(parse_note(old).text).size)
            assert verify_consistency(old, consistency, POLICY)[1].size == sizes[-1]
        old = proofs.checkpoint().note
    assert sizes == [sum(SIZES[: place + 1]) for place in range(len(SIZES))]
    tree = reference(engine)
    with engine.connect() as connection:
        for size, root in connection.execute(select(ledger_checkpoints.c.size, ledger_checkpoints.c.root)):
            assert root == tree.root(size)
        nodes = {(row.height, row.number): row.hash for row in connection.execute(select(ledger_nodes))}
    assert nodes == {(8, number): tree.full_subtree(8, number) for number in (0, 1)}
    for event_id, index in indices(engine).items():
        if index % 50 and index < sum(SIZES) - 3:
            continue
        sealed = proofs.find(event_id)
        assert sealed is not None
        proven = verify_event(proofs.prove(sealed), POLICY, data=proofs.data(sealed), event_id=event_id)
        assert (proven.index, proven.event_data) == (index, sealed.event.event_data)
        older = proofs.prove(sealed, sum(SIZES[:4])) if index < sum(SIZES[:4]) else proofs.prove(sealed, sum(SIZES))
        assert verify_event(older, POLICY).index == index


def test_tiles_and_bundles_are_those_of_the_tree(
    engine: Engine, signer: CheckpointSigner, proofs: SqlProofs, grow: Callable[[int], None]
) -> None:
    grow(300)
    grow(300)
    signer.sign()
    tree = reference(engine)
    assert proofs.tile(Tile(0, 1)) == b"".join(tree.read_tile(0, 1, 256))
    assert proofs.tile(Tile(0, 2, 88)) == b"".join(tree.read_tile(0, 2, 88))
    assert proofs.tile(Tile(0, 2, 5)) == b"".join(tree.read_tile(0, 2, 5))
    assert proofs.tile(Tile(1, 0, 2)) == b"".join(tree.read_tile(1, 0, 2))
    bundle = proofs.tile(Tile(ENTRIES, 2, 88))
    entries = [bundle[start + 2 : start + 93] for start in range(0, len(bundle), 93)]
    assert [leaf_hash(each) for each in entries] == tree.leaves[512:600]
    assert {bundle[start : start + 2] for start in range(0, len(bundle), 93)} == {(91).to_bytes(2, "big")}
    for missing in (Tile(0, 2), Tile(0, 2, 89), Tile(0, 3, 1), Tile(1, 0, 3), Tile(2, 0, 1), Tile(ENTRIES, 2)):
        with pytest.raises(ProofNotFoundError):
            proofs.tile(missing)


def test_a_proof_waits_for_index_and_signature(
    sql_store: SqlEventStore, ledger: Ledger, signer: CheckpointSigner, proofs: SqlProofs
) -> None:
    sql_store.add([event(1)])
    for step in (ledger.integrate, signer.sign):
        sealed = proofs.find(event(1).event_id)
        assert sealed is not None
        with pytest.raises(ProofPendingError):
            proofs.prove(sealed)
        with pytest.raises(ProofPendingError):
            proofs.checkpoint()
        assert step() == 1
    sealed = proofs.find(event(1).event_id)
    assert sealed is not None
    assert verify_event(proofs.prove(sealed), POLICY).checkpoint.size == 1
    with pytest.raises(ProofNotFoundError, match="No signed checkpoint has this size"):
        proofs.prove(sealed, 2)
    assert signer.sign() is None
    assert proofs.find(event(2).event_id) is None


def test_only_new_states_are_signed_and_each_stays_in_the_guard(
    signer: CheckpointSigner, tmp_path: Path, grow: Callable[[int], None]
) -> None:
    assert signer.sign() is None
    for count in (3, 4):
        grow(count)
        assert signer.sign()
        assert signer.sign() is None
    history = (tmp_path / "ledger" / "checkpoints").read_text()
    assert [line for line in history.split("\n") if line.isdigit()] == ["3", "7"]
    assert history.endswith((tmp_path / "ledger" / "last").read_text())


def test_a_kill_after_the_guard_has_the_note_repeats_the_same_note(
    engine: Engine, signer: CheckpointSigner, proofs: SqlProofs, grow: Callable[[int], None], tmp_path: Path
) -> None:
    grow(3)
    signer.sign()
    note = proofs.checkpoint().note
    with engine.begin() as connection:
        connection.execute(update(ledger_checkpoints).values(note=None))
    assert signer.sign() == 3
    assert proofs.checkpoint().note == note == (tmp_path / "ledger" / "checkpoints").read_bytes()


@pytest.mark.parametrize("attack", ["lost", "changed", "root", "node", "guard lost", "guard damaged", "other key"])
def test_a_ledger_that_does_not_contain_what_was_signed_is_not_signed(  # noqa: PLR0917
    attack: str,
    engine: Engine,
    sql_store: SqlEventStore,
    ledger: Ledger,
    signer: CheckpointSigner,
    grow: Callable[[int], None],
    tmp_path: Path,
) -> None:
    grow(600)
    signer.sign()
    last = tmp_path / "ledger" / "last"
    before = last.read_bytes()
    with engine.begin() as connection:
        if attack == "lost":  # a restored backup, that grows to the same size with other events
            for table in (ledger_batches, ledger_checkpoints, ledger_nodes):
                connection.execute(delete(table))
        elif attack == "changed":
            connection.execute(update(ledger_batches).values(commitments=bytes(32 * 600)))
        elif attack == "node":
            connection.execute(update(ledger_nodes).where(ledger_nodes.c.number == 1).values(hash=bytes(32)))
    if attack == "guard lost":
        last.unlink()
    elif attack == "guard damaged":
        last.write_bytes(before[:-5])
    elif attack == "other key":
        keys = LedgerKeys(KEYS.origin, [Ed25519PrivateKey.from_private_bytes(bytes(32))])
        signer = CheckpointSigner(engine, keys, FileGuard(tmp_path / "ledger"))
    sql_store.add([event(1000 + number) for number in range(600 if attack == "lost" else 1)])
    assert ledger.integrate()
    if attack == "root":
        with engine.begin() as connection:
            connection.execute(update(ledger_checkpoints).values(root=bytes(32)))
    in_guard = last.exists() and last.read_bytes()
    with pytest.raises(LedgerForkError, match="Nothing is signed"):
        signer.sign()
    assert (last.exists() and last.read_bytes()) == in_guard


def test_a_backup_from_before_the_last_signature_is_not_signed(
    engine: Engine, signer: CheckpointSigner, grow: Callable[[int], None]
) -> None:
    grow(3)
    signer.sign()
    grow(3)
    signer.sign()
    with engine.begin() as connection:
        connection.execute(delete(ledger_checkpoints).where(ledger_checkpoints.c.size == 6))
        connection.execute(update(ledger_batches).where(ledger_batches.c.first_index == 3).values(first_index=None))
    with pytest.raises(LedgerForkError, match="lost entries that were signed"):
        signer.sign()


def test_an_event_that_was_stored_without_commitment_has_no_proof(
    sql_store: SqlEventStore, engine: Engine, proofs: SqlProofs
) -> None:
    sql_store.add([event(1)])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET salts = NULL")
    sealed = proofs.find(event(1).event_id)
    assert sealed is not None
    for ask in (proofs.prove, proofs.data):
        with pytest.raises(ProofNotFoundError, match="without a commitment"):
            ask(sealed)


@pytest.mark.usefixtures("sql_store")
def test_events_that_were_stored_without_commitments_are_adopted(
    engine: Engine, ledger: Ledger, signer: CheckpointSigner, proofs: SqlProofs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "_LEAVES", 256)
    without = open_engine(engine.url.render_as_string(hide_password=False), with_commitments=False)
    SqlEventStore(without).add([event(number) for number in range(300)])
    Ledger(without).integrate()  # as a version with AUDIT_LOG_LEDGER=off does
    SqlEventStore(without).add([event(number) for number in range(300, 310)])
    without.dispose()
    SqlEventStore(engine).add([event(number) for number in range(310, 700)])
    assert ledger.integrate() == 400  # the order continues without a root
    assert signer.sign() is None
    assert adopt(engine) == [True, True, False]
    assert signer.sign() == 700
    SqlEventStore(engine).add([event(700)])
    assert ledger.integrate() == 1
    assert adopt(engine) == [False]
    assert signer.sign() == 701
    with engine.connect() as connection:
        assert connection.scalar(select(ledger_checkpoints.c.root).where(ledger_checkpoints.c.size == 701)) == (
            reference(engine).root(701)
        )
    for number in (0, 299, 305, 310, 700):
        sealed = proofs.find(event(number).event_id)
        assert sealed is not None
        proven = verify_event(proofs.prove(sealed), POLICY, data=proofs.data(sealed))
        assert proven.event_data == {"number": number}


def adopt(engine: Engine) -> list[bool]:
    """What each round of adoption returned."""
    rounds = [Adoption(engine).proceed()]
    while rounds[-1]:
        rounds.append(Adoption(engine).proceed())
    return rounds
