"""Create the table of the sessions of people."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    dialect = op.get_context().dialect
    op.create_table(
        "sessions",
        sa.Column("digest", sa.CHAR(64), primary_key=True),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("customers", sa.Text),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin",
        if_not_exists=dialect.name == "mysql",
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("sessions")
