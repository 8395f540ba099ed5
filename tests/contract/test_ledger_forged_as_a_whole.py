"""An intruder with the database, the signing key and the guard: the ledger is forged without a trace in any of them.

Then only those outside see it: who holds a proof or a checkpoint from before, and a witness.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from audit_log_client.ledger import NotProvenError, Policy, parse_policy, verify_consistency, verify_event
from audit_log_client.ledger.notes import parse_key
from core.domain.models import Event
from core.errors import LedgerForkError
from core.ledger.cosigning import Cosigner
from core.ledger.keys import LedgerKeys
from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.integration import Ledger
from core.stores.ledger.proofs import SqlProofs
from core.stores.ledger.signing import CheckpointSigner
from core.stores.ledger.stored_tree import StoredTree
from core.stores.sql import SqlEventStore
from local_runner.background.witness.cosigning import Witness
from tests.support import databases
from tests.support.builders import event

KEYS = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
COSIGNER = Cosigner("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
TRUE = [event(number) for number in range(300)]
FORGED = [event(number, event_data={"number": 6}) if number == 5 else event(number) for number in range(300)]
EVENT_ID = event(5).event_id


class Kept(NamedTuple):
    """What someone outside has kept of the true ledger."""

    policy: Policy
    checkpoint: bytes
    proof: bytes
    data: bytes


def sign(store: SqlEventStore, engine: Engine, events: Sequence[Event], guard: FileGuard) -> None:
    fix_origin(engine, KEYS.origin, "")
    publish_keys(engine, KEYS)
    store.add(events)
    Ledger(engine, StoredTree()).integrate()
    CheckpointSigner(engine, KEYS, guard).sign()


def prove(engine: Engine) -> tuple[bytes, bytes]:
    proofs = SqlProofs(engine)
    sealed = proofs.find(EVENT_ID)
    assert sealed is not None
    return proofs.prove(sealed), proofs.data(sealed)


@pytest.fixture
def kept(sql_store: SqlEventStore, engine: Engine, tmp_path: Path) -> Kept:
    sign(sql_store, engine, TRUE, FileGuard(tmp_path / "guard"))
    proofs = SqlProofs(engine)
    return Kept(parse_policy(proofs.policy()), proofs.checkpoint().note, *prove(engine))


@pytest.fixture
def witness(kept: Kept, tmp_path: Path) -> Witness:
    """Has cosigned the checkpoint of the true ledger."""
    made = Witness(COSIGNER, [parse_key(KEYS.verifier_keys[0])], tmp_path / "witness")
    assert made.add_checkpoint(b"old 0\n\n" + kept.checkpoint).status == 200
    return made


@pytest.fixture
def forged(kept: Kept, sql_store: SqlEventStore, engine: Engine, tmp_path: Path) -> SqlProofs:
    """The proofs of a ledger in which one event has other data, written again and signed with the true key."""
    assert kept.checkpoint
    databases.empty(engine)
    guard = FileGuard(tmp_path / "new guard")
    sign(sql_store, engine, FORGED, guard)
    report = check_ledger(engine, last_note=guard.latest())
    assert (report.is_whole, report.size) == (True, 300)  # it is a ledger like any other
    return SqlProofs(engine)


@pytest.fixture
def grow(sql_store: SqlEventStore, engine: Engine, tmp_path: Path) -> Callable[[], None]:
    """Adds ten events to the forged ledger, and signs it."""
    more = [event(number) for number in range(300, 310)]
    return partial(sign, sql_store, engine, more, FileGuard(tmp_path / "new guard"))


def test_a_kept_checkpoint_is_not_the_beginning_of_a_forged_ledger(
    kept: Kept, forged: SqlProofs, grow: Callable[[], None]
) -> None:
    with pytest.raises(NotProvenError):
        verify_consistency(kept.checkpoint, forged.consistency(300), kept.policy)
    grow()
    with pytest.raises(NotProvenError):
        verify_consistency(kept.checkpoint, forged.consistency(300), kept.policy)


def test_a_kept_proof_proves_what_was_recorded_and_not_what_was_forged(
    kept: Kept, forged: SqlProofs, engine: Engine
) -> None:
    proof, data = prove(engine)
    assert forged.checkpoint().note != kept.checkpoint
    assert verify_event(kept.proof, kept.policy, data=kept.data).event_data == {"number": 5}
    assert verify_event(proof, kept.policy, data=data).event_data == {"number": 6}  # two histories under one key
    with pytest.raises(NotProvenError):
        verify_event(kept.proof, kept.policy, data=data)
    with pytest.raises(NotProvenError):
        verify_event(proof, kept.policy, data=kept.data)


def test_a_witness_cosigns_no_forged_ledger_of_the_same_size_nor_of_a_larger_one(
    witness: Witness, kept: Kept, forged: SqlProofs, grow: Callable[[], None]
) -> None:
    assert witness.add_checkpoint(b"old 300\n\n" + forged.checkpoint().note).status == 409
    grow()
    assert witness.add_checkpoint(forged.consistency(300)).status == 422
    assert witness.add_checkpoint(forged.consistency(0)).status == 409  # it cannot be made to begin again
    assert witness.latest(KEYS.origin) == kept.checkpoint


def test_a_witness_cosigns_no_ledger_that_was_restored_and_grew_again(
    witness: Witness, kept: Kept, sql_store: SqlEventStore, engine: Engine, tmp_path: Path
) -> None:
    databases.empty(engine)
    guard = FileGuard(tmp_path / "new guard")
    sign(sql_store, engine, TRUE[:200], guard)
    assert witness.add_checkpoint(SqlProofs(engine).consistency(0)).status == 409
    sign(sql_store, engine, [event(number) for number in range(1_000, 1_100)], guard)
    proofs = SqlProofs(engine)
    assert proofs.checkpoint().size == 300
    assert witness.add_checkpoint(proofs.consistency(300)).status == 409
    assert witness.latest(KEYS.origin) == kept.checkpoint


def test_two_databases_with_one_key_and_one_guard_do_not_both_sign(
    kept: Kept, sql_store: SqlEventStore, engine: Engine, tmp_path: Path
) -> None:
    databases.empty(engine)  # a second database of the same ledger
    with pytest.raises(LedgerForkError):
        sign(sql_store, engine, TRUE[:200], FileGuard(tmp_path / "guard"))
    assert FileGuard(tmp_path / "guard").latest() == kept.checkpoint
