"""Create the tables of the ledger, the columns of events that refer to them, and the key of the feed's cursors.

The new columns of events are nullable: the version before stores events without them.
"""

import os
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "ledger_batches",
    "ledger_nodes",
    "ledger_checkpoints",
    "ledger_origins",
    "erasures",
    "dropped_months",
    "service_keys",
)
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # no second index for the key
_BLOB = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")
_EVENT_ID = (
    sa.String(36)
    .with_variant(sa.UUID(as_uuid=False), "postgresql")
    .with_variant(mysql.CHAR(36, charset="ascii", collation="ascii_bin"), "mysql")
)


def upgrade() -> None:
    """Apply this revision."""
    # Hexadecimal on SQLite, where rows are inserted from JSON.
    _add_to_events("salts", _bytes(32).with_variant(sa.CHAR(64), "sqlite"))
    _add_to_events("batch", sa.BigInteger())
    _add_to_events("place", sa.Integer())
    _create(
        "ledger_batches",
        sa.Column("number", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("first_index", sa.BigInteger),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("ids", _BLOB, nullable=False),
        sa.Column("months", _BLOB, nullable=False),
        sa.Column("customers", _BLOB, nullable=False),
        sa.Column("commitments", _BLOB),
        sa.UniqueConstraint("first_index", name="uq_ledger_batches_first_index"),
    )
    _create(
        "ledger_nodes",
        sa.Column("height", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", _bytes(32), nullable=False),
        sqlite_with_rowid=False,
    )
    _create(
        "ledger_checkpoints",
        sa.Column("size", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("previous", sa.BigInteger, nullable=False),
        sa.Column("root", _bytes(32)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text),
        sa.UniqueConstraint("previous", name="uq_ledger_checkpoints_previous"),
    )
    _create(
        "ledger_origins",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("since_size", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
    )
    _create(
        "erasures",
        sa.Column("event_id", _EVENT_ID, primary_key=True),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("by_event", _EVENT_ID, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("head_salt", _bytes(16)),
        sa.Column("data_digest", _bytes(32)),
    )
    _create(
        "dropped_months",
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    _create(
        "service_keys",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", _bytes(32), nullable=False),
    )
    keys = sa.table("service_keys", sa.column("name"), sa.column("value", sa.LargeBinary))
    if not op.get_bind().scalar(sa.select(sa.func.count()).select_from(keys)):
        op.execute(sa.insert(keys).values(name="feed", value=os.urandom(32)))


def downgrade() -> None:
    """Revert to the previous revision."""
    for name in _TABLES:
        op.drop_table(name)
    for name in ("place", "batch", "salts"):
        op.drop_column("events", name)


def _bytes(size: int) -> Any:
    return sa.LargeBinary(size).with_variant(mysql.BINARY(size), "mysql")


# MySQL commits each change before the revision, so both of these skip what exists.


def _add_to_events(name: str, kind: Any) -> None:
    if name not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("events")}:
        op.add_column("events", sa.Column(name, kind))


def _create(name: str, *parts: sa.Column[Any] | sa.UniqueConstraint, **options: bool) -> None:
    dialect = op.get_context().dialect
    op.create_table(
        name,
        *parts,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin",
        if_not_exists=dialect.name == "mysql",
        **options,
    )
