"""Counts the accepted events of this process, for their reconciliation with the stored ones."""

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final

from core.domain.models import Event
from core.domain.reconciliation import minute_of, moment_of
from core.errors import AuditLogError
from core.stores.event_counters import ACCEPTED, NUMBERED, REPEATED, CounterKind, EventCounters
from local_runner.spool.slot import SlotHistory

FLUSH_SECONDS: Final = 1.0
"""Pause between two writes of the counts to the event store."""

_log = logging.getLogger(__name__)


class AcceptanceCounter:
    """Implements `AcceptanceRecorder`: counts in memory; a background thread adds the counts to the event store.

    A killed process leaves its last second uncounted. The next one counts those events, in the minute of the last
    write, since the sequence numbers of the spool say how many there were; without a spool they stay uncounted. Events
    that were counted under a former name of their slot are not counted again. An event store that knows none of its
    names, such as a new one in place of one that was lost, counts them all: a reconciliation misses the lost ones.
    """

    def __init__(self, event_counters: EventCounters, recovered_slots: Sequence[SlotHistory] = ()) -> None:
        """Count the events that earlier processes left uncounted. The slot that is appended to comes first.

        Raises:
            StoreUnavailableError: the counts of earlier processes cannot be read or written.
        """
        self._event_counters = event_counters
        self._source: Final = recovered_slots[0].names[0] if recovered_slots else uuid.uuid4().hex
        self._counts: Counter[tuple[int, CounterKind]] = Counter()
        self._lock = Lock()
        # The minute that was counted in last, and its bounds: two comparisons cost a tenth of `minute_of`.
        self._minute, self._minute_start, self._minute_end = 0, moment_of(0), moment_of(0)
        self._stop = Flag()
        for history in recovered_slots:
            counted = [event_counters.count(name, 0, NUMBERED) for name in history.names]
            uncounted = history.accepted - next((count for count in counted if count), 0)
            # The difference is negative if segments were removed, since the sequence numbers then begin again.
            counts: dict[tuple[int, CounterKind], int] = {(0, NUMBERED): history.accepted - counted[0]}
            if uncounted > 0:
                counts[int(history.written_at) // 60, ACCEPTED] = uncounted
            event_counters.add(history.names[0], counts)
        self._thread = Thread(target=self._flush_periodically, name="acceptance-counter", daemon=True)
        self._thread.start()

    def record(self, events: Sequence[Event], repeats: Sequence[Event] = ()) -> None:
        """See `AcceptanceRecorder.record`."""
        with self._lock:
            for minute, count in Counter([self._minute_of(event.received_at) for event in events]).items():
                self._counts[minute, ACCEPTED] += count
            self._counts[0, NUMBERED] += len(events)  # repeats have no sequence number in the spool
            for event in repeats:
                minute = self._minute_of(event.received_at)
                self._counts[minute, ACCEPTED] += 1
                self._counts[minute, REPEATED] += 1

    def close(self) -> None:
        """Write the remaining counts and stop the thread."""
        self._stop.set()
        self._thread.join()

    def _minute_of(self, moment: datetime) -> int:
        if not self._minute_start <= moment < self._minute_end:
            self._minute = minute_of(moment)
            self._minute_start, self._minute_end = moment_of(self._minute), moment_of(self._minute + 1)
        return self._minute

    def _flush_periodically(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            if counts:
                self._event_counters.add(self._source, counts)
        except AuditLogError as exc:
            # Written when the store is back. That it is away is the consumer's to report.
            _log.debug("accepted_counts_deferred", extra={"reason": repr(exc.__cause__)})
            with self._lock:
                self._counts += counts
