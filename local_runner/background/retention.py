"""The retention timer: applies the retention rules once an hour, in each process that stores events."""

import logging
from datetime import UTC, datetime
from typing import Final

from core.errors import PurgeRefusedError
from core.stores.database import Database
from local_runner.background.rounds import Rounds

PAUSE_SECONDS: Final = 3600.0

_ACTION: Final = "Release the hold by `audit-log hold release` when its reason has ended."

_log = logging.getLogger(__name__)


class RetentionTimer:
    """Deletes due events in `rounds`. Several processes may do so at once."""

    def __init__(self, database: Database, pause: float = PAUSE_SECONDS) -> None:
        self._database = database
        self.rounds: Final = Rounds("retention", pause, self._apply)

    def _apply(self) -> None:
        try:
            purged = self._database.retention.purge(now=datetime.now(UTC), pause=self.rounds.stop.wait)
        except PurgeRefusedError as exc:
            _log.error("retention_refused", extra={"reason": str(exc), "action": "Nothing is deleted until then."})
        else:
            if deleted := purged.deleted:
                _log.info("retention_applied", extra={"events": deleted.total(), "months": len(deleted)})
            for hold, events in purged.kept.items():
                _log.info("retention_held", extra={"hold": hold, "events": events, "action": _ACTION})
