"""Add the time from which on a client's tokens are valid, so that a rotation can revoke the earlier ones."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NAME = "tokens_not_before"


def upgrade() -> None:
    """Apply this revision."""
    # MySQL commits the column before the revision.
    if _NAME not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("clients")}:
        op.add_column("clients", sa.Column(_NAME, sa.BigInteger))


def downgrade() -> None:
    """Revert to the previous revision."""
    op.drop_column("clients", _NAME)
