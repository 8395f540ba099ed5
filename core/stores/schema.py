"""Tables of the newest schema. The migrations bring a database to it."""

from typing import Final

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.domain.models import Event
from core.stores.column_types import BLOB, EVENT_ID, ROW_ID, UnixMilliseconds, fixed_bytes
from core.stores.json_text import FoldedJSON

metadata: Final = MetaData()

events: Final = Table(
    "events",
    metadata,
    Column("event_id", EVENT_ID, primary_key=True),
    Column("event_type", String(255), nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("timestamp_utc", BigInteger, nullable=False),
    Column(
        "event_data", JSON().with_variant(JSONB(), "postgresql").with_variant(FoldedJSON(), "mysql"), nullable=False
    ),
    Column("received_at", UnixMilliseconds, nullable=False),
    Column("recorded_by", String(255), nullable=False),
    # Salts that open the commitment, number of the batch, and position in that batch from 0; NULL if a version of the
    # service without ledger stored the event. SQLite keeps the bytes as they are, and 64 digits that earlier versions
    # of the service stored.
    Column("salts", fixed_bytes(32).with_variant(CHAR(64), "sqlite")),
    Column("batch", BigInteger),
    Column("place", Integer),
    # Listings are ordered by (timestamp_utc, event_id). Each index has the filtered columns first and these two last,
    # so that a page is read from it without sorting.
    Index("ix_events_customer_type_time", "customer_id", "event_type", "timestamp_utc", "event_id"),
    Index("ix_events_customer_time", "customer_id", "timestamp_utc", "event_id"),
    Index("ix_events_type_time", "event_type", "timestamp_utc", "event_id"),
    Index("ix_events_time", "timestamp_utc", "event_id"),
    Index("ix_events_received", "received_at"),
)

EVENT_COLUMNS: Final = tuple(events.c[name] for name in Event.model_fields)
"""Columns of the events that clients get: the fields of `Event`. A query for all columns would also read the salts."""

event_counters: Final = Table(
    "tallies",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", String(16), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

clients: Final = Table(
    "clients",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("customers", JSON(none_as_null=True)),
    # SHA-256 of 256 random bits. A slow hash would add nothing, because such secrets cannot be guessed.
    Column("secret_digest", String(64), nullable=False),
    Column("previous_secret_digest", String(64)),
    Column("created_at", UnixMilliseconds, nullable=False),
    Column("last_used_at", UnixMilliseconds),
    Column("disabled_at", UnixMilliseconds),
    Column("tokens_not_before", BigInteger),
)

ledger_batches: Final = Table(
    "ledger_batches",
    metadata,
    # Chosen by the writer, see `core.stores.sealing`.
    Column("number", ROW_ID, primary_key=True, autoincrement=False),
    # Index of the first event in the ledger; NULL until the batch is integrated.
    Column("first_index", BigInteger),
    Column("size", Integer, nullable=False),
    # Each has one item for each event, in the order of their places: 16 bytes of the id; the month as 4 bytes, and the
    # customer as 8, big-endian; 32 bytes of the commitment.
    Column("ids", BLOB, nullable=False),
    Column("months", BLOB, nullable=False),
    Column("customers", BLOB, nullable=False),
    Column("commitments", BLOB),
    UniqueConstraint("first_index", name="uq_ledger_batches_first_index"),
)

ledger_nodes: Final = Table(
    "ledger_nodes",
    metadata,
    Column("height", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", fixed_bytes(32), nullable=False),
)

ledger_checkpoints: Final = Table(
    "ledger_checkpoints",
    metadata,
    Column("size", ROW_ID, primary_key=True, autoincrement=False),
    Column("previous", BigInteger, nullable=False),
    Column("root", fixed_bytes(32)),
    Column("at", UnixMilliseconds, nullable=False),
    Column("note", Text),
    UniqueConstraint("previous", name="uq_ledger_checkpoints_previous"),
)

ledger_cosignatures: Final = Table(
    "ledger_cosignatures",
    metadata,
    # Size of a signed checkpoint that enough witnesses cosigned, and their signature lines.
    Column("size", ROW_ID, primary_key=True, autoincrement=False),
    Column("at", UnixMilliseconds, nullable=False),
    Column("lines", Text, nullable=False),
)

ledger_origins: Final = Table(
    "ledger_origins",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("since_size", BigInteger, nullable=False),
    Column("at", UnixMilliseconds, nullable=False),
    Column("reason", Text),
)

erasures: Final = Table(
    "erasures",
    metadata,
    Column("event_id", EVENT_ID, primary_key=True),
    Column("erased_at", UnixMilliseconds, nullable=False),
    Column("by_event", EVENT_ID, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("head_salt", fixed_bytes(16)),
    Column("data_digest", fixed_bytes(32)),
)

dropped_months: Final = Table(
    "dropped_months",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("at", UnixMilliseconds, nullable=False),
)

holds: Final = Table(
    "holds",
    metadata,
    Column("hold_id", String(36), primary_key=True),
    # The events that it keeps: each condition that is not NULL applies; times in Unix seconds, `until` excluded.
    Column("customer_id", BigInteger),
    Column("event_type", String(255)),
    Column("since", BigInteger),
    Column("until", BigInteger),
    Column("reason", Text, nullable=False),
    Column("placed_at", UnixMilliseconds, nullable=False),
    Column("released_at", UnixMilliseconds),
)

retention_rules: Final = Table(
    "retention_rules",
    metadata,
    # Each is empty if the rule is about all types, or all customers; otherwise a customer's id is in decimal.
    Column("event_type", String(255), primary_key=True),
    Column("customer", String(20), primary_key=True),
    Column("keep_days", Integer, nullable=False),
    Column("at", UnixMilliseconds, nullable=False),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("digest", CHAR(64), primary_key=True),
    Column("subject", String(255), nullable=False),
    # JSON list of ids; NULL: all customers.
    Column("customers", Text),
    Column("expires_at", BigInteger, nullable=False),
)

service_keys: Final = Table(
    "service_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", fixed_bytes(32), nullable=False),
)

streams: Final = Table(
    "streams",
    metadata,
    Column("stream_id", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    # A `StreamDefinition` as JSON; `name` has the result of `recorded_changes.unique_name`.
    Column("definition", Text, nullable=False),
    Column("sealed", Text),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("position", BigInteger, nullable=False),
    Column("delivered_at", UnixMilliseconds),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UnixMilliseconds),
    Column("next_try_at", UnixMilliseconds),
    Column("last_status", Integer),
    Column("version", Integer, nullable=False),
    Column("created_at", UnixMilliseconds, nullable=False),
    Column("changed_at", UnixMilliseconds, nullable=False),
    # The lease of the only sender: its id, and a number that it increases as long as it lives.
    Column("holder", String(64)),
    Column("beat", BigInteger, nullable=False),
    UniqueConstraint("name", name="uq_streams_name"),
)

stream_refusals: Final = Table(
    "stream_refusals",
    metadata,
    Column("stream_id", String(64), primary_key=True),
    # Indices of the first and the last event, and how many between them were refused.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("status", Integer),
    Column("at", UnixMilliseconds, nullable=False),
)

alert_rules: Final = Table(
    "alert_rules",
    metadata,
    Column("rule_id", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("kind", String(16), nullable=False),
    # An `AlertRuleDefinition` as JSON; `name` as above.
    Column("definition", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("learns_until", BigInteger, nullable=False),
    Column("last_alert_at", UnixMilliseconds),
    Column("forgotten", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UnixMilliseconds, nullable=False),
    Column("changed_at", UnixMilliseconds, nullable=False),
    # The lease of the process that evaluates the rule.
    Column("holder", String(64)),
    Column("beat", BigInteger, nullable=False),
    UniqueConstraint("name", name="uq_alert_rules_name"),
)

alert_memory: Final = Table(
    "alert_memory",
    metadata,
    Column("rule_id", String(64), primary_key=True),
    # Keyed digest of the values of the key.
    Column("key_digest", String(64), primary_key=True),
    Column("data", Text, nullable=False),
    # Unix second of the newest event.
    Column("at", BigInteger, nullable=False),
    # NULL if the events are of several customers.
    Column("customer_id", BigInteger),
)
