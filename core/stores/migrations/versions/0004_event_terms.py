"""SQLite: create the full-text index of event_data, and number the events, because the index refers to numbers.

The number is a column, because a VACUUM may change SQLite's implicit row ids. It requires a new table: for ten million
events the copy takes some minutes, and the disk space of a second table in the meantime.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from alembic import op

from core.stores.dialects.sqlite_terms import index_terms

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = "event_id, event_type, customer_id, timestamp_utc, event_data, received_at, recorded_by"
_TABLE = """
CREATE TABLE events (
    {number}
    event_id VARCHAR(36) NOT NULL {key},
    event_type VARCHAR(255) NOT NULL,
    customer_id BIGINT NOT NULL,
    timestamp_utc BIGINT NOT NULL,
    event_data JSON NOT NULL,
    received_at BIGINT NOT NULL,
    recorded_by VARCHAR(255) NOT NULL
)
"""
_INDEXES = {
    "ix_events_customer_type_time": ("customer_id", "event_type", "timestamp_utc", "event_id"),
    "ix_events_customer_time": ("customer_id", "timestamp_utc", "event_id"),
    "ix_events_type_time": ("event_type", "timestamp_utc", "event_id"),
    "ix_events_time": ("timestamp_utc", "event_id"),
}
# Contentless: the index maps terms to events, and stores neither the positions of terms nor the terms of an event.
_TERMS = "CREATE VIRTUAL TABLE event_terms USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii')"
_CHUNK = 10_000


def upgrade() -> None:
    """Apply this revision."""
    if op.get_context().dialect.name != "sqlite":
        return
    _copy(_TABLE.format(number="number INTEGER NOT NULL PRIMARY KEY,", key="UNIQUE"))
    op.execute(_TERMS)
    connection = op.get_bind()
    found = connection.exec_driver_sql("SELECT number, customer_id, event_type, event_data FROM events")
    for chunk in found.partitions(_CHUNK):
        connection.exec_driver_sql("INSERT INTO event_terms (rowid, words) VALUES (?, ?)", list(_terms(chunk)))


def downgrade() -> None:
    """Revert to the previous revision."""
    if op.get_context().dialect.name != "sqlite":
        return
    op.execute("DROP TABLE event_terms")
    _copy(_TABLE.format(number="", key="PRIMARY KEY"))


def _copy(table: str) -> None:
    """Copy the events to a new table, in the order in which they were stored."""
    op.rename_table("events", "events_before")
    op.execute(table)
    op.execute(f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events_before ORDER BY rowid")  # noqa: S608 - constant names
    op.drop_table("events_before")
    for name, columns in _INDEXES.items():
        op.create_index(name, "events", columns)


def _terms(rows: Iterable[Any]) -> Iterator[tuple[int, str]]:
    for number, customer_id, event_type, event_data in rows:
        yield number, index_terms(customer_id, event_type, orjson.loads(event_data))
