"""Tables of the newest schema. The migrations bring a database to it."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import CHAR, JSON, BigInteger, Column, Dialect, Index, MetaData, String, Table, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB, UUID

from core.stores.json_text import FoldedJSON

metadata: Final = MetaData()


def unix_milliseconds(value: datetime) -> int:
    """Return milliseconds since 1970, exactly; fractions of a millisecond are cut off."""
    return int(value.timestamp()) * 1000 + value.microsecond // 1000


class UnixMilliseconds(TypeDecorator[datetime]):
    """Aware datetime, stored as milliseconds since 1970: exact, ordered and equal in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Encode a value for the database."""
        return None if value is None else unix_milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Decode a value from the database."""
        if value is None:
            return None
        seconds, milliseconds = divmod(value, 1000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)


events: Final = Table(
    "events",
    metadata,
    # Text instead of bytes, so that a database shell shows the ids that the service prints.
    Column(
        "event_id",
        String(36).with_variant(UUID(as_uuid=False), "postgresql").with_variant(CHAR(36), "mysql"),
        primary_key=True,
    ),
    Column("event_type", String(255), nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("timestamp_utc", BigInteger, nullable=False),
    Column(
        "event_data", JSON().with_variant(JSONB(), "postgresql").with_variant(FoldedJSON(), "mysql"), nullable=False
    ),
    Column("received_at", UnixMilliseconds, nullable=False),
    Column("recorded_by", String(255), nullable=False),
    # Listings are ordered by (timestamp_utc, event_id). Each index has the filtered columns first and these two last,
    # so that a page is read from it without sorting.
    Index("ix_events_customer_type_time", "customer_id", "event_type", "timestamp_utc", "event_id"),
    Index("ix_events_customer_time", "customer_id", "timestamp_utc", "event_id"),
    Index("ix_events_type_time", "event_type", "timestamp_utc", "event_id"),
    Index("ix_events_time", "timestamp_utc", "event_id"),
    Index("ix_events_received", "received_at"),
)

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
