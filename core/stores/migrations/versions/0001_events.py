"""The events table and the indexes behind its filters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
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
    order = ["timestamp_utc", "event_id"]
    op.create_index("ix_events_customer_type_time", "events", ["customer_id", "event_type", *order])
    op.create_index("ix_events_customer_time", "events", ["customer_id", *order])
    op.create_index("ix_events_type_time", "events", ["event_type", *order])
    op.create_index("ix_events_time", "events", order)


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("events")
