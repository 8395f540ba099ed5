"""Client store, in the database of the events."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, update

from core.domain.models import Client, Event
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import clients


class SqlClientStore:
    """Implements `ClientReader` and `ClientAdmin`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def client(self, client_id: str) -> Client | None:
        """See `ClientReader.client`."""
        with open_read_connection(self._engine) as connection:
            row = connection.execute(select(clients).where(clients.c.client_id == client_id)).mappings().first()
        return None if row is None else Client.model_validate(dict(row))

    def revocations(self) -> Mapping[str, float]:
        """See `ClientReader.revocations`."""
        revoked = clients.c.disabled_at.is_not(None) | clients.c.tokens_not_before.is_not(None)
        with open_connection(self._engine) as connection:
            rows = connection.execute(select(clients).where(revoked)).mappings()
            found = [Client.model_validate(dict(row)) for row in rows]
        return {client.client_id: client.first_valid_iat for client in found}

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
        """See `ClientAdmin.save_client`."""
        with open_connection(self._engine) as connection:
            connection.execute(delete(clients).where(clients.c.client_id == client.client_id))
            connection.execute(insert(clients).values(**dict(client)))
            insert_own_event(connection, dialect_of(self._engine), record)
            connection.commit()
