"""From an event to its leaf: the published test vector, and what the documents keep apart."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.domain.models import MAX_TIMESTAMP, Event
from core.ledger.checkpoints import Checkpoint
from core.ledger.entries import (
    SALT_BYTES,
    commitment_of,
    data_document,
    entries_of,
    entry,
    head_document,
    month_of,
    seal,
)
from core.ledger.keys import LedgerKeys
from core.ledger.tree import leaf_hash
from tests.support.builders import event
from tests.unit.test_canonical_json import objects, text

EVENT = event(
    event_id="01a20b6c-33a4-7461-840c-3a5021f191b5",
    timestamp_utc=1769860800,
    recorded_by="client-9693b25894fd7e86",
    event_data={"b": [1, 5.0, 1e16, -0.0, 1e-7, 9007199254740993], "a": {"é": "\u2028", "😀": None}},
)
SALTS = bytes.fromhex("00112233445566778899aabbccddeeff" + "ffeeddccbbaa99887766554433221100")
DATA_DIGEST = "6924d6114a986f6cea977bb8abd2139b13fcc0f8eb3a229ae4ac9a0a0561dbbf"
HEAD_DIGEST = "c6b7f2bf3518977c4f44f1c19a2565c6a3c1371ae70bc399575daf1f7d2a55d7"
LEAF = "dece9c286433ae73eba71133ad5c1675c01085e04ad4c9d9de8521cff42fb9e6"


def test_the_documents_of_the_test_vector() -> None:
    assert data_document(EVENT.event_data, SALTS).decode() == (
        "audit-log.data/1\nffeeddccbbaa99887766554433221100\n"
        '{"a":{"é":"\u2028","😀":null},"b":[1,5,10000000000000000,0,1e-7,9007199254740993]}'
    )
    assert head_document(EVENT, SALTS).decode() == (
        "audit-log.head/1\n00112233445566778899aabbccddeeff\n"
        f'{{"customer_id":42,"data":"{DATA_DIGEST}","event_id":"01a20b6c-33a4-7461-840c-3a5021f191b5",'
        '"event_type":"user.login","received_at":"2026-01-31T12:00:00.123Z",'
        '"recorded_by":"client-9693b25894fd7e86","timestamp_utc":1769860800}'
    )


def test_the_hashes_of_the_test_vector() -> None:
    assert sha256(data_document(EVENT.event_data, SALTS)).hexdigest() == DATA_DIGEST
    commitment = commitment_of(EVENT, SALTS)
    assert commitment.hex() == HEAD_DIGEST
    committed = entry(month_of(EVENT.timestamp_utc), commitment)
    assert committed == f"audit-log.event/1 2026-01 {HEAD_DIGEST}\n".encode()
    assert leaf_hash(committed).hex() == LEAF


def test_the_key_of_the_test_vector_signs_a_checkpoint_that_openssl_verified() -> None:
    keys = LedgerKeys("audit.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
    assert keys.verifier_keys == ["audit.example.org/ledger+012cfdcd+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"]
    note = keys.sign(Checkpoint(keys.origin, 1, bytes.fromhex(LEAF)).text).to_bytes().decode()
    signature = b64decode(note.split("\n")[4].split(" ")[2])
    assert signature[:4].hex() == "012cfdcd"
    assert keys.sign(note.rpartition("\n\n")[0] + "\n").to_bytes().decode() == note


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": "user.logout"},
        {"customer_id": 43},
        {"timestamp_utc": 1769860801},
        {"event_data": {"a": 1}},
        {"event_id": "01a20b6c-33a4-7461-840c-3a5021f191b6"},
        {"received_at": "2026-01-31T12:00:00.124Z"},
        {"recorded_by": "client-9693b25894fd7e87"},
    ],
)
def test_every_field_of_an_event_is_committed(changes: dict[str, Any]) -> None:
    changed = Event.model_validate({**dict(EVENT), **changes})
    assert changed != EVENT
    assert commitment_of(changed, SALTS) != commitment_of(EVENT, SALTS)


def test_both_salts_are_committed() -> None:
    commitments = {commitment_of(EVENT, bytes([*SALTS[:place], 1, *SALTS[place + 1 :]])) for place in range(32)}
    assert len(commitments) == SALT_BYTES
    assert commitment_of(EVENT, SALTS) not in commitments


def test_equal_events_have_different_commitments() -> None:
    seals = seal([EVENT] * 100)
    assert len({*seals.commitments}) == len({*seals.salts}) == 100


@given(st.lists(objects, max_size=4), text)
def test_the_commitments_of_a_batch_are_those_of_each_event_alone(batch: list[dict[str, Any]], kind: str) -> None:
    events = [EVENT.model_copy(update={"event_data": data, "event_type": kind}) for data in batch]
    seals = seal(events)
    assert list(map(commitment_of, events, seals.salts)) == seals.commitments
    assert [len(salts) for salts in seals.salts] == [SALT_BYTES] * len(events)


@given(st.integers(0, MAX_TIMESTAMP))
def test_the_month_of_an_entry_is_that_of_its_event_in_utc(timestamp: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=timestamp)
    assert entry(month_of(timestamp), bytes(32)).decode().split(" ")[1] == moment.isoformat()[:7]


@given(st.lists(st.tuples(st.integers(0, 96_000), st.binary(min_size=32, max_size=32)), max_size=6))
def test_the_entries_of_a_batch_are_those_of_each_event_alone(committed: list[tuple[int, bytes]]) -> None:
    months, commitments = [month for month, _ in committed], [commitment for _, commitment in committed]
    assert entries_of(months, b"".join(commitments)) == list(map(entry, months, commitments))
    assert [each.decode() for each in map(entry, months, commitments)] == [
        f"audit-log.event/1 {1970 + month // 12:04}-{month % 12 + 1:02} {commitment.hex()}\n"
        for month, commitment in committed
    ]


def test_a_batch_without_some_of_its_commitments_has_no_entries() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        entries_of([1, 2], bytes(32))


def test_no_events_have_no_seals() -> None:
    assert seal([]) == ((), [])
