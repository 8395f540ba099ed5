"""Create the tables of alert rules and of what they remember."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    _create(
        "alert_rules",
        sa.Column("rule_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("learns_until", sa.BigInteger, nullable=False),
        sa.Column("last_alert_at", sa.BigInteger),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("name", name="uq_alert_rules_name"),
    )
    _create(
        "alert_memory",
        sa.Column("rule_id", sa.String(64), primary_key=True),
        sa.Column("key_digest", sa.String(64), primary_key=True),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("customer_id", sa.BigInteger),
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("alert_memory")
    op.drop_table("alert_rules")


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
