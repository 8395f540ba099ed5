"""Times of positions in the feed, from the numbers of batches, which begin with the time of their storing.

Indices are given after the commit, so that the order of indices is that of times but for the duration of transactions
and the differences between the clocks of processes. `_DISORDER` bounds both.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from core.stores.schema import ledger_batches
from core.stores.sealing import first_number_at, seconds_of

_DISORDER: Final = timedelta(minutes=5)

_BATCHES: Final = select(ledger_batches.c.first_index, ledger_batches.c.size, ledger_batches.c.number)
_INDEX: Final = ledger_batches.c.first_index


def position_at(connection: Connection, moment: datetime, end: int) -> int:
    """Return the lowest index of the batches that were stored at `moment` or later; `end` if there is none."""
    low, high = 0, end
    earliest = (moment - _DISORDER).timestamp()
    while low < high:
        batch = connection.execute(_BATCHES.where((low + high) // 2 >= _INDEX).order_by(_INDEX.desc()).limit(1)).one()
        if seconds_of(batch.number) < earliest:
            low = batch.first_index + batch.size
        else:
            high = max(low, batch.first_index)
    late = ledger_batches.c.number >= first_number_at(moment.timestamp())
    found = connection.execute(_BATCHES.where(low <= _INDEX, end > _INDEX, late).order_by(_INDEX).limit(1)).first()
    return found.first_index if found else end


def stored_at(connection: Connection, position: int) -> datetime | None:
    """Return when the batch with an index was stored; None if there is no such batch."""
    batch = connection.execute(_BATCHES.where(position >= _INDEX).order_by(_INDEX.desc()).limit(1)).first()
    return datetime.fromtimestamp(seconds_of(batch.number), UTC) if batch else None
