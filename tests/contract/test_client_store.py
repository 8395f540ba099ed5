"""Clients and the events that record their changes are stored together, on every database."""

import math
from datetime import UTC, datetime, timedelta

from core.auth import clients
from core.domain.audit_events import audit_event
from core.ports.store import Outcome
from core.stores.clients import SqlClientStore
from core.stores.sql import SqlEventStore

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_client_is_kept_replaced_and_told_of(sql_store: SqlEventStore) -> None:
    store = SqlClientStore(sql_store._engine)  # noqa: SLF001 - clients lie in the database of the events
    client, _ = clients.create("über", ["events:write"], [1, -(2**63)], at=NOW)
    created = audit_event("client.created", client.client_id, at=NOW)
    store.save_client(client, created)
    assert store.client(client.client_id) == client
    assert store.client(client.client_id.upper()) is None
    assert store.client(client.client_id + " ") is None
    assert sql_store.get(created.event_id) == created
    assert sql_store.add([created]) == [Outcome.DUPLICATE]
    rotated, _ = clients.rotate(client, keep_previous=True, at=NOW)
    store.save_client(rotated, audit_event("client.rotated", client.client_id, at=NOW))
    later = NOW + timedelta(milliseconds=1)
    store.record_use(client.client_id, later)
    assert store.clients() == [rotated.model_copy(update={"last_used_at": later})]


def test_revocations_are_those_of_disabled_clients_and_of_rotations_that_revoke(sql_store: SqlEventStore) -> None:
    store = SqlClientStore(sql_store._engine)  # noqa: SLF001 - the same
    assert store.revocations() == {}
    registered = [clients.create(f"number {number}", ["events:write"], None, at=NOW)[0] for number in range(4)]
    for client in registered:
        store.save_client(client, audit_event("client.created", client.client_id, at=NOW))
    assert store.revocations() == {}
    disabled, kept, revoked, _ = registered
    for changed in (
        clients.disable(disabled, at=NOW),
        clients.rotate(kept, keep_previous=True, at=NOW)[0],
        clients.rotate(revoked, keep_previous=False, at=NOW)[0],
    ):
        store.save_client(changed, audit_event("client.changed", changed.client_id, at=NOW))
    assert store.revocations() == {disabled.client_id: math.inf, revoked.client_id: int(NOW.timestamp()) + 1}
