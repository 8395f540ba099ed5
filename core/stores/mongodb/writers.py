"""Writers: who stored an event, so that each event is counted as stored once, although nothing here is a transaction.

A batch is inserted first, each event with its writer and the number of the batch, and counted afterwards, by one change
of the writer's document in `counters`. If a process is killed in between, or the server's answer is lost, the queue
delivers the events again. They are duplicates then, and the document of their writer shows that their batch was not
counted. The writer that stores them *closes* that document, so that its writer cannot count them any more, and takes
them over: it writes its own name and batch into the events. What it changed, it counts. A writer that finds its
document closed takes its own events over in the same way. So each event has one writer at any time, and one of them
counts it.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from threading import local
from typing import Final

from core.domain.reconciliation import minute_of
from core.errors import StoreUnavailableError
from core.stores import event_counters
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.documents import Origin
from core.stores.mongodb.event_counters import to_update

_WRITER_SECONDS: Final = 3600
_IDS_PER_QUERY: Final = 1_000
_ATTEMPTS: Final = 10


class Batch:
    """A batch of one writer, to be counted once."""

    def __init__(self, connection: Connection, writer: str, number: int) -> None:
        self._connection = connection
        self.writer = writer
        self.number = number

    def take_over(self, found: Mapping[str, Origin]) -> list[datetime]:
        """Take events over whose batches were never counted; return their receive times.

        Raises:
            StoreUnavailableError: others take them over again and again; trying again later helps.
        """
        times: list[datetime] = []
        for _ in range(_ATTEMPTS):
            by_batch: dict[Origin, list[str]] = defaultdict(list)
            for event_id, origin in found.items():
                by_batch[origin].append(event_id)
            uncounted = {origin: ids for origin, ids in by_batch.items() if self._close(*origin)}
            adopted: dict[str, datetime] = {}
            for (writer, number), ids in uncounted.items():
                adopted |= self._adopt(ids, writer, number)
            times += adopted.values()
            # Some may have got another writer meanwhile, also by a request that was given up and is still carried out.
            left = [event_id for ids in uncounted.values() for event_id in ids if event_id not in adopted]
            if not left:
                return times
            found = self._origins(left)
        raise StoreUnavailableError("Others store the same events at the same time: try again later.")

    def reclaim(self, ids: Collection[str], former: "Batch") -> list[datetime]:
        """Take the events over that this process stored as a batch that was closed, except those that others took."""
        return list(self._adopt(list(ids), former.writer, former.number).values())

    def count(self, counts: event_counters.Counts) -> bool:
        """Add `counts` as those of this batch; return whether it was still open."""
        update = to_update(counts)
        update["$max"] = update.get("$max", {}) | {"batch": self.number}
        counters = self._connection.writes.counters
        return counters.update_one({"_id": self.writer, "closed": False}, update).matched_count == 1

    def _close(self, writer: str, number: int) -> bool:
        """Close a batch that was not counted; return whether it was not."""
        counters = self._connection.writes.counters
        uncounted = {"_id": writer, "batch": {"$lt": number}}
        return counters.update_one(uncounted, {"$set": {"closed": True}}).matched_count == 1

    def _adopt(self, ids: Sequence[str], writer: str, number: int) -> dict[str, datetime]:
        """Take over those of these events that are still of this writer and batch; return their receive times."""
        events = self._connection.writes.events
        times: dict[str, datetime] = {}
        mine = {"writer": self.writer, "batch": self.number}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            part = {"_id": {"$in": ids[start : start + _IDS_PER_QUERY]}}
            events.update_many(part | {"writer": writer, "batch": number}, {"$set": mine})
            times.update((each["_id"], each["received_at"]) for each in events.find(part | mine, {"received_at": 1}))
        return times

    def _origins(self, ids: Sequence[str]) -> dict[str, Origin]:
        found = self._connection.writes.events.find({"_id": {"$in": ids}}, {"writer": 1, "batch": 1})
        return {each["_id"]: (each["writer"], int(each["batch"])) for each in found}


class Writers:
    """The writer of each thread. It changes every hour, so that a document covers few minutes, and after a failure."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._current = local()

    def next_batch(self) -> Batch:
        """Begin a batch. The document of its writer exists before its first event does."""
        if time.monotonic() > getattr(self._current, "ends_at", 0.0):
            writer = uuid.uuid4().hex
            self._connection.writes.counters.insert_one(
                {"_id": writer, "source": writer, "batch": 0, "closed": False, "c": {}}
            )
            self._current.writer, self._current.number = writer, 0
            self._current.ends_at = time.monotonic() + _WRITER_SECONDS
        self._current.number += 1
        return Batch(self._connection, self._current.writer, self._current.number)

    def abandon(self) -> None:
        """Begin with a new writer next time: batches of one writer are counted in order, or not at all."""
        self._current.ends_at = 0.0


def by_minute(kind: event_counters.CounterKind, times: Iterable[datetime]) -> event_counters.Counts:
    """Count times by minute, as counters of one kind."""
    counts: dict[tuple[int, event_counters.CounterKind], int] = defaultdict(int)
    for at in times:
        counts[minute_of(at), kind] += 1
    return counts
