"""The thread that evaluates alert rules, in each process that sends streams."""

from collections.abc import Callable
from typing import Final

from core.ports.telemetry import Check
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from local_runner.background.rounds import Rounds
from local_runner.background.streams import IDLE_ROUNDS, sends_streams

PAUSE_SECONDS: Final = 1.0
"""Time between two rounds: the longest delay until an event that has an index is counted."""


class AlertThread:
    """Evaluates alert rules until `close`, unless the settings keep this process out of it (AUDIT_LOG_STREAMS=off)."""

    def __init__(self, settings: Settings, services: Services, pause: float = PAUSE_SECONDS) -> None:
        """Start the thread."""
        self._seconds = pause
        self._rounds: Rounds | None = None
        if sends_streams(settings, services.database):
            self._evaluator = services.alert_rules.evaluator()
            self._rounds = Rounds("alert_rules", self._pause, self._evaluator.round)
            self._rounds.start()

    def close(self) -> None:
        """Wait briefly for the current round, and let other processes take the rules."""
        if self._rounds:
            self._rounds.close()
            self._evaluator.close()

    def _pause(self) -> float:
        return self._seconds if self._evaluator.holds_rules else IDLE_ROUNDS * self._seconds


def alert_rule_checks(settings: Settings, database: Database, services: Callable[[], Services]) -> dict[str, Check]:
    """Return the check with the figures of alert rules, for a process that evaluates them."""

    def check() -> dict[str, object]:
        return services().alert_rules.check()

    return {"alert_rules": check} if sends_streams(settings, database) else {}
