"""Leases in rows of a table: the columns `holder`, `beat` and `version`. `core.domain.leases` says when one is free."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, Table, update

from core.stores.connections import open_connection


class RowLeases:
    """Changes the leases of the rows of a table, each in its own transaction."""

    def __init__(self, engine: Engine, table: Table, key: Column[str]) -> None:
        self._engine = engine
        self._table = table
        self._key = key

    def take(self, row_id: str, version: int, seen: tuple[str | None, int], holder: str) -> bool:
        """Take over a row unless its version, or the holder and beat that were `seen`, have changed."""
        columns = self._table.c
        same = (
            self._key == row_id,
            columns.version == version,
            columns.holder.is_not_distinct_from(seen[0]),
            columns.beat == seen[1],
        )
        return self._update(*same, holder=holder, beat=seen[1] + 1)

    def beat(self, holders: Sequence[str]) -> None:
        """Show that these holders live."""
        self._update(self._table.c.holder.in_(holders), beat=self._table.c.beat + 1)

    def release(self, row_id: str, holder: str) -> None:
        """Let a row go, so that the next holder need not wait."""
        self._update(self._key == row_id, self._table.c.holder == holder, holder=None)

    def _update(self, *conditions: ColumnElement[bool], **values: Any) -> bool:
        with open_connection(self._engine) as connection:
            changed = connection.execute(update(self._table).where(*conditions).values(**values)).rowcount > 0
            connection.commit()
        return changed
