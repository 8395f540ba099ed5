"""Notes how many events were accepted, beside the count of those that were stored."""

import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final

from core.errors import StoreUnavailableError
from core.models import Event
from core.stores.tallies import ACCEPTED, SqlTallies, Tally, minute_of

NOTE_SECONDS: Final = 1.0
"""How often what was counted is noted: so much of it a process that is killed may leave uncounted."""

_log = logging.getLogger(__name__)


class AcceptedLedger:
    """Implements `Ledger`: counts in memory, and notes the counts in the event store by a thread of its own."""

    def __init__(self, tallies: SqlTallies) -> None:
        self._tallies = tallies
        self._source: Final = uuid.uuid4().hex
        self._counts: Counter[tuple[int, Tally]] = Counter()
        self._lock = Lock()
        self._stop = Flag()
        self._thread = Thread(target=self._keep_noting, name="ledger", daemon=True)
        self._thread.start()

    def accepted(self, events: Sequence[Event]) -> None:
        """See `Ledger.accepted`."""
        with self._lock:
            for event in events:
                self._counts[minute_of(event.received_at), ACCEPTED] += 1

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
        except StoreUnavailableError as exc:
            # They are noted when the store is back; the consumer says already that it is away.
            _log.debug("the accepted events cannot be noted now", extra={"reason": repr(exc.__cause__)})
            with self._lock:
                self._counts += counts
