"""The threads that act on stored events, in each process that stores them: for streams and for alert rules.

Of any number of processes one acts for a stream, and one for all rules; the others look whether it still lives.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from core.ports.telemetry import Check
from core.settings import Settings
from core.wiring import Services
from local_runner.background.rounds import Rounds

PAUSE_SECONDS: Final = 1.0
"""Time between two rounds: the longest delay until an event that has an index is dealt with."""

IDLE_ROUNDS: Final = 5
"""How many pauses a worker that holds nothing waits, since each round reads the database."""


class FeedWorker(Protocol):
    """Deals with the events of the feed in rounds."""

    @property
    def holds_any(self) -> bool:
        """Whether this process holds a stream, or the rules."""

    def round(self) -> object:
        """Take over from holders that are gone, and deal with new events. Raises StoreUnavailableError."""

    def close(self) -> None:
        """Wait briefly for the current batch, and let other processes take over."""


class FeedThreads:
    """Runs the workers until `close`, unless the settings keep this process out of it (AUDIT_LOG_STREAMS=off)."""

    def __init__(self, settings: Settings, services: Services, pause: float = PAUSE_SECONDS) -> None:
        """Start the threads."""
        self._running: list[tuple[FeedWorker, Rounds]] = []
        if settings.streams == "on" and services.database.keeps_ledger:
            self._start("streams", services.streams.dispatcher(), pause)
            self._start("alert_rules", services.alert_rules.evaluator(), pause)

    def close(self) -> None:
        """Begin no further round, wait briefly for the current ones, and let other processes take over."""
        for worker, rounds in self._running:
            rounds.close()
            worker.close()

    def _start(self, name: str, worker: FeedWorker, pause: float) -> None:
        rounds = Rounds(name, partial(_pause, worker, pause), worker.round)
        rounds.start()
        self._running.append((worker, rounds))


def feed_checks(services: Callable[[], Services]) -> dict[str, Check]:
    """Return the checks with the figures of streams and of alert rules.

    Also a process that AUDIT_LOG_STREAMS=off keeps out shows them, so that it is noticed if all are kept out.
    """

    def check_streams() -> dict[str, object]:
        return services().streams.status.check()

    def check_alert_rules() -> dict[str, object]:
        return services().alert_rules.status.check()

    return {"streams": check_streams, "alert_rules": check_alert_rules}


def _pause(worker: FeedWorker, seconds: float) -> float:
    return seconds if worker.holds_any else IDLE_ROUNDS * seconds
