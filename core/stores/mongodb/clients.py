"""Client store in MongoDB."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from core.domain.models import Client, Event
from core.stores.mongodb.connection import READ_SECONDS, Connection, Document, reading, writing
from core.stores.mongodb.own_events import RECORDS, recorded, try_to_store_recorded

_NO_CLIENT: Final[Mapping[str, Any]] = {
    "_id": "client-0000000000000000",
    "name": "unknown",
    "scopes": ["events:read", "events:write"],
    "secret_digest": "0" * 64,
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}
"""Document in the place of that of an unknown client."""

_REVOKED: Final[Document] = {"$or": [{"disabled_at": {"$ne": None}}, {"tokens_not_before": {"$ne": None}}]}


class MongoClientStore:
    """Implements `ClientStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def client(self, client_id: str) -> Client | None:
        """See `ClientReader.client`."""
        with reading():
            found = self._connection.reads.clients.find_one({"_id": client_id}, max_time_ms=int(READ_SECONDS * 1000))
        # The same decoding in any case, so that the time does not reveal whether the client exists.
        client = _client(found or _NO_CLIENT)
        return client if found else None

    def revocations(self) -> Mapping[str, float]:
        """See `ClientReader.revocations`."""
        with writing():
            found = [_client(document) for document in self._connection.writes.clients.find(_REVOKED)]
        return {client.client_id: client.first_valid_iat for client in found}

    def record_use(self, client_id: str, at: datetime) -> None:
        """See `ClientReader.record_use`."""
        with writing():
            self._connection.writes.clients.update_one({"_id": client_id}, {"$set": {"last_used_at": at}})

    def clients(self) -> list[Client]:
        """See `ClientAdmin.clients`."""
        with writing():
            found = self._connection.writes.clients.find(sort=[("created_at", 1), ("_id", 1)])
            return [_client(document) for document in found]

    def save_client(self, client: Client, record: Event) -> None:
        """See `ClientAdmin.save_client`."""
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in client}
        key = {"_id": fields.pop("client_id")}
        with writing():
            self._connection.writes.clients.update_one(key, {"$set": fields | recorded(record)}, upsert=True)
        try_to_store_recorded(self._connection)

    def publish_revocations(self) -> None:
        """See `ClientAdmin.publish_revocations`: only the stack for AWS has such a list, on PostgreSQL."""


def _client(document: Mapping[str, Any]) -> Client:
    fields = {name: value for name, value in document.items() if name not in {"_id", RECORDS}}
    return Client.model_validate({"client_id": document["_id"], **fields})
