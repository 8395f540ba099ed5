"""Session store, in the database of the events."""

import json
from typing import Any, Final

from sqlalchemy import Engine, delete, insert, select

from core.domain.models import Event
from core.ports.sessions import Session
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import sessions

_ALL: Final = select(sessions)


class SqlSessionStore:
    """Implements `SessionStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, session: Session, record: Event) -> None:
        """See `SessionStore.begin`."""
        row = {
            "digest": session.digest,
            "subject": session.subject,
            "customers": None if session.customers is None else json.dumps(list(session.customers)),
            "expires_at": session.expires_at,
        }
        now = int(record.received_at.timestamp())
        self._change([delete(sessions).where(sessions.c.expires_at < now), insert(sessions).values(**row)], record)

    def find(self, digest: str) -> Session | None:
        """See `SessionStore.find`."""
        with open_read_connection(self._engine) as connection:
            row = connection.execute(_ALL.where(sessions.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return Session(
            row.digest, row.subject, None if row.customers is None else json.loads(row.customers), row.expires_at
        )

    def end(self, digest: str, record: Event) -> None:
        """See `SessionStore.end`."""
        self._change([delete(sessions).where(sessions.c.digest == digest)], record)

    def end_all(self, subject: str, record: Event) -> None:
        """See `SessionStore.end_all`."""
        self._change([delete(sessions).where(sessions.c.subject == subject)], record)

    def _change(self, statements: list[Any], record: Event) -> None:
        with open_connection(self._engine) as connection:
            for statement in statements:
                connection.execute(statement)
            insert_own_event(connection, dialect_of(self._engine), record)
            connection.commit()
