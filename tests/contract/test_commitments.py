"""The commitment of a batch to an event is that to the event as the store returns it, on every database."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from core.auth import clients
from core.domain.audit_events import audit_event
from core.ledger.entries import commitment_of, month_of
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from core.stores.schema import events
from core.stores.sql import SqlEventStore
from tests.support.builders import RECEIVED_AT, event
from tests.support.ledger import batches


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1.5


DATA: list[dict[str, Any]] = [
    {"": None},
    {"b": [1, 5.0, 1e16, -0.0, 1e-7, 2**53 + 1, 1.2345678901234568e18, -(2**63), 2**63 - 1, 1e300, 5e-324]},
    {"é": "\u2028 \u007f \t\r\n", "😀": {"z": 1, "\ufb33": [{}, []], "a ": "trailing "}},
    {"deep": nested(40)},
    {"-": {"-1": "-"}, "large": "x" * 100_000},
]


def salts_of(engine: Engine) -> dict[str, bytes | None]:
    with engine.connect() as connection:
        rows = connection.execute(select(events.c.event_id, events.c.salts))
        return {event_id: bytes.fromhex(salts) if isinstance(salts, str) else salts for event_id, salts in rows}


def test_what_is_stored_is_what_is_committed(sql_store: SqlEventStore, engine: Engine) -> None:
    given = [event(number, event_data=data, event_type="é 😀 ") for number, data in enumerate(DATA)]
    sql_store.add(given)
    [batch] = batches(engine)
    salts = salts_of(engine)
    assert len({*salts.values()}) == len(DATA)
    for place, event_id in enumerate(batch.ids):
        stored = sql_store.get(event_id)
        assert stored is not None
        assert batch.commitments[place] == commitment_of(stored, salts[event_id] or b"")
        assert batch.months[place] == month_of(stored.timestamp_utc)


def test_the_services_own_events_are_committed(engine: Engine) -> None:
    client, _ = clients.create("shop", ["events:write"], None, at=RECEIVED_AT)
    record = audit_event("client.created", client.client_id, at=RECEIVED_AT)
    SqlClientStore(engine).save_client(client, record)
    [batch] = batches(engine)
    assert batch.commitments == [commitment_of(record, salts_of(engine)[record.event_id] or b"")]


@pytest.mark.usefixtures("sql_store")
def test_without_a_ledger_there_are_batches_and_neither_salts_nor_commitments(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    without = open_engine(url, with_commitments=False)
    SqlEventStore(without).add([event(1), event(2)])
    without.dispose()
    [batch] = batches(engine)
    assert (batch.size, batch.commitments) == (2, [])
    assert {*salts_of(engine).values()} == {None}
