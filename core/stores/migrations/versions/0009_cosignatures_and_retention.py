"""Create the tables of cosignatures and of retention rules."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # no second index for the key


def upgrade() -> None:
    """Apply this revision."""
    _create(
        "ledger_cosignatures",
        sa.Column("size", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
    )
    _create(
        "retention_rules",
        sa.Column("event_type", sa.String(255), primary_key=True),
        sa.Column("customer", sa.String(20), primary_key=True),
        sa.Column("keep_days", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("retention_rules")
    op.drop_table("ledger_cosignatures")


def _create(name: str, *columns: sa.Column[Any]) -> None:
    """Create a table. MySQL commits each one before the revision, so one that exists is skipped there."""
    dialect = op.get_context().dialect
    op.create_table(
        name,
        *columns,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin",
        if_not_exists=dialect.name == "mysql",
    )
