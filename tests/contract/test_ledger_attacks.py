"""Attacks on a stored ledger, each by SQL past the service, and what `audit-log ledger check` finds of it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, delete, insert, select, update

from core.ledger.checkpoints import Checkpoint
from core.ledger.entries import commitment_of, data_document, entry
from core.ledger.keys import LedgerKeys
from core.ledger.tree import leaf_hash, root
from core.stores.engine import open_engine
from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.former_events import adopt
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.integration import Ledger
from core.stores.ledger.signing import CheckpointSigner
from core.stores.ledger.stored_tree import StoredTree, full_subtrees
from core.stores.schema import (
    EVENT_COLUMNS,
    erasures,
    events,
    ledger_batches,
    ledger_checkpoints,
    ledger_nodes,
)
from core.stores.sql import SqlEventStore
from tests.support.builders import RECEIVED_AT, event

KEYS = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
SIZES = (1, 600, 50)
FIRST, SECOND, LAST = (event(number).event_id for number in (5, 6, 650))
STRANGER = event(9_999)


@pytest.fixture
def guard(tmp_path: Path) -> FileGuard:
    return FileGuard(tmp_path / "guard")


@pytest.fixture(autouse=True)
def ledger(sql_store: SqlEventStore, engine: Engine, guard: FileGuard) -> Ledger:
    """651 events in three batches, each under a signed checkpoint."""
    fix_origin(engine, KEYS.origin, "")
    publish_keys(engine, KEYS)
    ledger, number = Ledger(engine, StoredTree()), 0
    for size in SIZES:
        sql_store.add([event(number + more) for more in range(size)])
        number += size
        ledger.integrate()
        CheckpointSigner(engine, KEYS, guard).sign()
    return ledger


@pytest.fixture
def found(engine: Engine, guard: FileGuard) -> Callable[..., set[tuple[str, str | None, int | None]]]:
    """What a check finds: kind, id and index."""

    def run(last_note: bytes | None = None) -> set[tuple[str, str | None, int | None]]:
        report = check_ledger(engine, last_note=last_note or guard.latest())
        return {(each.kind, each.event_id, each.index) for each in report.findings.named}

    return run


def set_event(connection: Connection, event_id: str, **values: Any) -> None:
    assert connection.execute(update(events).where(events.c.event_id == event_id).values(**values)).rowcount == 1


def set_data(data: dict[str, Any]) -> Callable[[Connection], None]:
    return lambda connection: set_event(connection, FIRST, event_data=data)


def setting(**values: Any) -> Callable[[Connection], None]:
    return lambda connection: set_event(connection, FIRST, **values)


def remove(connection: Connection, event_id: str = FIRST) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DELETE FROM event_ids WHERE event_id = '{event_id}'")  # noqa: S608 - of the test
    connection.execute(delete(events).where(events.c.event_id == event_id))


def add(connection: Connection, **values: Any) -> None:
    row = {name: value for name, value in STRANGER if name in {column.name for column in EVENT_COLUMNS}}
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"INSERT INTO event_ids VALUES ('{STRANGER.event_id}', {STRANGER.timestamp_utc})")  # noqa: S608 - of the test
    connection.execute(insert(events).values(**row, **values))


def place_of(connection: Connection, event_id: str) -> tuple[int, int]:
    batch, place = connection.execute(select(events.c.batch, events.c.place).where(events.c.event_id == event_id)).one()
    return batch, place


def add_without_batch(connection: Connection) -> None:
    add(connection)


def add_at_a_made_up_place(connection: Connection) -> None:
    add(connection, batch=place_of(connection, FIRST)[0], place=100_000)


def add_at_the_place_of_another(connection: Connection) -> None:
    batch, place = place_of(connection, FIRST)
    add(connection, batch=batch, place=place)


def add_in_a_made_up_batch(connection: Connection) -> None:
    add(connection, batch=1, place=0)


def swap(*names: str) -> Callable[[Connection], None]:
    def attack(connection: Connection) -> None:
        columns = [events.c[name] for name in names]
        values = {
            event_id: connection.execute(select(*columns).where(events.c.event_id == event_id)).one()._asdict()
            for event_id in (FIRST, SECOND)
        }
        set_event(connection, FIRST, **values[SECOND])
        set_event(connection, SECOND, **values[FIRST])

    return attack


def pretend_an_erasure(connection: Connection) -> None:
    """Erase an event exactly as the service does, with the id of an event that does not record it."""
    stored = connection.execute(select(events.c.salts).where(events.c.event_id == FIRST)).scalar_one()
    salts = bytes.fromhex(stored) if isinstance(stored, str) else stored
    digest = sha256(data_document(event(5).event_data, salts)).digest()
    set_event(connection, FIRST, event_data={}, salts=None)
    facts = {"event_id": FIRST, "erased_at": RECEIVED_AT, "by_event": SECOND, "whole": False}
    connection.execute(insert(erasures).values(**facts, head_salt=salts[:16], data_digest=digest))


def replace_in_batch(connection: Connection, column: str, start: int, value: bytes) -> None:
    """Overwrite bytes of a list of the batch of FIRST."""
    number, _ = place_of(connection, FIRST)
    column_of = ledger_batches.c[column]
    before = connection.execute(select(column_of).where(ledger_batches.c.number == number)).scalar_one()
    after = before[:start] + value + before[start + len(value) :]
    connection.execute(update(ledger_batches).where(ledger_batches.c.number == number).values({column: after}))


def rewrite_with_commitment(connection: Connection) -> None:
    """Change an event, and the commitment to it."""
    salts = bytes(32)
    changed = event(5, event_data={"number": "forged"})
    is_text = connection.dialect.name == "sqlite"
    set_event(connection, FIRST, event_data=changed.event_data, salts=salts.hex() if is_text else salts)
    _, place = place_of(connection, FIRST)
    replace_in_batch(connection, "commitments", 32 * place, commitment_of(changed, salts))


def rewrite_with_nodes(connection: Connection) -> None:
    """The same, and the nodes over it."""
    rewrite_with_commitment(connection)
    leaves = []
    rows = connection.execute(select(ledger_batches).order_by(ledger_batches.c.first_index)).all()
    for row in rows:
        for place in range(row.size):
            month = int.from_bytes(row.months[4 * place : 4 * place + 4], "big")
            leaves.append(leaf_hash(entry(month, row.commitments[32 * place : 32 * place + 32])))
    for number in range(len(leaves) // 256):
        hashes = leaves[256 * number : 256 * (number + 1)]
        while len(hashes) > 1:
            hashes = [sha256(b"\1" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
        node = (ledger_nodes.c.height == 8, ledger_nodes.c.number == number)
        connection.execute(update(ledger_nodes).where(*node).values(hash=hashes[0]))


def rewrite_with_roots(connection: Connection) -> None:
    """The same, and the roots of the checkpoints, but not the notes."""
    rewrite_with_nodes(connection)
    for (size,) in connection.execute(select(ledger_checkpoints.c.size)).all():
        computed = root(size, full_subtrees(connection))
        connection.execute(update(ledger_checkpoints).where(ledger_checkpoints.c.size == size).values(root=computed))


def rewrite_without_notes(connection: Connection) -> None:
    """The same, and the notes deleted from the database: the guard remembers."""
    rewrite_with_roots(connection)
    connection.execute(update(ledger_checkpoints).values(note=None))


def rewrite_signed_with_another_key(connection: Connection) -> None:
    """The same, signed by the intruder with a key that the database does not have."""
    rewrite_with_roots(connection)
    forger = LedgerKeys(KEYS.origin, [Ed25519PrivateKey.generate()])
    for size, computed in connection.execute(select(ledger_checkpoints.c.size, ledger_checkpoints.c.root)).all():
        note = forger.sign(Checkpoint(KEYS.origin, size, computed).text).to_bytes().decode()
        connection.execute(update(ledger_checkpoints).where(ledger_checkpoints.c.size == size).values(note=note))


def tamper_node(connection: Connection) -> None:
    node = (ledger_nodes.c.height == 8, ledger_nodes.c.number == 1)
    connection.execute(update(ledger_nodes).where(*node).values(hash=bytes(32)))


def delete_node(connection: Connection) -> None:
    connection.execute(delete(ledger_nodes).where(ledger_nodes.c.height == 8, ledger_nodes.c.number == 1))


def delete_batch(connection: Connection) -> None:
    number, _ = place_of(connection, FIRST)
    connection.execute(delete(ledger_batches).where(ledger_batches.c.number == number))


def cut_a_list(connection: Connection) -> None:
    connection.execute(update(ledger_batches).values(months=b""))


def delete_the_last_batch_with_its_checkpoint(connection: Connection) -> None:
    """Bring the ledger back to an earlier state: the guard remembers the later one."""
    number, _ = place_of(connection, LAST)
    connection.execute(delete(ledger_batches).where(ledger_batches.c.number == number))
    connection.execute(delete(ledger_checkpoints).where(ledger_checkpoints.c.size == sum(SIZES)))
    for event_id in [event(each).event_id for each in range(601, 651)]:
        remove(connection, event_id)


ATTACKS: dict[str, tuple[Callable[[Connection], None], set[tuple[str, str | None, int | None]]]] = {
    "edit a value in event_data": (set_data({"number": 6}), {("changed", FIRST, 5)}),
    "add a member to event_data": (set_data({"number": 5, "more": None}), {("changed", FIRST, 5)}),
    "write 5 as 5.0, which is the same number": (set_data({"number": 5.0}), set()),
    "edit the type": (setting(event_type="user.logout"), {("changed", FIRST, 5)}),
    "edit the customer": (setting(customer_id=43), {("changed", FIRST, 5)}),
    "edit the receive time": (setting(received_at=RECEIVED_AT.replace(year=2025)), {("changed", FIRST, 5)}),
    "edit the sender": (setting(recorded_by="another"), {("changed", FIRST, 5)}),
    "exchange the salts": (swap("salts"), {("changed", FIRST, 5), ("changed", SECOND, 6)}),
    "set the salts NULL": (setting(salts=None), {("changed", FIRST, 5)}),
    "blank an event and its salts": (setting(salts=None, event_data={}), {("changed", FIRST, 5)}),
    "pretend an erasure that no event records": (pretend_an_erasure, {("changed", FIRST, 5)}),
    "delete a row": (remove, {("missing", FIRST, 5)}),
    "insert a row without a batch": (add_without_batch, {("added", STRANGER.event_id, None)}),
    "insert a row with a made-up place": (add_at_a_made_up_place, {("added", STRANGER.event_id, None)}),
    "insert a row with a made-up batch": (add_in_a_made_up_batch, {("added", STRANGER.event_id, None)}),
    "insert a row with the place of another": (add_at_the_place_of_another, {("added", STRANGER.event_id, None)}),
    "swap the contents of two rows": (
        swap("event_data", "recorded_by"), {("changed", FIRST, 5), ("changed", SECOND, 6)},
    ),
    "swap the places of two rows": (swap("batch", "place"), {("moved", FIRST, 5), ("moved", SECOND, 6)}),
    "rewrite a row and its commitment": (rewrite_with_commitment, {("ledger", None, 0)}),
    "rewrite a row, its commitment and the nodes": (rewrite_with_nodes, {("ledger", None, 1), ("ledger", None, None)}),
    "rewrite a row, its commitment, nodes and roots": (
        rewrite_with_roots, {("ledger", None, 1), ("ledger", None, None)},
    ),
    "rewrite everything and delete what was signed": (rewrite_without_notes, {("ledger", None, None)}),
    "rewrite everything and sign it with another key": (
        rewrite_signed_with_another_key, {("ledger", None, 0), ("ledger", None, None)},
    ),
    "tamper with a node": (tamper_node, {("ledger", None, 256), ("ledger", None, 1), ("ledger", None, None)}),
    "delete a node": (delete_node, {("ledger", None, 256), ("ledger", None, 1), ("ledger", None, None)}),
    "cut a list of a batch": (
        cut_a_list,
        {("ledger", None, 0)},
    ),
    "bring the ledger back to an earlier state": (
        delete_the_last_batch_with_its_checkpoint, {("ledger", None, None)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_named_by_id_and_index(engine: Engine, found: Callable[..., set[Any]], attack: str) -> None:
    perform, expected = ATTACKS[attack]
    with engine.begin() as connection:
        perform(connection)
    assert found() >= expected
    if not any(kind == "ledger" for kind, _, _ in expected):
        assert found() == expected


def test_an_untouched_ledger_is_whole(engine: Engine, guard: FileGuard) -> None:
    report = check_ledger(engine, last_note=guard.latest())
    assert report.is_whole
    assert (report.size, report.events, report.signatures, report.guard) == (651, 651, 3, 651)


def test_processes_find_the_same(engine: Engine, guard: FileGuard) -> None:
    with engine.begin() as connection:
        remove(connection)
    report = check_ledger(engine, last_note=guard.latest(), processes=2)
    assert [(each.kind, each.index) for each in report.findings.named] == [("missing", 5)]


def test_events_that_wait_for_their_index_are_no_finding(
    sql_store: SqlEventStore, found: Callable[..., set[Any]]
) -> None:
    sql_store.add([event(700)])
    assert found() == set()


def test_events_that_wait_for_adoption_are_counted_and_not_found(
    engine: Engine, ledger: Ledger, guard: FileGuard
) -> None:
    off = open_engine(engine.url.render_as_string(hide_password=False), with_commitments=False)
    SqlEventStore(off).add([event(number) for number in range(700, 1_000)])
    off.dispose()
    ledger.integrate()
    report = check_ledger(engine, last_note=guard.latest())
    assert report.is_whole
    assert report.uncommitted == 300


def test_progress_reaches_the_end(engine: Engine) -> None:
    steps: list[tuple[int, int]] = []
    check_ledger(engine, progress=lambda done, total: steps.append((done, total)))
    assert sum(done for done, _ in steps) == steps[-1][1] == 2 * 651


def test_events_from_before_the_ledger_are_found_until_they_are_adopted(
    engine: Engine, sql_store: SqlEventStore, ledger: Ledger, found: Callable[..., set[Any]]
) -> None:
    sql_store.add([event(number) for number in range(700, 2_000)])
    with engine.begin() as connection:
        recent = select(events.c.batch).where(events.c.event_id == event(700).event_id).scalar_subquery()
        number = connection.execute(select(recent)).scalar_one()
        connection.execute(delete(ledger_batches).where(ledger_batches.c.number == number))
        connection.execute(update(events).where(events.c.batch == number).values(batch=None, place=None, salts=None))
    assert {kind for kind, _, _ in found()} == {"added"}
    steps: list[int] = []
    assert adopt(engine, at=RECEIVED_AT, progress=steps.append) == sum(steps) == 1_300
    assert adopt(engine, at=RECEIVED_AT, progress=steps.append) == 0
    ledger.integrate()
    assert found() == set()
    assert check_ledger(engine).size == 651 + 1_300 + 1
