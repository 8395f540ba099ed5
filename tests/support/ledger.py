"""What the ledger's tables say, decoded without the code that wrote them."""

import struct
import uuid
from typing import NamedTuple

from sqlalchemy import Engine, select

from core.stores.schema import events, ledger_batches


class Batch(NamedTuple):
    """One row of `ledger_batches`."""

    number: int
    first_index: int | None
    size: int
    ids: list[str]
    months: list[int]
    customers: list[int]
    commitments: list[bytes]


def batches(engine: Engine) -> list[Batch]:
    """All batches, in the order of their indices, the pending ones last by number."""
    with engine.connect() as connection:
        rows = connection.execute(select(ledger_batches).order_by(ledger_batches.c.number)).all()
    found = [
        Batch(
            row.number,
            row.first_index,
            row.size,
            [str(uuid.UUID(bytes=row.ids[start : start + 16])) for start in range(0, len(row.ids), 16)],
            [month for (month,) in struct.iter_unpack(">i", row.months)],
            [customer for (customer,) in struct.iter_unpack(">q", row.customers)],
            [row.commitments[start : start + 32] for start in range(0, len(row.commitments or b""), 32)],
        )
        for row in rows
    ]
    return sorted(found, key=lambda batch: (batch.first_index is None, batch.first_index or 0))


def places(engine: Engine) -> dict[str, tuple[int, int]]:
    """Batch and place of every stored event, by id."""
    query = select(events.c.event_id, events.c.batch, events.c.place)
    with engine.connect() as connection:
        return {event_id: (batch, place) for event_id, batch, place in connection.execute(query)}


def indices(engine: Engine) -> dict[str, int]:
    """Index of every event that has one, by id."""
    return {
        event_id: batch.first_index + place
        for batch in batches(engine)
        if batch.first_index is not None
        for place, event_id in enumerate(batch.ids)
    }


def faults(engine: Engine) -> list[str]:
    """Every way in which the tables contradict each other: none if each stored event is in exactly one batch.

    The indices of batches that have one must begin at 0, without a gap and without an overlap.
    """
    found = []
    all_batches, stored = batches(engine), places(engine)
    listed = [(event_id, (batch.number, place)) for batch in all_batches for place, event_id in enumerate(batch.ids)]
    if sorted(listed) != sorted(stored.items()):
        found.append(f"{len(stored)} events, {len(listed)} in batches, {len(set(listed) ^ set(stored.items()))} differ")
    end = 0
    for batch in all_batches:
        if not batch.size == len(batch.ids) == len(batch.months) == len(batch.customers) > 0:
            found.append(f"batch {batch.number} has lists of other lengths than {batch.size}")
        if batch.first_index not in {None, end}:
            found.append(f"batch {batch.number} begins at {batch.first_index} in place of {end}")
        end += batch.size if batch.first_index is not None else 0
    return found
