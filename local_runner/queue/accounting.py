"""Notes how many events were accepted, beside the count of those that were stored."""

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final

from core.domain.models import Event
from core.errors import AuditLogError
from core.stores.event_counters import ACCEPTED, NUMBERED, CounterKind, SqlEventCounters, minute_of
from local_runner.spool.slot import SlotHistory

NOTE_SECONDS: Final = 1.0
"""How often what was counted is noted."""

_log = logging.getLogger(__name__)


class AcceptanceCounter:
    """Implements `AcceptanceRecorder`: counts in memory; a background thread adds the counts to the event store.

    A process that is killed leaves its last second uncounted. Its spool knows how many there were, so the next process
    counts them, in the minute of its death; without a spool they stay uncounted.
    """

    def __init__(self, event_counters: SqlEventCounters, recovered_slots: Sequence[SlotHistory] = ()) -> None:
        """`recovered_slots` are of the spool's slots, first the one that goes on.

        Raises:
            StoreUnavailableError: the counts of earlier processes cannot be read.
        """
        self._tallies = event_counters
        self._source: Final = recovered_slots[0].slot if recovered_slots else uuid.uuid4().hex
        self._counts: Counter[tuple[int, CounterKind]] = Counter()
        self._lock = Lock()
        self._stop = Flag()
        for past in recovered_slots:
            uncounted = past.accepted - event_counters.count(past.slot, 0, NUMBERED)
            # Negative where the spool was removed: the numbers begin anew.
            counts: dict[tuple[int, CounterKind], int] = {(0, NUMBERED): uncounted}
            if uncounted > 0:
                counts[int(past.written_at) // 60, ACCEPTED] = uncounted
            event_counters.add(past.slot, counts)
        self._thread = Thread(target=self._keep_noting, name="ledger", daemon=True)
        self._thread.start()

    def accepted(self, events: Sequence[Event]) -> None:
        """See `Ledger.accepted`."""
        with self._lock:
            for event in events:
                self._counts[minute_of(event.received_at), ACCEPTED] += 1
            self._counts[0, NUMBERED] += len(events)

    def close(self) -> None:
        """Note what was counted last."""
        self._stop.set()
        self._thread.join()

    def _keep_noting(self) -> None:
        while not self._stop.wait(NOTE_SECONDS):
            self._note()
        self._note()

    def _note(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            if counts:
                self._tallies.add(self._source, counts)
        except AuditLogError as exc:
            # They are noted when the store is back; the consumer says already that it is away.
            _log.debug("the accepted events cannot be noted now", extra={"reason": repr(exc.__cause__)})
            with self._lock:
                self._counts += counts
