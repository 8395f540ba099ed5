"""Client store, in the database of the events."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, delete, insert, literal, select, update

from core.domain.models import Client, Event
from core.ports.clients import RevocationList
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import clients

_NO_CLIENT: Final[Mapping[str, Any]] = {
    "client_id": "client-0000000000000000",
    "name": "unknown",
    "scopes": b'["events:read","events:write"]',
    "secret_digest": "0" * 64,
    "created_at": 1_767_225_600_000,
}
"""Columns in the place of those of an unknown client, as the database would return them."""


class SqlClientStore:
    """Implements `ClientReader` and `ClientAdmin`."""

    def __init__(self, engine: Engine, revocation_list: RevocationList | None = None) -> None:
        """Use `engine`; publish revocations to `revocation_list` as well, if there is one."""
        self._engine = engine
        self._revocation_list = revocation_list

    def client(self, client_id: str) -> Client | None:
        """See `ClientReader.client`."""
        # One row in any case, and the same decoding of it, so that the time does not reveal whether the client exists.
        one = select(literal(1)).subquery("one")
        query = select(clients).select_from(one.outerjoin(clients, clients.c.client_id == client_id))
        with open_read_connection(self._engine) as connection:
            row = connection.execute(query).mappings().one()
        is_known = row["client_id"] is not None
        client = Client.model_validate(dict(row) if is_known else {**row, **_decoded(_NO_CLIENT)})
        return client if is_known else None

    def revocations(self) -> Mapping[str, float]:
        """See `ClientReader.revocations`."""
        with open_connection(self._engine) as connection:
            return {client.client_id: client.first_valid_iat for client in _revoked(connection)}

    def record_use(self, client_id: str, at: datetime) -> None:
        """See `ClientReader.record_use`."""
        with open_connection(self._engine) as connection:
            connection.execute(update(clients).where(clients.c.client_id == client_id).values(last_used_at=at))
            connection.commit()

    def clients(self) -> list[Client]:
        """See `ClientAdmin.clients`."""
        with open_connection(self._engine) as connection:
            rows = connection.execute(select(clients).order_by(clients.c.created_at, clients.c.client_id)).mappings()
            return [Client.model_validate(dict(row)) for row in rows]

    def save_client(self, client: Client, record: Event) -> None:
        """See `ClientAdmin.save_client`.

        The list is published before the commit: if that fails, tokens are rejected that the store has as valid, and the
        next change corrects the list.
        """
        with open_connection(self._engine) as connection:
            if self._revocation_list:
                _wait_for_other_changes(connection)
            connection.execute(delete(clients).where(clients.c.client_id == client.client_id))
            connection.execute(insert(clients).values(**dict(client)))
            insert_own_event(connection, dialect_of(self._engine), record)
            if self._revocation_list:
                self._revocation_list.publish(_revoked(connection))
            connection.commit()

    def publish_revocations(self) -> None:
        """See `ClientAdmin.publish_revocations`."""
        if self._revocation_list:
            with open_connection(self._engine) as connection:
                _wait_for_other_changes(connection)
                self._revocation_list.publish(_revoked(connection))


def _wait_for_other_changes(connection: Connection) -> None:
    """Lock the clients until the end of the transaction, so that no published list lacks the change before it."""
    connection.execute(select(clients.c.client_id).with_for_update())


def _revoked(connection: Connection) -> Sequence[Client]:
    """Return the clients that are disabled or had tokens revoked."""
    revoked = clients.c.disabled_at.is_not(None) | clients.c.tokens_not_before.is_not(None)
    return [Client.model_validate(dict(row)) for row in connection.execute(select(clients).where(revoked)).mappings()]


def _decoded(columns: Mapping[str, Any]) -> dict[str, Any]:
    created_at = datetime.fromtimestamp(columns["created_at"] // 1000, UTC).replace(microsecond=0)
    return {**columns, "scopes": orjson.loads(columns["scopes"]), "created_at": created_at}
