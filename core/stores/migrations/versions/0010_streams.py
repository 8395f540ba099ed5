"""Create the tables of streams and of the events that their destinations refused."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    _create(
        "streams",
        sa.Column("stream_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("last_status", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("name", name="uq_streams_name"),
    )
    _create(
        "stream_refusals",
        sa.Column("stream_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("stream_refusals")
    op.drop_table("streams")


def _create(name: str, *columns: sa.Column[Any] | sa.UniqueConstraint) -> None:
    """Create a table. MySQL commits each one before the revision, so one that exists is skipped there."""
    dialect = op.get_context().dialect
    op.create_table(
        name,
        *columns,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin",
        if_not_exists=dialect.name == "mysql",
    )
