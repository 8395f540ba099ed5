"""Create the table of events with an index for each filter."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_events_customer_type_time": ("customer_id", "event_type", "timestamp_utc", "event_id"),
    "ix_events_customer_time": ("customer_id", "timestamp_utc", "event_id"),
    "ix_events_type_time": ("event_type", "timestamp_utc", "event_id"),
    "ix_events_time": ("timestamp_utc", "event_id"),
}

_POSTGRESQL = """
CREATE TABLE events (
    event_id uuid NOT NULL,
    event_type varchar(255) NOT NULL,
    customer_id bigint NOT NULL,
    timestamp_utc bigint NOT NULL,
    event_data jsonb NOT NULL,
    received_at bigint NOT NULL,
    recorded_by varchar(255) NOT NULL
) PARTITION BY RANGE (timestamp_utc);
CREATE INDEX ix_events_data ON events USING gin (event_data jsonb_path_ops);
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE event_ids (event_id uuid PRIMARY KEY, timestamp_utc bigint NOT NULL)
"""

# One statement, so that a failure leaves nothing behind. IF NOT EXISTS, because it commits before the revision does.
_MYSQL = """
CREATE TABLE IF NOT EXISTS events (
    event_id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    event_type varchar(255) NOT NULL,
    customer_id bigint NOT NULL,
    timestamp_utc bigint NOT NULL,
    event_data longtext NOT NULL,
    received_at bigint NOT NULL,
    recorded_by varchar(255) NOT NULL,
    {indexes}
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE {collation}
"""


def upgrade() -> None:
    """Apply this revision."""
    dialect = op.get_context().dialect
    if dialect.name == "mysql":
        indexes = ", ".join(f"INDEX {name} ({', '.join(columns)})" for name, columns in _INDEXES.items())
        collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        op.execute(_MYSQL.format(indexes=indexes, collation=collation))
        return
    if dialect.name == "postgresql":
        for statement in _POSTGRESQL.split(";"):
            op.execute(statement)
    else:
        op.create_table(
            "events",
            sa.Column("event_id", sa.String(36), primary_key=True),
            sa.Column("event_type", sa.String(255), nullable=False),
            sa.Column("customer_id", sa.BigInteger, nullable=False),
            sa.Column("timestamp_utc", sa.BigInteger, nullable=False),
            sa.Column("event_data", sa.JSON, nullable=False),
            sa.Column("received_at", sa.BigInteger, nullable=False),
            sa.Column("recorded_by", sa.String(255), nullable=False),
        )
    for name, columns in _INDEXES.items():
        op.create_index(name, "events", columns)


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("events")
    if op.get_context().dialect.name == "postgresql":
        op.drop_table("event_ids")
