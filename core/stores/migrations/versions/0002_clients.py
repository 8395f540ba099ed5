"""Create the table of clients."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    dialect = op.get_context().dialect
    op.create_table(
        "clients",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("customers", sa.JSON),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("previous_secret_digest", sa.String(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("disabled_at", sa.BigInteger),
        # MySQL: a collation that compares exactly; schema changes commit before the revision does.
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin",
        if_not_exists=dialect.name == "mysql",
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("clients")
