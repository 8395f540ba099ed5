"""Event counters: one document for each source and hour, so that all counts of a batch are one atomic change.

`c` has the counts by minute and kind, `first` and `last` are the minutes that it covers (without minute 0), `batch` is
the number of the newest batch in it, and `closed` means that nothing may be added any more, see `writers`.
"""

import contextlib
import time
from collections import Counter
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from core.stores.event_counters import CounterKind, Counts
from core.stores.mongodb.connection import READ_SECONDS, Connection, Document, reading, writing

_HOUR: Final = 3600


def to_update(counts: Counts) -> Document:
    """Return the update that adds `counts` to a document."""
    minutes = [minute for minute, _ in counts if minute]
    added = {f"c.{minute}.{kind}": count for (minute, kind), count in counts.items()}
    update: Document = {"$inc": added} if added else {}  # servers before MongoDB 5 reject an empty one
    if minutes:
        update |= {"$min": {"first": min(minutes)}, "$max": {"last": max(minutes)}}
    return update


def count_once(connection: Connection, source: str, counts: Counts) -> None:
    """Add `counts` as the only ones of `source`; again without effect."""
    update = to_update(counts) | {"$set": {"source": source, "batch": 1}}
    with contextlib.suppress(DuplicateKeyError):  # the document exists, and has them
        connection.writes.counters.update_one({"_id": source, "batch": {"$exists": False}}, update, upsert=True)


class MongoEventCounters:
    """Implements `EventCounters`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, source: str, counts: Counts) -> None:
        """See `EventCounters.add`."""
        key = f"{source}/{int(time.time()) // _HOUR}"
        if not counts:
            return
        with writing():
            update = to_update(counts) | {"$set": {"source": source}}
            self._connection.writes.counters.update_one({"_id": key}, update, upsert=True)

    def count(self, source: str, minute: int, kind: CounterKind) -> int:
        """See `EventCounters.count`."""
        with writing():
            found = self._connection.writes.counters.find({"source": source}, {f"c.{minute}.{kind}": 1})
            return sum(_count(document, minute, kind) for document in found)

    def sums(self, start: int, end: int) -> Counter[CounterKind]:
        """See `EventCounters.sums`."""
        query = {"last": {"$gte": start}, "first": {"$lt": end}}
        sums: Counter[CounterKind] = Counter()
        with reading():
            for document in self._connection.reads.counters.find(query, {"c": 1}, max_time_ms=int(READ_SECONDS * 1000)):
                for minute, counts in document["c"].items():
                    if start <= int(minute) < end:
                        sums.update(counts)
        return sums


def _count(document: Document, minute: int, kind: CounterKind) -> int:
    counts: dict[str, Any] = document.get("c", {}).get(str(minute), {})
    return int(counts.get(kind, 0))
