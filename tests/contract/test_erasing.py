"""Erasure on every database: the rest that it leaves, the proofs, repeats, holds and refusals."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from core.domain.audit_events import VIEWER_TYPE
from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, PageRequest
from core.errors import ErasureRefusedError, EventErasedError, EventHeldError, HoldNotFoundError
from core.ledger.keys import LedgerKeys
from core.ports.store import Outcome
from core.stores import holds
from core.stores.erasing import Eraser, Request, Selection
from core.stores.holds import Hold
from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.integration import Ledger
from core.stores.ledger.proofs import SqlProofs
from core.stores.ledger.signing import CheckpointSigner
from core.stores.ledger.stored_tree import StoredTree
from core.stores.sql import SqlEventStore
from tests.support.builders import event

KEYS = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
NOW = datetime(2026, 2, 1, tzinfo=UTC)
STORED = [
    event(number, customer_id=42 if number < 6 else 43, event_data={"name": f"Ada {number}", "big": "x" * 3_000})
    for number in range(8)
]
SECOND, THIRD = STORED[1].event_id, STORED[2].event_id


@pytest.fixture(autouse=True)
def settle(sql_store: SqlEventStore, engine: Engine, tmp_path: Path) -> Callable[[], None]:
    """Give the stored events their indices, and sign."""
    fix_origin(engine, KEYS.origin, "")
    publish_keys(engine, KEYS)

    def run() -> None:
        Ledger(engine, StoredTree()).integrate()
        CheckpointSigner(engine, KEYS, FileGuard(tmp_path / "guard")).sign()

    sql_store.add(STORED)
    run()
    return run


@pytest.fixture
def erase(engine: Engine) -> Callable[..., int]:
    def run(*ids: str, customer: int | None = None, before: int | None = None, whole: bool = False) -> int:
        request = Request(Selection(ids, customer, before), whole, "Art. 17 GDPR", "tests")
        return Eraser(engine).erase(request, at=NOW, progress=lambda _: None)[0]

    return run


def of_kind(store: SqlEventStore, kind: str) -> list[Event]:
    found = store.find_page(EventFilter(event_types=(f"audit-log.{kind}",)), PageRequest(order="asc"))
    return found.events


def found_by_name(store: SqlEventStore, number: int) -> list[str]:
    wanted = EventFilter(data=(DataFilter(path=("name",), values=(f"Ada {number}",)),))
    return [each.event_id for each in store.find_page(wanted, PageRequest()).events]


def test_the_data_goes_and_the_proof_stays_the_same(
    engine: Engine, sql_store: SqlEventStore, settle: Callable[[], None], erase: Callable[..., int]
) -> None:
    proofs = SqlProofs(engine)
    sealed = proofs.find(SECOND)
    assert sealed is not None
    before = proofs.prove(sealed)
    assert erase(SECOND) == 1
    settle()
    stored = sql_store.get(SECOND)
    assert stored == STORED[1].model_copy(update={"event_data": {}})
    assert found_by_name(sql_store, 1) == []
    assert found_by_name(sql_store, 2) == [THIRD]
    sealed = proofs.find(SECOND)
    assert sealed is not None
    assert proofs.prove(sealed, len(STORED)) == before
    with pytest.raises(EventErasedError):
        proofs.data(sealed)
    report = check_ledger(engine)
    assert (report.is_whole, report.erased) == (True, 1)
    (facts,) = sql_store.erased([SECOND, THIRD]).values()
    assert (facts.at, facts.whole) == (NOW, False)
    assert [facts.by_event] == [each.event_id for each in of_kind(sql_store, "events.erased")]
    (record,) = of_kind(sql_store, "events.erased")
    assert record.event_data == {
        "subject": "events", "event_ids": [SECOND], "events": 1, "whole": False, "by": "tests",
        "reason": "Art. 17 GDPR",
    }  # fmt: skip


def test_events_are_proven_together_as_one_by_one(
    engine: Engine, settle: Callable[[], None], erase: Callable[..., int]
) -> None:
    erase(SECOND)
    erase(THIRD, whole=True)
    settle()
    proofs = SqlProofs(engine)
    sealed = proofs.find_all([*(each.event_id for each in STORED), event(99).event_id])
    assert {each.event.event_id for each in sealed} == {each.event_id for each in STORED}
    proven = {each.event.event_id: proof for each, proof in zip(sealed, proofs.prove_all(sealed), strict=True)}
    assert proven.pop(THIRD) is None
    assert proven == {each.event.event_id: proofs.prove(each) for each in sealed if each.event.event_id != THIRD}


@pytest.mark.parametrize("sql_store", ["sqlite"], indirect=True)
def test_salts_that_sqlite_has_as_digits_are_read_and_erased_like_others(
    engine: Engine, settle: Callable[[], None], erase: Callable[..., int]
) -> None:
    proofs = SqlProofs(engine)
    sealed = proofs.find(SECOND)
    assert sealed is not None
    before = proofs.prove(sealed), proofs.data(sealed)
    with engine.begin() as connection:  # as earlier versions of the service stored them
        connection.exec_driver_sql("UPDATE events SET salts = lower(hex(salts))")
    sealed = proofs.find(SECOND)
    assert sealed is not None
    assert (proofs.prove(sealed), proofs.data(sealed)) == before
    assert check_ledger(engine).is_whole
    assert erase(SECOND) == 1
    settle()
    report = check_ledger(engine)
    assert (report.is_whole, report.erased) == (True, 1)


def test_all_but_id_and_times_goes_also_after_the_data(
    engine: Engine, sql_store: SqlEventStore, settle: Callable[[], None], erase: Callable[..., int]
) -> None:
    assert erase(SECOND) == 1
    assert erase(SECOND) == 0, "erased already"
    assert erase(SECOND, THIRD, whole=True) == 2
    settle()
    for given in STORED[1:3]:
        stone = sql_store.get(given.event_id)
        assert stone is not None
        assert (stone.event_type, stone.customer_id, stone.recorded_by) == ("audit-log.erased", -1, "audit-log")
        assert (stone.timestamp_utc, stone.received_at) == (given.timestamp_utc, given.received_at)
        sealed = SqlProofs(engine).find(given.event_id)
        assert sealed is not None
        with pytest.raises(EventErasedError):
            SqlProofs(engine).prove(sealed)
    report = check_ledger(engine)
    assert (report.is_whole, report.erased) == (True, 2)


def test_the_events_of_a_customer_go_up_to_a_time(sql_store: SqlEventStore, erase: Callable[..., int]) -> None:
    assert erase(customer=42, before=STORED[4].timestamp_utc) == 4
    kept = [
        event_id for event_id in (each.event_id for each in STORED) if (sql_store.get(event_id) or event()).event_data
    ]
    assert kept == [each.event_id for each in STORED[4:]]
    assert erase(customer=42, before=STORED[4].timestamp_utc) == 0
    assert erase(customer=42, before=int(NOW.timestamp()), whole=True) == 6


def test_a_repeat_of_an_erased_event_is_a_duplicate_and_another_event_is_a_conflict(
    sql_store: SqlEventStore, erase: Callable[..., int]
) -> None:
    erase(SECOND)
    erase(THIRD, whole=True)
    assert sql_store.add(STORED) == [Outcome.DUPLICATE] * len(STORED)
    assert sql_store.add([event(1, event_type="user.logout"), STORED[3]]) == [Outcome.CONFLICT, Outcome.DUPLICATE]
    assert (sql_store.get(SECOND) or event()).event_data == {}


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (Selection((SECOND, event(99).event_id)), "1 of the ids belong to no stored event, the first is number 2"),
        (Selection(customer_id=42, before=int(NOW.timestamp()) + 1), "in the future"),
        (Selection(customer_id=-1, before=0), "the service itself"),
    ],
)
def test_what_cannot_be_erased_is_refused_before_anything_is(
    engine: Engine, sql_store: SqlEventStore, selection: Selection, reason: str
) -> None:
    with pytest.raises(ErasureRefusedError, match=reason):
        Eraser(engine).erase(Request(selection, False, "", ""), at=NOW, progress=lambda _: None)
    assert (sql_store.get(SECOND) or event()).event_data


def test_the_records_of_the_service_stay(sql_store: SqlEventStore, erase: Callable[..., int]) -> None:
    erase(SECOND)
    with pytest.raises(ErasureRefusedError, match="explain the others"):
        erase(of_kind(sql_store, "events.erased")[0].event_id)


def test_the_record_that_a_person_got_a_token_can_be_erased(
    sql_store: SqlEventStore, erase: Callable[..., int]
) -> None:
    sql_store.add([event(7, event_type=VIEWER_TYPE, event_data={"actor": {"id": "alice@example.com"}})])
    assert erase(event(7).event_id) == 1
    assert (sql_store.get(event(7).event_id) or event(7)).event_data == {}


@pytest.mark.parametrize(
    "hold",
    [
        Hold(customer_id=42),
        Hold(event_type="user.login"),
        Hold(since=STORED[1].timestamp_utc, until=STORED[2].timestamp_utc),
        Hold(42, "user.login", 0, 2**40),
    ],
)
def test_a_held_event_stays_until_the_hold_is_released(
    engine: Engine, sql_store: SqlEventStore, erase: Callable[..., int], hold: Hold
) -> None:
    placed = holds.place(engine, hold, by="counsel", at=NOW)
    with pytest.raises(EventHeldError, match=placed.hold_id):
        erase(SECOND)
    assert sql_store.get(SECOND) == STORED[1]
    (refused,) = of_kind(sql_store, "hold.refused")
    assert refused.event_data == {"subject": placed.hold_id, "operation": "erase", "by": "tests"}
    assert [each.hold_id for each in holds.active(engine)] == [placed.hold_id]
    holds.release(engine, placed.hold_id, reason="settled", by="counsel", at=NOW)
    assert holds.active(engine) == []
    assert erase(SECOND) == 1
    with pytest.raises(HoldNotFoundError):
        holds.release(engine, placed.hold_id, reason="again", by="counsel", at=NOW)
    assert len(of_kind(sql_store, "hold.placed") + of_kind(sql_store, "hold.released")) == 2


def test_a_hold_on_others_holds_nothing_up(engine: Engine, erase: Callable[..., int]) -> None:
    for hold in (Hold(customer_id=43), Hold(event_type="user"), Hold(until=STORED[1].timestamp_utc)):
        holds.place(engine, hold, by="counsel", at=NOW)
    assert erase(SECOND) == 1


def test_on_postgresql_no_row_version_has_the_data_after_the_vacuum(
    postgresql_store: SqlEventStore, postgresql: Engine
) -> None:
    large = "".join(chr(0x4E00 + number % 20_000) for number in range(8_000))  # in the TOAST table
    postgresql_store.add([event(50, event_data={"name": "Grace Hopper", "large": large})])
    versions = text(
        "SELECT count(*) FROM heap_page_items(get_raw_page('events_default', :block)) WHERE t_data IS NOT NULL"
    )
    chunks = text(
        "SELECT pg_relation_size(reltoastrelid) > 0, reltoastrelid::regclass::text FROM pg_class "
        "WHERE oid = 'events_default'::regclass"
    )
    request = Request(Selection((event(50).event_id,)), False, "", "")
    eraser = Eraser(postgresql)
    assert eraser.erase(request, at=NOW, progress=lambda _: None) == (1, True)
    left = eraser.scrub().left
    assert left is not None
    assert "VACUUM FULL" in left
    with postgresql.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pageinspect"))
        stored = connection.execute(text("SELECT count(*) FROM events_default")).scalar_one()
        blocks = connection.execute(text("SELECT pg_relation_size('events_default') / 8192")).scalar_one()
        assert sum(connection.execute(versions, {"block": block}).scalar_one() for block in range(blocks)) == stored
        _, toast = connection.execute(chunks).one()
        assert connection.execute(text(f"SELECT count(*) FROM {toast}")).scalar_one() == 0  # noqa: S608 - a name
