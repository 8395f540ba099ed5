"""Index the receive times of events: a reconciliation counts rows by them, and an export finds the newest one."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NAME = "ix_events_received"


def upgrade() -> None:
    """Apply this revision."""
    # MySQL commits the index before the revision, and has no IF NOT EXISTS for it.
    if _NAME not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("events")}:
        op.create_index(_NAME, "events", ["received_at"])


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_index(_NAME, "events")
