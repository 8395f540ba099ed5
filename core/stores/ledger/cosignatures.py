"""Cosignatures of the ledger's checkpoints by witnesses, in the database, so that every process can serve them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, insert

from core.stores.connections import open_connection
from core.stores.schema import ledger_cosignatures


def store_cosignatures(engine: Engine, size: int, lines: str, clock: Callable[[], float] = time.time) -> None:
    """Store the signature lines of the witnesses under the signed checkpoint of `size`, in place of earlier ones.

    Raises:
        StoreUnavailableError: the database is unreachable; nothing was changed.
    """
    at = datetime.fromtimestamp(clock(), UTC)
    with open_connection(engine) as connection:
        connection.execute(delete(ledger_cosignatures).where(ledger_cosignatures.c.size == size))
        connection.execute(insert(ledger_cosignatures).values(size=size, at=at, lines=lines))
        connection.commit()
