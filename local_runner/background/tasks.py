"""The background tasks of a process that stores events, each in a thread: what a request never waits for.

Of any number of such processes at once, all integrate and apply retention, those with the key sign, and one acts for
each stream and for the alert rules.
"""

from collections.abc import Callable
from typing import Final

from core.ports.telemetry import Check, Meter
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from local_runner.background.attestation import Attestation
from local_runner.background.daily_check import DailyCheck
from local_runner.background.feed_workers import FeedThreads, feed_checks
from local_runner.background.integrator import IntegratedLedger, Integrator
from local_runner.background.retention import RetentionTimer
from local_runner.background.signer import GUARD_NAME, Signer


class BackgroundTasks:
    """Indices, signatures, witnesses and anchors of the ledger, its daily check, retention, streams and alert rules."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        meter: Meter,
        on_indices: Callable[[], object] = lambda: None,
        storing: IntegratedLedger | None = None,
    ) -> None:
        """Open what the tasks need. `on_indices` is called when stored events got their indices in the ledger.

        With `storing` that process gives the indices, without it this one does.

        Raises:
            InvalidSettingsError: the key of the ledger, the policy of its witnesses or an anchor cannot be used.
        """
        self._settings = settings
        self._database = database
        self._signer: Final = Signer(settings, database)
        self._daily_check: Final = DailyCheck(settings.store_url, settings.data_dir / GUARD_NAME)
        self._attestation: Final = Attestation(settings, database, meter)
        self._feed: FeedThreads | None = None
        self._rounds = [
            Integrator(storing or database.ledger, on_indices=on_indices).rounds,
            self._signer.rounds,
            *([self._daily_check.rounds] if self._has_guard and database.keeps_ledger else []),
            *self._attestation.rounds,
            RetentionTimer(database).rounds,
        ]

    def checks(self, services: Callable[[], Services]) -> dict[str, Check]:
        """Return the checks of the tasks; none on MongoDB, which has neither ledger nor feed.

        `services` are those that `start` gets, once they exist.
        """
        if not self._database.keeps_ledger:
            return {}
        return {
            "signing": self._signer.check,
            **({"history": self._daily_check.check} if self._has_guard else {}),
            **self._attestation.checks,
            **feed_checks(services),
        }

    def start(self, services: Services) -> None:
        """Start the threads."""
        for each in self._rounds:
            each.start()
        self._feed = FeedThreads(self._settings, services)

    def leave_feed(self) -> None:
        """Let other processes act for streams and alert rules, before this one finishes what it stores."""
        if self._feed:
            self._feed.close()

    def close(self) -> None:
        """Begin no further round of any task, and wait briefly for the current ones."""
        for each in self._rounds:
            each.close()

    @property
    def _has_guard(self) -> bool:
        """Whether the guard, which a check compares with the ledger, is on this host: where the ledger is signed."""
        return self._settings.queue_in_process or self._settings.ledger_key_file is not None
