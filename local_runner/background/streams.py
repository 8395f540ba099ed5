"""The thread that sends streams, in each process that stores events."""

from collections.abc import Callable
from typing import Final

from core.ports.telemetry import Check
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from local_runner.background.rounds import Rounds

PAUSE_SECONDS: Final = 1.0
"""Time between two rounds: the longest delay until an event that has an index is sent."""

IDLE_ROUNDS: Final = 5
"""How many pauses a process that holds no stream waits, since each round reads the database."""


class StreamThread:
    """Sends streams until `close`, unless the settings keep this process out of it (AUDIT_LOG_STREAMS=off)."""

    def __init__(self, settings: Settings, services: Services, pause: float = PAUSE_SECONDS) -> None:
        """Start the thread."""
        self._seconds = pause
        self._rounds: Rounds | None = None
        if sends_streams(settings, services.database):
            self._dispatcher = services.streams.dispatcher()
            self._rounds = Rounds("streams", self._pause, self._dispatcher.round)
            self._rounds.start()

    def close(self) -> None:
        """Begin no further batch, wait briefly for the current ones, and let other processes take the streams."""
        if self._rounds:
            self._rounds.close()
            self._dispatcher.close()

    def _pause(self) -> float:
        return self._seconds if self._dispatcher.held else IDLE_ROUNDS * self._seconds


def sends_streams(settings: Settings, database: Database) -> bool:
    """Whether this process sends streams: the settings may keep it out, and MongoDB has no feed."""
    return settings.streams == "on" and database.keeps_ledger


def stream_checks(settings: Settings, database: Database, services: Callable[[], Services]) -> dict[str, Check]:
    """Return the check with the figures of streams, for a process that sends them."""

    def check() -> dict[str, object]:
        return services().streams.status.check()

    return {"streams": check} if sends_streams(settings, database) else {}
