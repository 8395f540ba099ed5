"""The integrator: a thread that gives stored events their indices in the ledger, every second."""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from core.errors import StoreUnavailableError, cause_of
from local_runner.background.rounds import Rounds

PAUSE_SECONDS: Final = 1.0
"""Time between two rounds: the longest delay until a stored event has an index."""

_LONGEST_PAUSE: Final = 30.0

_log = logging.getLogger(__name__)


class IntegratedLedger(Protocol):
    """The part of `core.stores.ledger.integration.Ledger` that the thread calls."""

    def integrate(self) -> int:
        """See `Ledger.integrate`."""


class Integrator:
    """Integrates in `rounds`. After a failure it pauses for longer. What one leaves the next integrator continues."""

    def __init__(
        self,
        ledger: IntegratedLedger,
        pause: float = PAUSE_SECONDS,
        on_indices: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_indices` is called when events were given their indices."""
        self._ledger = ledger
        self._pause = pause
        self._on_indices = on_indices
        self._failures = 0
        self.rounds: Final = Rounds("integrator", self._next_pause, self._integrate)

    def _next_pause(self) -> float:
        return min(self._pause * float(2**self._failures), _LONGEST_PAUSE)

    def _integrate(self) -> None:
        try:
            while not self.rounds.stop.is_set() and self._ledger.integrate():
                self._on_indices()
        except StoreUnavailableError as exc:
            if not self._failures:
                action = "Check the database; stored events get their indices when it is back."
                _log.error("integration_unavailable", extra={"reason": cause_of(exc), "action": action})
            self._failures += 1
        except Exception:
            self._failures += 1
            if self._failures == 1:
                raise
        else:
            if self._failures:
                _log.info("integration_resumed", extra={"after_failures": self._failures})
            self._failures = 0
