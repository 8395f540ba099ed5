"""Clients and the events that record their changes are stored together, on every database."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

from core.auth import clients
from core.domain.audit_events import audit_event
from core.domain.models import Client
from core.ports.store import Outcome
from core.stores.clients import SqlClientStore
from core.stores.sql import SqlEventStore
from tests.support.stores import DatabaseStore, parts_of
from tests.support.waiting import SECONDS

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_client_is_kept_replaced_and_told_of(database_store: DatabaseStore) -> None:
    store = parts_of(database_store).clients
    client, _ = clients.create("über", ["events:write"], [1, -(2**63)], at=NOW)
    created = audit_event("client.created", client.client_id, at=NOW)
    store.save_client(client, created)
    assert store.client(client.client_id) == client
    assert store.client(client.client_id.upper()) is None
    assert store.client(client.client_id + " ") is None
    assert database_store.get(created.event_id) == created
    assert database_store.add([created]) == [Outcome.DUPLICATE]
    rotated, _ = clients.rotate(client, keep_previous=True, at=NOW)
    store.save_client(rotated, audit_event("client.rotated", client.client_id, at=NOW))
    later = NOW + timedelta(milliseconds=1)
    store.record_use(client.client_id, later)
    assert store.clients() == [rotated.model_copy(update={"last_used_at": later})]


def test_revocations_are_those_of_disabled_clients_and_of_rotations_that_revoke(database_store: DatabaseStore) -> None:
    store = parts_of(database_store).clients
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


class FakeRevocationList:
    """Implements `RevocationList` in memory. The first list is published only after `go`."""

    def __init__(self) -> None:
        self.listed: Mapping[str, float] = {}
        self.begun = Flag()
        self.go = Flag()

    def revocations(self) -> Mapping[str, float]:
        return self.listed

    def publish(self, revoked: Sequence[Client]) -> None:
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(SECONDS)
        self.listed = {client.client_id: client.first_valid_iat for client in revoked}


def test_of_two_changes_at_once_the_last_list_has_both(sql_store: SqlEventStore) -> None:
    engine = sql_store._engine  # noqa: SLF001 - the same
    plain, listed = SqlClientStore(engine), FakeRevocationList()
    first, second = (clients.create(f"number {number}", ["events:write"], None, at=NOW)[0] for number in range(2))
    for client in (first, second):
        plain.save_client(client, audit_event("client.created", client.client_id, at=NOW))
    listing = SqlClientStore(engine, listed)

    def disable(client: Client) -> None:
        disabled = clients.disable(client, at=NOW)
        listing.save_client(disabled, audit_event("client.disabled", client.client_id, at=NOW))

    with ThreadPoolExecutor(2) as threads:
        ahead = threads.submit(disable, first)
        assert listed.begun.wait(SECONDS)
        behind = threads.submit(disable, second)
        overtook = bool(wait([behind], 0.3).done)
        listed.go.set()
        ahead.result(SECONDS)
        behind.result(SECONDS)
    assert not overtook
    assert listed.revocations() == plain.revocations() == {first.client_id: math.inf, second.client_id: math.inf}
