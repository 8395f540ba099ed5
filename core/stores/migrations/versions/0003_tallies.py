"""Create the table of event counters."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "tallies",
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.String(16), primary_key=True),
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        if_not_exists=op.get_context().dialect.name == "mysql",  # it commits before the revision does
    )


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_table("tallies")
