"""Registration of clients: each change is in the store together with the event that records it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from core.auth.client_registry import ClientRegistry, new_client
from core.auth.clients import Authenticator
from core.auth.tokens import SCOPES
from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.errors import ClientNotFoundError, InvalidClientError, InvalidFieldsError
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore

NOW = 1_700_000_000.25


@pytest.fixture
def clients(settings: Settings, sqlite_store: SqlEventStore) -> Iterator[SqlClientStore]:
    assert sqlite_store.check()  # the tables exist
    engine = open_engine(settings.store_url)
    yield SqlClientStore(engine)
    engine.dispose()


@pytest.fixture
def registry(clients: SqlClientStore) -> ClientRegistry:
    return ClientRegistry(clients, lambda: NOW)


def recorded(store: SqlEventStore) -> list[Event]:
    return store.find_page(EventFilter(), PageRequest(limit=10)).events


def added(registry: ClientRegistry, name: str = "billing") -> tuple[str, str]:
    client, secret = new_client(name, ["events:write"], [7, 5], NOW)
    registry.add(client)
    return client.client_id, secret


def test_a_client_that_is_added_is_listed_authenticated_and_recorded(
    registry: ClientRegistry, clients: SqlClientStore, sqlite_store: SqlEventStore
) -> None:
    client_id, secret = added(registry)
    assert registry.clients() == [registry.get(client_id)]
    assert Authenticator(clients).authenticate(client_id, secret, now=NOW).customers == (5, 7)
    [event] = recorded(sqlite_store)
    assert (event.event_type, event.customer_id) == ("audit-log.client.created", -1)
    assert event.received_at == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert event.event_data == {
        "subject": client_id, "name": "billing", "scopes": ["events:write"], "customers": [5, 7],
    }  # fmt: skip


@pytest.mark.parametrize("keep", [True, False])
def test_a_rotation_keeps_the_old_secret_only_if_asked_to(
    registry: ClientRegistry, clients: SqlClientStore, sqlite_store: SqlEventStore, *, keep: bool
) -> None:
    client_id, old = added(registry)
    _, new = registry.rotate(client_id, keep_previous=keep)
    authenticator = Authenticator(clients)
    authenticator.authenticate(client_id, new, now=NOW)
    if keep:
        authenticator.authenticate(client_id, old, now=NOW)
    else:
        with pytest.raises(InvalidClientError):
            authenticator.authenticate(client_id, old, now=NOW)
    [event] = [event for event in recorded(sqlite_store) if event.event_type == "audit-log.client.rotated"]
    assert event.event_data == {"subject": client_id, "old_secret_counts": keep}


def test_a_disabled_client_is_refused_and_keeps_the_time_of_that(
    registry: ClientRegistry, clients: SqlClientStore, sqlite_store: SqlEventStore
) -> None:
    client_id, secret = added(registry)
    disabled = registry.disable(client_id)
    assert ClientRegistry(clients, lambda: NOW + 60).disable(client_id).disabled_at == disabled.disabled_at
    with pytest.raises(InvalidClientError):
        Authenticator(clients).authenticate(client_id, secret, now=NOW)
    events = [event for event in recorded(sqlite_store) if event.event_type == "audit-log.client.disabled"]
    assert [event.event_data for event in events] == [{"subject": client_id}] * 2


def test_a_client_that_is_not_registered_is_not_found_and_changes_nothing(
    registry: ClientRegistry, sqlite_store: SqlEventStore
) -> None:
    for change in (
        registry.get, registry.disable, lambda client_id: registry.rotate(client_id, keep_previous=True),
    ):  # fmt: skip
        with pytest.raises(ClientNotFoundError, match=r"There is no client 'client-\\u202e'\."):
            change("client-\u202e")
    assert recorded(sqlite_store) == []


@pytest.mark.parametrize(
    ("name", "scopes", "customers", "loc"),
    [
        ("x", ["events:delete"], None, "scopes"),
        ("", SCOPES, None, "name"),
        ("two\nlines", SCOPES, None, "name"),
        ("x", [], None, "scopes"),
        ("x", SCOPES, [2**63], "customers"),
    ],
)
def test_a_client_that_cannot_be_is_refused_by_its_field(
    name: str, scopes: list[str], customers: list[int] | None, loc: str
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        new_client(name, scopes, customers, NOW)
    assert refused.value.errors[0]["loc"][0] == loc
    assert refused.value.errors[0]["msg"] in str(refused.value)
