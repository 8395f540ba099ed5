"""Sessions and the events that record them are stored together, on every database."""

from datetime import UTC, datetime

from core.domain.audit_events import audit_event
from core.ports.sessions import Session
from core.stores.sessions import SqlSessionStore
from core.stores.sql import SqlEventStore

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def test_sessions_are_kept_until_they_end_or_expire(sql_store: SqlEventStore) -> None:
    store = SqlSessionStore(sql_store._engine)  # noqa: SLF001 - sessions lie in the database of the events
    sessions = [
        Session(f"{number:064}", "äda" if number < 3 else "Äda", customers, SECONDS + seconds)
        for number, (customers, seconds) in enumerate([(None, -1), ([1, -(2**63)], 60), (None, 60), ([], 60)])
    ]
    for session in sessions:
        record = audit_event("session.began", session.subject, at=NOW)
        store.begin(session, record)
        assert sql_store.get(record.event_id) == record
    assert [store.find(session.digest) for session in sessions] == [None, *sessions[1:]]
    store.end(sessions[1].digest, audit_event("session.ended", "x", at=NOW))
    assert store.find(sessions[1].digest) is None
    store.end_all(sessions[2].subject, audit_event("session.ended", "x", at=NOW))
    assert [store.find(session.digest) for session in sessions[2:]] == [None, sessions[3]]
